"""The loss of labels that are probabilities."""

import math
import numbers

import keras
from keras import ops

_TINY = 1e-37  # its logarithm is finite in float32


@keras.saving.register_keras_serializable("keras_bert")
class SoftLabelLoss(keras.losses.Loss):
    """How far logits are from rows of probabilities, such as a teacher's answers: both softened by a temperature.

    The Kullback-Leibler divergence of `softmax(logits / temperature)` from the probabilities at that temperature, times
    `temperature ** 2`, so that gradients keep their size. At a temperature of 1 and with one-hot rows it is the
    cross-entropy. A row of zeros, of a text without a label, has no loss and no gradient.

    Args:
        temperature: float, default 1.0. Above 1 the small probabilities count for more.
        reduction: str, default "mean_with_sample_weight". As in Keras.
        name: str, default "soft_labels".

    Call arguments:
        y_true: float tensor `(B, C)`, probabilities at temperature 1, or rows of zeros.
        y_pred: float tensor `(B, C)`, logits.

    Returns:
        Float scalar.

    Raises:
        ValueError: the temperature is not a finite number above 0.

    Example:
    >>> student.compile(loss=keras_bert.training.SoftLabelLoss(temperature=2.0))
    >>> student.fit(texts, teacher.predict(texts))

    Reference:
        Hinton et al., 2015 (https://arxiv.org/abs/1503.02531), section 2.
    """

    def __init__(
        self,
        temperature: float = 1.0,
        reduction: str = "mean_with_sample_weight",
        name: str = "soft_labels",
        **kwargs,
    ):
        if not isinstance(temperature, numbers.Real) or not 0 < temperature < math.inf:
            raise ValueError(
                f"`temperature` must be a finite number above 0. Received: {temperature!r}. Use 2.0, for example."
            )
        super().__init__(name=name, reduction=reduction, **kwargs)
        self.temperature = float(temperature)

    def call(self, y_true, y_pred):
        # softmax(logits / T) of the teacher, from its probabilities alone.
        softened = ops.power(ops.cast(y_true, y_pred.dtype), 1 / self.temperature)
        softened = softened / ops.maximum(ops.sum(softened, axis=-1, keepdims=True), _TINY)
        log_ratio = ops.log(ops.maximum(softened, _TINY)) - ops.log_softmax(y_pred / self.temperature)
        return self.temperature**2 * ops.sum(softened * log_ratio, axis=-1)

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}
