"""A classifier that learns from another one."""

import math
import numbers
import os
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_bert.data.examples import example_epochs
from keras_bert.data.fingerprint import fingerprint
from keras_bert.data.inputs import check_counts, checked_features, holds_pairs, row_count
from keras_bert.data.label_rows import label_rows
from keras_bert.metrics.labelled import LabelledAccuracy
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.fitting import FittedTask
from keras_bert.models.lesson import Lesson
from keras_bert.models.resizing import chosen_layers
from keras_bert.text.preprocessor import check_fits
from keras_bert.training.saving import SaveRule
from keras_bert.training.soft_labels import SoftLabelLoss


class BertDistiller(FittedTask):
    """Teaches a classifier, smaller as a rule, what another one knows: from texts with labels and without.

    The loss of a text is the sum of `alpha` times the divergence from the teacher's softened probabilities, `1 - alpha`
    times the cross-entropy of its label, where it has one, and `hidden_weight` times the mean squared difference of
    hidden states. The teacher answers each text once, before the first step; its hidden states are computed in every
    step, without dropout. The student alone learns: predict, export and save with it.

    Args:
        student: `BertClassifier`.
        teacher: `BertClassifier` of the same labels. Where hidden states do not count it may be of another vocabulary.
        temperature: float, default 2.0. Softens the probabilities of both.
        alpha: float, default 0.5. Share of the teacher's probabilities; the labels have the rest.
        hidden_weight: float, default 0.0. Above 0 both must be equally wide, and read the same tokens. Try 10.
        layers: sequence of int, optional. For each of the student's layers the teacher's, counted from 0, whose hidden
            states it is to have; by default at even distances, the last for the last.
        **kwargs: `keras.Model`'s.

    Call arguments:
        inputs: dict of int tensors `(B, T)`, the student's.
        training: bool.

    Returns:
        dict: the student's logits `(B, C)` as `labels` and as `teacher`, by what they are compared with; with a
        `hidden_weight` also `hidden`, `(B, layers)`: the mean squared difference over a text's tokens.

    Raises:
        ValueError: for models or numbers that do not fit together.

    Example:
    >>> teacher = keras_bert.BertClassifier.from_preset("my_sentiment")
    >>> student = teacher.with_layers([1, 3, 5])
    >>> distiller = keras_bert.BertDistiller(student, teacher, hidden_weight=10.0)
    >>> distiller.fit(["a fine film", "a bore", "so it goes"], ["positive", "negative", None], epochs=3)
    >>> student.save_to_preset("my_small_sentiment")

    Reference:
        Hinton et al., 2015 (https://arxiv.org/abs/1503.02531); hidden states: Jiao et al., 2019
        (https://arxiv.org/abs/1909.10351), section 3.1.
    """

    def __init__(
        self,
        student: BertClassifier,
        teacher: BertClassifier,
        temperature: float = 2.0,
        alpha: float = 0.5,
        hidden_weight: float = 0.0,
        layers: Sequence[int] | None = None,
        **kwargs,
    ):
        for name, value, most in (("alpha", alpha, 1.0), ("hidden_weight", hidden_weight, math.inf)):
            if not isinstance(value, numbers.Real) or not 0 <= value <= most or value == math.inf:
                rule = "from 0 to 1" if most == 1.0 else "of at least 0"
                raise ValueError(f"`{name}` must be a finite number {rule}. Received: {value!r}.")
        _check_heads(student, teacher)
        compared = _compared_layers(student, teacher, layers) if hidden_weight else ()
        lesson = Lesson(student, teacher, compared, dtype=student.dtype_policy, name="lesson")
        super().__init__(
            inputs=student.input, outputs=lesson(student.input), **{"name": "bert_distiller", **kwargs}
        )
        self.student = student
        self.lesson = lesson
        self.temperature, self.alpha, self.hidden_weight = temperature, alpha, hidden_weight
        self.dtype_policy = student.dtype_policy
        self.loss_trackers = {name: keras.metrics.Mean(f"{name}_loss") for name in self.output}
        self.compile()

    def fit(
        self,
        x,
        y=None,
        batch_size: int | None = None,
        epochs: int = 1,
        validation_data=None,
        shuffle: bool = True,
        sample_weight=None,
        initial_epoch: int = 0,
        checkpoint: str | os.PathLike | None = None,
        save_rule: SaveRule | None = None,
        **kwargs,
    ):
        """Trains the student on texts, pairs of texts or ready inputs.

        Args:
            x: list of str, pairs `(a, b)`, or a dict of arrays.
            y: labels, names or numbers, None for a text without; or None, where no text has one.
            batch_size: int, default 32.
            epochs: int, default 1.
            validation_data: `(x, y)`, or `(x, y, sample_weight)`, optional.
            shuffle: bool, default True.
            sample_weight: floats `(n,)`, optional.
            initial_epoch: int, default 0.
            checkpoint: str or path, optional. As in `BertClassifier.fit`.
            save_rule: `keras_bert.training.SaveRule`, optional.
            **kwargs: `keras.Model.fit`'s.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: for inputs or labels that cannot be used: which, and what to do.
        """
        self.check_trains()
        check_counts(batch_size=batch_size)
        if y is None and not self.alpha and not self.hidden_weight:
            raise ValueError(
                "There must be something to learn. Received: alpha=0 and no labels. Give an `alpha` above 0."
            )
        of_epoch = self._epochs(x, y, sample_weight, batch_size)
        given = holds_pairs(x)
        self.student.pairs = self.student.pairs if given is None else given
        if validation_data is not None:
            validation_data = self._epochs(*(*validation_data, None)[:3], batch_size)()
        return self.fit_epochs(
            of_epoch,
            seed=self.order_seed() if shuffle else None,
            epochs=epochs,
            initial_epoch=initial_epoch,
            validation_data=validation_data,
            examples=(x, y, sample_weight),
            batch_size=batch_size,
            settings={
                "temperature": self.temperature,
                "layers": list(self.lesson.layers),
                "teacher": fingerprint(self.lesson.get_teacher().get_weights()),
            },
            checkpoint=checkpoint,
            save_rule=save_rule,
            **kwargs,
        )

    @property
    def encoder(self):
        """The student's: what learns."""
        return self.student.encoder

    def save_to_preset(self, path: str | os.PathLike, storage_dtype: str = "float32") -> None:
        """Writes the student, for callbacks that keep the best epoch.

        Args:
            path: str or path of the directory.
            storage_dtype: str, default "float32". "float16" halves the file.
        """
        self.student.save_to_preset(path, storage_dtype)

    def default_losses(self):
        """What the student's answers are compared with."""
        losses = {"labels": SoftLabelLoss(), "teacher": SoftLabelLoss(self.temperature)}
        if self.hidden_weight:  # squares already: their distance from 0, averaged over the layers
            losses["hidden"] = keras.losses.MeanAbsoluteError(reduction="mean_with_sample_weight")
        return losses

    def default_loss_weights(self):
        """The shares of labels, teacher and hidden states."""
        shares = {"labels": 1 - self.alpha, "teacher": self.alpha}
        return shares | ({"hidden": self.hidden_weight} if self.hidden_weight else {})

    def default_metrics(self):
        """The share of labels that the student gives too."""
        return {"labels": [LabelledAccuracy()]}

    def _epochs(self, x, y, sample_weight, batch_size):
        if isinstance(x, tf.data.Dataset):
            raise ValueError(
                "Distillation reads texts twice, so it takes lists. Received: a dataset. Give its texts as `x`."
            )
        rows = row_count(checked_features(x))
        labels = label_rows(y, rows, self.student.labels)
        answers = self.lesson.get_teacher().predict(x, verbose=0) if self.alpha else np.zeros_like(labels)

        def encode(targets):
            if not tf.is_tensor(targets):
                return targets
            outputs = {"labels": targets[:, 0], "teacher": targets[:, 1]}
            if self.hidden_weight:
                outputs["hidden"] = tf.zeros((tf.shape(targets)[0], len(self.lesson.layers)))
            return outputs

        return example_epochs(
            x,
            np.stack([labels, answers], axis=1),
            sample_weight,
            preprocessor=self.student.preprocessor,
            encode_labels=encode,
            batch_size=batch_size,
            padding="fixed" if self.jit_compile else None,
            rows_multiple=self.distribute_strategy.num_replicas_in_sync,
        )


