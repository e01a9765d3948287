"""Contexts, questions and choices to the right choice."""

import os

import keras
import tensorflow as tf

from keras_bert.data.choice_examples import answer_indices, checked_choices, choice_examples, choice_inputs
from keras_bert.data.token_budget import portions
from keras_bert.layers.choices import ChoiceRows, ChoiceScores
from keras_bert.layers.dropout import Dropout
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.positions import pooled_encoder
from keras_bert.models.saving import preset_parts
from keras_bert.models.task import Task
from keras_bert.models.weights import assign_weights, dense_weights
from keras_bert.serving.choice_answers import choice_answers
from keras_bert.text.choices import ChoicePacker
from keras_bert.text.preprocessor import BertPreprocessor, check_fits


@keras.saving.register_keras_serializable("keras_bert")
class BertMultipleChoice(Task):
    """Chooses one of several texts, as in RACE and SWAG: strings in, the right choice out.

    A choice is read as [CLS] context [SEP] question choice [SEP] and gets a score. In RACE the context is an article;
    in SWAG it is a sentence, and the question is the begin of the next, which every choice goes on with. Tasks without
    questions have the choice alone behind the context. What is too long is cut from the context.

    Args:
        encoder: `BertEncoder`.
        preprocessor: `BertPreprocessor`, optional. Without it the model takes ready inputs only.
        dropout: float, optional. Before the last layer; defaults to the encoder's.
        **kwargs: `keras.Model`'s.

    Call arguments:
        inputs: dict of int tensors `(B, N choices, T)`: `token_ids`, `segment_ids`, `padding_mask`. `packer` makes
            them of texts.
        training: bool.

    Returns:
        Float tensor `(B, N)` of logits. `fit` takes `(contexts, questions, choices)` or `(contexts, choices)`, the
        choices as a list of `N` texts for each question, and answers: the index of the right one, or its text.
        `predict` takes the same without answers and gives probabilities `(n, N)`.

    Raises:
        ValueError: for sizes that do not fit together.

    Example:
    >>> model = keras_bert.BertMultipleChoice.from_preset(preset)
    >>> examples = (["The cat sat on the mat."], ["Where did it sit?"], [["On the mat.", "On the dog."]])
    >>> model.fit(examples, ["On the mat."], epochs=3)
    >>> model.predict(examples)
    >>> model.export("serving/choices/1")

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), section 4.4; Lai et al., 2017
        (https://arxiv.org/abs/1704.04683); Zellers et al., 2018 (https://arxiv.org/abs/1808.05326).
    """

    preset_task = "multiple_choice"

    def __init__(
        self,
        encoder: BertEncoder,
        preprocessor: BertPreprocessor | None = None,
        dropout: float | None = None,
        **kwargs,
    ):
        if preprocessor is not None:
            check_fits(preprocessor, **encoder.arguments)
            if preprocessor.sequence_length < 4:
                raise ValueError(
                    "A row must have room for three special tokens and some of a choice. "
                    f"Received: sequence_length={preprocessor.sequence_length}. Use 128, for example."
                )
        dropout = encoder.arguments["dropout"] if dropout is None else dropout

        # Layers
        rows_layer = ChoiceRows(dtype=encoder.dtype_policy, name="rows")
        dropout_layer = Dropout(dropout, dtype=encoder.dtype_policy, name="dropout")
        # In float32 also under mixed precision: probabilities of bfloat16 logits have two digits.
        scores_layer = keras.layers.Dense(
            1,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype="float32",
            name="scores",
        )
        logits_layer = ChoiceScores(dtype="float32", name="logits")

        # Graph
        inputs = {name: keras.Input((None, None), dtype="int32", name=name) for name in encoder.input}
        pooled_output = pooled_encoder(encoder)({name: rows_layer(x) for name, x in inputs.items()})
        scores = scores_layer(dropout_layer(pooled_output))
        super().__init__(
            inputs=inputs,
            outputs=logits_layer(scores, inputs["token_ids"]),
            **{"name": "bert_multiple_choice", **kwargs},
        )

        # Arguments
        self.dropout = dropout
        self.pairs = None
        self.scores_layer = scores_layer
        self.start(encoder, preprocessor)

    @property
    def packer(self):
        """What lays texts out in rows, `ChoicePacker`; None without a preprocessor."""
        return None if self.preprocessor is None else ChoicePacker(self.preprocessor)

    def check_inputs(self, x):
        """Turns texts or ready inputs into tensors, or says what is wrong with them."""
        return checked_choices(x)

    def encode_labels(self, values):
        """Gives the indices of answers, int `(n,)`, as they are."""
        return values

    def class_weights(self, class_weight):
        """Refuses weights by class: there are none."""
        if class_weight is not None:
            raise ValueError("Choices have no classes. Received: class_weight. Use sample_weight.")

    def default_losses(self):
        """The cross-entropy over a question's choices, divided by the weights of the questions."""
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")

    def default_metrics(self):
        """How often the right one has the highest score."""
        return [keras.metrics.SparseCategoricalAccuracy("accuracy")]

    def activate(self, logits):
        """Turns logits into what users read: probabilities."""
        return tf.nn.softmax(logits)

    def answer_inputs(self) -> tuple:
        """Names of the export's inputs, and what is the spec of the choices `(B, N)`."""
        return ("context", "question", tf.TensorSpec([None, None], tf.string, name="choices"))

    def answers(self, contexts, questions, choices) -> dict:
        """Turns string tensors `(B,)`, `(B,)`, `(B, N)` into the answers that `choice_answers` describes."""
        return choice_answers(self(self.packer((contexts, questions, choices)), training=False), choices)

    def head_config(self) -> dict:
        """Gives the arguments beside encoder and preprocessor."""
        return {"dropout": self.dropout}

    def head_weights(self) -> dict:
        """Names the weights that are not the encoder's."""
        return dense_weights("classifier", self.scores_layer)

    @classmethod
    def from_preset(
        cls,
        preset: str | os.PathLike,
        *,
        load_weights: bool = True,
        sequence_length: int | None = None,
        dtype=None,
        dropout: float | None = None,
        **encoder_overrides,
    ) -> "BertMultipleChoice":
        """Builds a model from a preset: one with such a head goes on as it was, any other gets a new one.

        The head of a regression goes on too: what scores pairs of texts, how much they have to do with each other for
        example, scores choices, and a small data set does not teach that from nothing.

        Args:
            preset: str or path. A directory, a packaged name, `hf://owner/repo`, `kaggle://...` or a KerasHub name.
            load_weights: bool, default True. `False` gives the architecture with random weights.
            sequence_length: int, optional. Longest row, in the place of the preset's.
            dtype: str or `keras.DTypePolicy`, optional. "mixed_bfloat16", for example.
            dropout: float, optional. In the whole model, in the place of the preset's.
            **encoder_overrides: arguments of `BertEncoder` in the place of the preset's.

        Returns:
            `BertMultipleChoice`.

        Raises:
            ValueError: no such preset, or parts that are missing or do not fit.
        """
        if dropout is not None:
            encoder_overrides |= {"dropout": dropout}
        encoder, preprocessor, config, weights = preset_parts(
            preset, load_weights, sequence_length, dtype, encoder_overrides
        )
        is_new = config.get("task") != cls.preset_task
        head = {} if is_new else dict(config["head"])
        model = cls(encoder, preprocessor, **(head if dropout is None else {**head, "dropout": dropout}))
        if weights is not None:
            scores_pairs = config.get("task") == "classifier" and config["head"].get("task") == "regression"
            if is_new and not scores_pairs:  # a head of classes has the same name
                weights = {name: value for name, value in weights.items() if not name.startswith("classifier.")}
            assign_weights(model.named_weights(), weights, optional=("pooler.", "classifier."))
        return model

    def _holds_pairs(self, x):
        return None

    def _with_indices(self, x, y):
        """Checks texts or ready inputs, and turns their answers into indices."""
        x = self.check_inputs(x)
        return x, None if y is None else answer_indices(x, y)

    def _split(self, x, y, sample_weight, share):
        if not isinstance(x, tf.data.Dataset):
            x, y = self._with_indices(x, y)
        return super()._split(x, y, sample_weight, share)

    def _portions(self, x):
        x = choice_inputs(x) if isinstance(x, tf.data.Dataset) else x
        return portions(x, self.preprocessor, check=self.check_inputs)

    def _epochs(self, x, y, sample_weight, batch_size, class_weight=None, training=False):
        if isinstance(x, tf.data.Dataset):
            x = choice_examples(x, batch_size or 32)
        else:
            x, y = self._with_indices(x, y)
        return super()._epochs(x, y, sample_weight, batch_size, class_weight)
