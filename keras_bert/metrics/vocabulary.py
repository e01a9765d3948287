"""The share of right guesses among many classes."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_bert")
class VocabularyAccuracy(keras.metrics.MeanMetricWrapper):
    """The share of tokens that are guessed, in one look at the logits: Keras' own takes five, for zeros with a sign.

    Args:
        name: str, default "accuracy".
        dtype: str, optional. Of the result.

    Call arguments:
        y_true: int tensor `(...)`.
        y_pred: float tensor `(..., V)`.
        sample_weight: float tensor `(...)`, optional.

    Returns:
        Float. Where several logits are the highest, each of their tokens is right.

    Example:
    >>> accuracy = VocabularyAccuracy()
    >>> accuracy.update_state([2, 0], [[0.1, 0.2, 0.9], [0.1, 0.2, 0.9]])
    >>> float(accuracy.result())
    0.5
    """

    def __init__(self, name: str = "accuracy", dtype=None):
        super().__init__(_is_highest, name=name, dtype=dtype)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


def _is_highest(y_true, y_pred):
    chosen = ops.take_along_axis(y_pred, ops.expand_dims(ops.cast(y_true, "int32"), -1), axis=-1)
    return ops.cast(chosen[..., 0] >= ops.max(y_pred, axis=-1), "float32")
