"""Texts to tagged words and to entities."""

import os
from collections.abc import Sequence

import keras
import numpy as np

from keras_bert.data.labels import check_texts_can_be_written, class_weights
from keras_bert.layers.dropout import Dropout
from keras_bert.metrics.entities import SCHEMES, tag_entities
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.positions import sequence_encoder
from keras_bert.models.saving import preset_parts
from keras_bert.models.token_prediction import TokenPrediction
from keras_bert.models.weights import assign_weights, dense_weights, encoder_weights
from keras_bert.serving.tag_answers import tag_rules
from keras_bert.text.preprocessor import BertPreprocessor, check_fits


@keras.saving.register_keras_serializable("keras_bert")
class BertTokenClassifier(TokenPrediction):
    """Finds entities in texts, or tags words: named entities, parts of speech, semantic roles.

    A word's tag is read at its first token. What is predicted is the most probable sequence of tags that the scheme
    allows. A text that does not fit into one row is read in overlapping windows.

    Args:
        encoder: `BertEncoder`.
        preprocessor: `BertPreprocessor`, optional. Without it the model takes ready inputs only.
        labels: sequence of str. The tags: "O" and "B-person", "I-person", ..., in the order of the outputs.
        scheme: str or None, default "bio". Or "bioes", "bmes"; `None` for tags that stand for themselves.
        doc_stride: int, optional. Tokens from the begin of a window to the begin of the next; by default half a row.
        dropout: float, optional. Before the last layer; defaults to the encoder's.
        pairs: bool, optional. Whether it takes a second segment with each text, such as the predicate whose roles are
            asked for; by default, and after every `fit`, as that gave them.
        **kwargs: `keras.Model`'s.

    Call arguments:
        inputs: dict of int tensors `(B, T)`: `token_ids`, `segment_ids`, `padding_mask`.
        training: bool.

    Returns:
        Float tensor `(B, T, C)` of logits. `predict` takes texts, or lists of words, and gives their entities.

    Raises:
        ValueError: for tags that are not of the scheme, or sizes that do not fit together.

    Example:
    >>> tagger = keras_bert.BertTokenClassifier.from_preset(preset, labels=["O", "B-person", "I-person"])
    >>> tagger.fit([["Mary", "Webb", "sang"]], [["B-person", "I-person", "O"]], epochs=3)
    >>> tagger.predict(["Mary Webb sang."])
    [[{'entity': 'Mary Webb', 'label': 'person', 'start': 0, 'end': 9, 'score': 0.98}]]
    >>> tagger.export("serving/people/1")

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), section 5.3.
    """

    preset_task = "token_classifier"
    has_pooler = False

    def __init__(
        self,
        encoder: BertEncoder,
        preprocessor: BertPreprocessor | None = None,
        labels: Sequence[str] = (),
        scheme: str | None = "bio",
        doc_stride: int | None = None,
        dropout: float | None = None,
        pairs: bool | None = None,
        **kwargs,
    ):
        labels = _checked_tags(labels, scheme)
        if doc_stride is not None and (not isinstance(doc_stride, int) or doc_stride < 1):
            raise ValueError(f"`doc_stride` must be a whole number of at least 1. Received: {doc_stride!r}.")
        if preprocessor is not None:
            check_fits(preprocessor, **encoder.arguments)
        dropout = encoder.arguments["dropout"] if dropout is None else dropout

        # Layers
        dropout_layer = Dropout(dropout, dtype=encoder.dtype_policy, name="dropout")
        logits_layer = keras.layers.Dense(
            len(labels),
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype="float32",
            name="logits",
        )

        # Graph
        inputs = encoder.input
        outputs = logits_layer(dropout_layer(sequence_encoder(encoder)(inputs)))
        super().__init__(inputs=inputs, outputs=outputs, **{"name": "bert_token_classifier", **kwargs})

        # Arguments
        self.labels = labels
        self.scheme = scheme
        self.doc_stride = doc_stride
        self.dropout = dropout
        self.pairs = pairs
        self.marks = None if scheme is None else SCHEMES[scheme]
        self.rules = tag_rules(labels, self.marks)
        self.logits_layer = logits_layer
        self.start(encoder, preprocessor)

    def encode_labels(self, values):
        """Gives the numbers of tags, int `(n, T)`, as they are."""
        if isinstance(values, np.ndarray):
            bad = [] if values.dtype.kind in "iu" else [values.dtype]
            bad = bad or values[(values < 0) | (values >= len(self.labels))].tolist()
            if bad:
                raise ValueError(
                    f"Tags in ready inputs must be numbers from 0 to {len(self.labels) - 1}. Received: {bad[0]}. "
                    "Positions without a tag have any, and a sample_weight of 0."
                )
        return values

    def class_weights(self, class_weight):
        """Turns weights by tag into a table."""
        return class_weights(class_weight, self.labels, "single_label")

    def default_losses(self):
        """The mean over the words."""
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")

    def default_metrics(self):
        """None that counts tokens which are not the first of a word."""
        return []

    def default_weighted_metrics(self):
        """The share of words whose most probable tag is right."""
        return [keras.metrics.SparseCategoricalAccuracy("accuracy")]

    def head_config(self) -> dict:
        """Gives the arguments beside encoder and preprocessor."""
        names = ("scheme", "doc_stride", "dropout", "pairs")
        return {"labels": list(self.labels), **{name: getattr(self, name) for name in names}}

    def head_weights(self) -> dict:
        """Names the weights that are not the encoder's."""
        return dense_weights("classifier", self.logits_layer)

    @classmethod
    def from_preset(
        cls,
        preset: str | os.PathLike,
        labels: Sequence[str] | None = None,
        scheme: str | None = "bio",
        *,
        load_weights: bool = True,
        sequence_length: int | None = None,
        doc_stride: int | None = None,
        dtype=None,
        dropout: float | None = None,
        **encoder_overrides,
    ) -> "BertTokenClassifier":
        """Builds a token classifier from a preset: one with such a head goes on as it was, any other gets a new one.

        Args:
            preset: str or path. A directory, a packaged name, `hf://owner/repo`, `kaggle://...` or a KerasHub name.
            labels: sequence of str, optional. As in `BertTokenClassifier`; a head of the preset with other labels is
                left out.
            scheme: str or None, default "bio". As in `BertTokenClassifier`; of a preset of ours its own.
            load_weights: bool, default True. `False` gives the architecture with random weights.
            sequence_length: int, optional. Longest row, in the place of the preset's.
            doc_stride: int, optional. As in `BertTokenClassifier`, in the place of the preset's.
            dtype: str or `keras.DTypePolicy`, optional. "mixed_bfloat16", for example.
            dropout: float, optional. In the whole model, in the place of the preset's.
            **encoder_overrides: arguments of `BertEncoder` in the place of the preset's.

        Returns:
            `BertTokenClassifier`.

        Raises:
            ValueError: no such preset, no labels, or parts that are missing or do not fit.
        """
        if dropout is not None:
            encoder_overrides |= {"dropout": dropout}
        encoder, preprocessor, config, weights = preset_parts(
            preset, load_weights, sequence_length, dtype, encoder_overrides
        )
        saved = dict(config["head"]) if config.get("task") == cls.preset_task else {}
        if labels is None and not saved:
            raise ValueError(
                "A preset without a token classifier's head needs to know the tags. Received: no `labels`. "
                "Pass labels=['O', 'B-person', 'I-person'], for example."
            )
        given = {"doc_stride": doc_stride, "dropout": dropout}
        given = {name: value for name, value in given.items() if value is not None}
        is_new = not saved or (labels is not None and list(labels) != saved["labels"])
        head = {"labels": labels, "scheme": scheme} if is_new else {"scheme": scheme, **saved}
        tagger = cls(encoder, preprocessor, **{**head, **given})
        if weights is not None:
            named = encoder_weights(encoder) | tagger.head_weights()
            # A pooler that is there goes on with the encoder, for whoever takes that out.
            named = {name: w for name, w in named.items() if name in weights or not name.startswith("pooler.")}
            if is_new:
                weights = {name: value for name, value in weights.items() if not name.startswith("classifier.")}
            assign_weights(named, weights, optional=("classifier.",))
        return tagger


def _checked_tags(labels, scheme):
    labels = tuple(labels) if isinstance(labels, (list, tuple, np.ndarray)) else (labels,)
    if not all(isinstance(label, str) for label in labels) or len(set(labels)) != len(labels) or len(labels) < 2:
        raise ValueError(f"`labels` must be at least two different tags, all str. Received: {labels!r:.200}.")
    check_texts_can_be_written(labels)
    if scheme is not None:
        tag_entities([], scheme)
        for label in labels:
            tag_entities([label], scheme)
        if "O" not in labels:
            raise ValueError(f"Tags of a scheme must hold 'O'. Received: {', '.join(labels[:20])}. Add it.")
    return labels
