"""Accuracy where not every text has a label."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_bert")
class LabelledAccuracy(keras.metrics.Mean):
    """The share of right answers among the texts that have a label.

    Args:
        name: str, default "accuracy".
        **kwargs: `keras.metrics.Mean`'s.

    Call arguments:
        y_true: float tensor `(B, C)`: one-hot or soft rows, rows of zeros for texts without a label.
        y_pred: float tensor `(B, C)`, logits or probabilities.

    Example:
    >>> metric = LabelledAccuracy()
    >>> metric.update_state([[0.0, 1.0], [0.0, 0.0]], [[0.2, 0.8], [0.9, 0.1]])
    >>> float(metric.result())
    1.0
    """

    def __init__(self, name: str = "accuracy", **kwargs):
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.convert_to_tensor(y_true)
        right = ops.argmax(y_true, axis=-1) == ops.argmax(y_pred, axis=-1)
        super().update_state(ops.cast(right, "float32"), ops.cast(ops.any(y_true != 0, axis=-1), "float32"))
