"""Moves between questions with their choices and the rows that the encoder reads, one a choice."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_bert")
class ChoiceRows(keras.layers.Layer):
    """Makes every choice of a batch a row of its own.

    Args:
        **kwargs: `keras.layers.Layer`'s.

    Call arguments:
        x: int tensor `(B, N choices, T)`.

    Returns:
        Int tensor `(B * N, T)`.

    Example:
    >>> ChoiceRows()(np.ones((2, 4, 7), "int32")).shape
    TensorShape([8, 7])
    """

    def call(self, x):
        rows, choices, length = ops.shape(x)
        return ops.reshape(x, (rows * choices, length))

    def compute_output_spec(self, x):
        return keras.KerasTensor((None, x.shape[2]), x.dtype)

    def get_config(self):
        return super().get_config()


@keras.saving.register_keras_serializable("keras_bert")
class ChoiceScores(keras.layers.Layer):
    """Puts the scores of a question's choices side by side.

    Args:
        **kwargs: `keras.layers.Layer`'s.

    Call arguments:
        scores: float tensor `(B * N choices, 1)`.
        x: tensor `(B, N, T)`, what `ChoiceRows` made the rows of.

    Returns:
        Float tensor `(B, N)`.

    Example:
    >>> ChoiceScores()(np.ones((8, 1)), np.ones((2, 4, 7))).shape
    TensorShape([2, 4])
    """

    def call(self, scores, x):
        rows, choices, _ = ops.shape(x)
        return ops.reshape(scores, (rows, choices))

    def compute_output_spec(self, scores, x):
        return keras.KerasTensor(x.shape[:2], self.compute_dtype)

    def get_config(self):
        return super().get_config()