def _check_heads(student, teacher):
    for name, model in (("student", student), ("teacher", teacher)):
        if not isinstance(model, BertClassifier) or model.task != "single_label":
            found = f"task={model.task!r}" if isinstance(model, BertClassifier) else type(model).__name__
            raise ValueError(f"The {name} must be a BertClassifier of one label a text. Received: {found}.")
    if student.labels != teacher.labels:
        raise ValueError(
            "Student and teacher must have the same labels in the same order. "
            f"Received: {student.labels[:20]} and {teacher.labels[:20]}. Make the student with labels=teacher.labels."
        )


def _compared_layers(student, teacher, layers):
    widths = [model.encoder.arguments["hidden_dim"] for model in (student, teacher)]
    if widths[0] != widths[1]:
        raise ValueError(
            "Hidden states can be compared where they are equally wide. "
            f"Received: hidden_dim={widths[0]} of the student, {widths[1]} of the teacher. Use hidden_weight=0."
        )
    tokenizers = [model.preprocessor and model.preprocessor.tokenizer.get_config() for model in (student, teacher)]
    if tokenizers[0] != tokenizers[1]:
        raise ValueError(
            "Hidden states can be compared where both read the same tokens. Received: a student with another "
            "tokenizer. Make it with teacher.preprocessor, or use hidden_weight=0."
        )
    if student.preprocessor is not None:
        check_fits(student.preprocessor, **teacher.encoder.arguments)
    count = len(student.encoder.blocks)
    layers = chosen_layers(count if layers is None else layers, len(teacher.encoder.blocks))
    if len(layers) != count:
        raise ValueError(f"`layers` must name a layer of the teacher for each of {count}. Received: {layers}.")
    return layers
