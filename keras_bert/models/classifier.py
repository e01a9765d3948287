"""Texts and pairs of texts to labels or values."""

import os
from collections.abc import Sequence

import keras
import numpy as np

from keras_bert.data.labels import checked_labels, chosen_head, class_weights, label_encoder
from keras_bert.data.token_budget import portions
from keras_bert.layers.dropout import Dropout
from keras_bert.metrics.correlation import PearsonCorrelation
from keras_bert.models.attribution import Attribution, attributions, checked_texts
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.positions import pooled_encoder
from keras_bert.models.saving import preset_parts
from keras_bert.models.task import Task
from keras_bert.models.weights import assign_weights, dense_weights
from keras_bert.serving.answers import label_answers, label_scores
from keras_bert.serving.signatures import example_signatures
from keras_bert.text.preprocessor import BertPreprocessor, check_fits
from keras_bert.text.token_places import token_places


@keras.saving.register_keras_serializable("keras_bert")
class BertClassifier(Task):
    """Classifies texts or pairs of texts, or gives each a value: strings in, labels out.

    Args:
        encoder: `BertEncoder`.
        preprocessor: `BertPreprocessor`, optional. Without it the model takes ready inputs only.
        num_classes: int, optional. For labels "0", "1", ...
        labels: sequence of str, optional. Names of the classes, in the order of the outputs.
        task: str, default "single_label": one of the labels; "multi_label": any number of them; "regression": a value.
        dropout: float, optional. Before the last layer; defaults to the encoder's.
        pairs: bool, optional. Whether it takes pairs of texts; by default, and after every `fit`, as that gave them.
        **kwargs: `keras.Model`'s.

    Call arguments:
        inputs: dict of int tensors `(B, T)`: `token_ids`, `segment_ids`, `padding_mask`.
        training: bool.

    Returns:
        Float tensor `(B, C)` of logits. `predict` takes texts and gives probabilities `(n, C)`, values `(n, 1)` for a
        regression.

    Raises:
        ValueError: for labels or sizes that do not fit together.

    Example:
    >>> classifier = keras_bert.BertClassifier.from_preset(preset, labels=["negative", "positive"])
    >>> classifier.fit(["a fine film", "a bore"], ["positive", "negative"], epochs=3)
    >>> classifier.predict(["not bad at all"])
    >>> classifier.export("serving/sentiment/1")

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), section 4.1.
    """

    preset_task = "classifier"

    def __init__(
        self,
        encoder: BertEncoder,
        preprocessor: BertPreprocessor | None = None,
        num_classes: int | None = None,
        labels: Sequence[str] | None = None,
        task: str = "single_label",
        dropout: float | None = None,
        pairs: bool | None = None,
        **kwargs,
    ):
        labels = checked_labels(num_classes, labels, task)
        if preprocessor is not None:
            check_fits(preprocessor, **encoder.arguments)
        dropout = encoder.arguments["dropout"] if dropout is None else dropout

        # Layers
        dropout_layer = Dropout(dropout, dtype=encoder.dtype_policy, name="dropout")
        # In float32 also under mixed precision: probabilities of bfloat16 logits have two digits.
        logits_layer = keras.layers.Dense(
            len(labels),
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype="float32",
            name="logits",
        )

        # Graph
        inputs = encoder.input
        pooled_output = pooled_encoder(encoder)(inputs)
        super().__init__(
            inputs=inputs,
            outputs=logits_layer(dropout_layer(pooled_output)),
            **{"name": "bert_classifier", **kwargs},
        )

        # Arguments
        self.labels = tuple(labels)
        self.task = task
        self.dropout = dropout
        self.pairs = pairs
        self.logits_layer = logits_layer
        self.start(encoder, preprocessor)

    def encode_labels(self, values):
        """Turns labels, names or numbers, into what the loss takes."""
        return label_encoder(self.labels, self.task, keep_rows=not self._automatic["loss"])(values)

    def class_weights(self, class_weight):
        """Turns weights by label into a table."""
        return class_weights(class_weight, self.labels, self.task)

    def default_losses(self):
        """The loss of the task, divided by the weights of the real examples."""
        losses = {
            "single_label": lambda **how: keras.losses.SparseCategoricalCrossentropy(from_logits=True, **how),
            "multi_label": lambda **how: keras.losses.BinaryCrossentropy(from_logits=True, **how),
            "regression": keras.losses.MeanSquaredError,
        }
        return losses[self.task](reduction="mean_with_sample_weight")

    def default_metrics(self):
        """The metrics of the task."""
        if self.task == "single_label":
            return [keras.metrics.SparseCategoricalAccuracy("accuracy")]
        if self.task == "multi_label":
            return [keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)]
        return [PearsonCorrelation(), keras.metrics.MeanAbsoluteError("mae")]

    def activate(self, logits):
        """Turns logits into what users read: probabilities, or values."""
        return label_scores(logits, self.task)

    def logits_at(self, hidden):
        """Turns first positions' hidden states `(B, H)` into logits."""
        return self.logits_layer(self.encoder.pooler(hidden))

    def attributions(self, x, label: str | None = None) -> list[Attribution]:
        """Tells of each text what its tokens add to a label's logit, by integrated gradients.

        Args:
            x: list of str, pairs, or a `tf.data.Dataset` of them, with or without labels.
            label: str, optional. Defaults to the most probable of each text; a regression has its value.

        Returns:
            List of `Attribution`: tokens, where they stand in the text, values, scores of text and baseline.

        Raises:
            ValueError: a label that the model does not have, or inputs that are no texts.
        """
        names = ("value",) if self.task == "regression" else self.labels
        if label is not None and label not in names:
            known = ", ".join(names)
            raise ValueError(f"`label` must be one of {known}. Received: {label!r}. Use one, or leave it out.")
        found = []
        for segments in portions(checked_texts(x), self.preprocessor, self.pairs):
            pieces = [self.preprocessor.tokenizer.tokenize_with_offsets(segment) for segment in segments]
            inputs = self.preprocessor.pack(tuple(ids for ids, *_ in pieces))
            places = token_places(inputs, [offsets for _, *offsets in pieces])
            best = self.predict(inputs, verbose=0).argmax(axis=1)
            chosen = best if label is None else np.full_like(best, names.index(label))
            targets = [names[place] for place in chosen]
            found += attributions(self, segments, inputs, places, np.zeros_like(chosen), chosen, targets)
        return found

    def answer_inputs(self) -> tuple[str, ...]:
        """Names of the export's inputs."""
        return ("text", "text_pair") if self.pairs else ("text",)

    def answers(self, *texts) -> dict:
        """Turns one or two string tensors `(B,)` into the answers that `label_answers` describes, in the graph."""
        return label_answers(self(self.preprocessor(texts), training=False), self.labels, self.task)

    def ready_answers(self, inputs: dict) -> dict:
        """Turns int tensors `(B, T)` into `logits` and `probabilities`, of a regression `score`, in the graph."""
        logits = self(inputs, training=False)
        scores = label_scores(logits, self.task)
        named = {"score": scores[:, 0]} if self.task == "regression" else {"probabilities": scores}
        return {**named, "logits": logits}

    def signatures(self) -> dict:
        """Lists the ways to ask an export: beside strings also TF Serving's classify, or regress."""
        found = super().signatures()
        serving = found["serving_default"]
        return found | example_signatures(serving.answer, serving.inputs, self.labels, self.task)

    def head_config(self) -> dict:
        """Gives the arguments beside encoder and preprocessor."""
        return {"labels": list(self.labels), "task": self.task, "dropout": self.dropout, "pairs": self.pairs}

    def head_weights(self) -> dict:
        """Names the weights that are not the encoder's."""
        return dense_weights("classifier", self.logits_layer)

    @classmethod
    def from_preset(
        cls,
        preset: str | os.PathLike,
        num_classes: int | None = None,
        labels: Sequence[str] | None = None,
        task: str | None = None,
        *,
        load_weights: bool = True,
        sequence_length: int | None = None,
        dtype=None,
        dropout: float | None = None,
        **encoder_overrides,
    ) -> "BertClassifier":
        """Builds a classifier from a preset: one with a classifier's head goes on as it was, any other gets a new one.

        Args:
            preset: str or path. A directory, `hf://owner/repo`, `kaggle://...` or a KerasHub name.
            num_classes: int, optional. As in `BertClassifier`; a head of the preset with other labels is left out.
            labels: sequence of str, optional. As in `BertClassifier`.
            task: str, optional. As in `BertClassifier`.
            load_weights: bool, default True. `False` gives the architecture with random weights.
            sequence_length: int, optional. Longest row, in the place of the preset's.
            dtype: str or `keras.DTypePolicy`, optional. "mixed_bfloat16", for example.
            dropout: float, optional. In the whole model, in the place of the preset's.
            **encoder_overrides: arguments of `BertEncoder` in the place of the preset's.

        Returns:
            `BertClassifier`.

        Raises:
            ValueError: no such preset, or parts that are missing or do not fit.
        """
        if dropout is not None:
            encoder_overrides |= {"dropout": dropout}
        encoder, preprocessor, config, weights = preset_parts(
            preset, load_weights, sequence_length, dtype, encoder_overrides
        )
        saved = dict(config["head"]) if config.get("task") == cls.preset_task else {}
        head = chosen_head(saved, num_classes, labels, task)
        if dropout is not None:
            head = {**head, "dropout": dropout}
        classifier = cls(encoder, preprocessor, **head)
        if weights is not None:
            head_weights = classifier.head_weights()
            if head != saved and head.get("labels") != saved.get("labels"):  # a head for other labels stays out
                weights = {name: value for name, value in weights.items() if name not in head_weights}
            assign_weights(classifier.named_weights(), weights, optional=("pooler.", "classifier."))
        return classifier
