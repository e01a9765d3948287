"""Questions and contexts to answers that are cut from the contexts."""

import math
import numbers
import os

import keras
from keras import ops

from keras_bert.models.encoder import BertEncoder
from keras_bert.models.positions import sequence_encoder
from keras_bert.models.saving import preset_parts
from keras_bert.models.span_prediction import SpanPrediction
from keras_bert.models.weights import assign_weights, dense_weights, encoder_weights
from keras_bert.text.preprocessor import BertPreprocessor, check_fits

LOGITS = ("start_logits", "end_logits")


@keras.saving.register_keras_serializable("keras_bert")
class BertSpanLabeler(SpanPrediction):
    """Answers questions with a part of a context, as in SQuAD: strings in, answers out, contexts of any length.

    A context that does not fit into one row is read in overlapping windows.

    Args:
        encoder: `BertEncoder`.
        preprocessor: `BertPreprocessor`, optional. Without it the model takes ready inputs only.
        doc_stride: int, default 128. Tokens from the begin of a window to the begin of the next.
        max_question_length: int, default 64. The rest of a longer question is cut off.
        max_answer_length: int, default 30. Most tokens of an answer.
        no_answer_threshold: float, optional. Lets a question have no answer, as in SQuAD 2.0: it has none where the
            logits of no answer are by more than this above those of the best answer. `None`, the default: as in 1.1.
        **kwargs: `keras.Model`'s.

    Call arguments:
        inputs: dict of int tensors `(B, T)`: `token_ids`, `segment_ids`, `padding_mask`.
        training: bool.

    Returns:
        dict of float tensors `(B, T)`, `start_logits` and `end_logits`, -1e9 at padding. `predict` takes questions and
        contexts and gives a dict for each.

    Raises:
        ValueError: for sizes that do not fit together.

    Example:
    >>> labeler = keras_bert.BertSpanLabeler.from_preset(preset)
    >>> labeler.fit((["Who sat?"], ["The cat sat."]), ["The cat"], epochs=3)
    >>> labeler.predict((["Who sat?"], ["The cat sat."]))
    [{'answer': 'The cat', 'start': 0, 'end': 7, 'score': 0.98}]
    >>> labeler.export("serving/answers/1")

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), section 4.2 and 4.3.
    """

    preset_task = "span_labeler"
    has_pooler = False

    def __init__(
        self,
        encoder: BertEncoder,
        preprocessor: BertPreprocessor | None = None,
        doc_stride: int = 128,
        max_question_length: int = 64,
        max_answer_length: int = 30,
        no_answer_threshold: float | None = None,
        **kwargs,
    ):
        if preprocessor is not None:
            check_fits(preprocessor, **encoder.arguments)
        sizes = {
            "doc_stride": doc_stride,
            "max_question_length": max_question_length,
            "max_answer_length": max_answer_length,
        }
        _check_sizes(preprocessor, **sizes)
        is_number = isinstance(no_answer_threshold, numbers.Real) and not math.isnan(no_answer_threshold)
        if no_answer_threshold is not None and not is_number:
            raise ValueError(f"`no_answer_threshold` must be a number or None. Received: {no_answer_threshold!r}.")

        # Layers
        logits_layer = keras.layers.Dense(
            2,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype="float32",
            name="logits",
        )

        # Graph
        inputs = encoder.input
        logits = logits_layer(sequence_encoder(encoder)(inputs))  # (B, T, 2)
        is_real = ops.not_equal(inputs["padding_mask"], 0)
        outputs = {name: ops.where(is_real, logits[:, :, i], -1e9) for i, name in enumerate(LOGITS)}
        super().__init__(inputs=inputs, outputs=outputs, **{"name": "bert_span_labeler", **kwargs})

        # Arguments
        self.doc_stride = doc_stride
        self.max_question_length = max_question_length
        self.max_answer_length = max_answer_length
        self.no_answer_threshold = None if no_answer_threshold is None else float(no_answer_threshold)
        self.pairs = True
        self.logits_layer = logits_layer
        self.start(encoder, preprocessor)

    def encode_labels(self, values):
        """Turns the first and last tokens of answers, int `(n, 2)`, into what the losses take."""
        if not isinstance(values, dict) and (tuple(values.shape)[1:] != (2,) or "int" not in str(values.dtype)):
            raise ValueError(
                "Answers in ready inputs must be their first and last tokens, whole numbers (n, 2). "
                f"Received: shape {tuple(values.shape)} of {values.dtype}."
            )
        return values if isinstance(values, dict) else dict(zip(LOGITS, (values[:, 0], values[:, 1]), strict=True))

    def class_weights(self, class_weight):
        """Refuses weights by class: there are none."""
        if class_weight is not None:
            raise ValueError("Answers have no classes. Received: class_weight. Use sample_weight.")

    def default_losses(self):
        """For each end of the answer the cross-entropy over the tokens."""
        loss = keras.losses.SparseCategoricalCrossentropy
        return {name: loss(from_logits=True, reduction="mean_with_sample_weight") for name in LOGITS}

    def default_loss_weights(self):
        """The mean of both ends."""
        return dict.fromkeys(LOGITS, 0.5)

    def default_metrics(self):
        """How often the first and the last token are right."""
        return {name: [keras.metrics.SparseCategoricalAccuracy("accuracy")] for name in LOGITS}

    def logits_at(self, hidden):
        """Turns hidden states `(B, H)` into the logits of begin and end."""
        return self.logits_layer(hidden)

    def head_config(self) -> dict:
        """Gives the arguments beside encoder and preprocessor."""
        names = ("doc_stride", "max_question_length", "max_answer_length", "no_answer_threshold")
        return {name: getattr(self, name) for name in names}

    def head_weights(self) -> dict:
        """Names the weights that are not the encoder's."""
        return dense_weights("qa_outputs", self.logits_layer)

    @classmethod
    def from_preset(
        cls,
        preset: str | os.PathLike,
        *,
        load_weights: bool = True,
        sequence_length: int | None = None,
        doc_stride: int | None = None,
        max_question_length: int | None = None,
        max_answer_length: int | None = None,
        no_answer_threshold: float | None = None,
        dtype=None,
        **encoder_overrides,
    ) -> "BertSpanLabeler":
        """Builds a span labeler from a preset: one with such a head goes on as it was, any other gets a new one.

        Args:
            preset: str or path. A directory, a packaged name, `hf://owner/repo`, `kaggle://...` or a KerasHub name.
            load_weights: bool, default True. `False` gives the architecture with random weights.
            sequence_length: int, optional. Longest row, in the place of the preset's; of a new head 384 or the
                encoder's longest.
            doc_stride: int, optional. As in `BertSpanLabeler`, in the place of the preset's.
            max_question_length: int, optional. The same.
            max_answer_length: int, optional. The same.
            no_answer_threshold: float, optional. The same.
            dtype: str or `keras.DTypePolicy`, optional. "mixed_bfloat16", for example.
            **encoder_overrides: arguments of `BertEncoder` in the place of the preset's.

        Returns:
            `BertSpanLabeler`.

        Raises:
            ValueError: no such preset, or parts that are missing or do not fit.
        """
        encoder, preprocessor, config, weights = preset_parts(
            preset, load_weights, sequence_length, dtype, encoder_overrides
        )
        is_new = config.get("task") != cls.preset_task
        if is_new and sequence_length is None and preprocessor is not None:
            preprocessor.sequence_length = min(384, preprocessor.sequence_length)
        given = {
            "doc_stride": doc_stride,
            "max_question_length": max_question_length,
            "max_answer_length": max_answer_length,
            "no_answer_threshold": no_answer_threshold,
        }
        settings = {} if is_new else dict(config["head"])
        settings |= {name: value for name, value in given.items() if value is not None}
        labeler = cls(encoder, preprocessor, **settings)
        if weights is not None:
            # A pooler that is there goes on with the encoder, for whoever takes that out.
            named = encoder_weights(encoder) | labeler.head_weights()
            named = {name: w for name, w in named.items() if name in weights or not name.startswith("pooler.")}
            assign_weights(named, weights, optional=("qa_outputs.",))
        return labeler


def _check_sizes(preprocessor, **sizes):
    bad = {name: size for name, size in sizes.items() if not isinstance(size, int) or size < 1}
    if bad:
        raise ValueError(f"Sizes must be whole numbers of at least 1. Received: {bad}.")
    if preprocessor is not None and sizes["max_question_length"] > preprocessor.sequence_length - 4:
        raise ValueError(
            "A row must have room for the question, three special tokens and some of the context. Received: "
            f"max_question_length={sizes['max_question_length']}, sequence_length={preprocessor.sequence_length}. "
            "Use a longer sequence_length or a shorter max_question_length."
        )
