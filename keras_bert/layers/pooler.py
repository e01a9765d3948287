"""The ways out of the encoder: all tokens in their places, some positions, and one vector a text."""

import keras
from keras import ops

from keras_bert.layers.gathering import pad


@keras.saving.register_keras_serializable("keras_bert")
class Padding(keras.layers.Layer):
    """Puts the tokens' vectors back in their places, with 0 at padding.

    Args:
        **kwargs: `keras.layers.Layer`'s.

    Call arguments:
        hidden: float tensor `(N, H)`.
        layout: dict of `Unpadding`.

    Returns:
        Float tensor `(B, T, H)`.

    Example:
    >>> from keras_bert.layers.unpadding import Unpadding
    >>> layout = Unpadding(num_heads=3)(np.array([[1, 1, 1, 0], [1, 1, 0, 0]]))
    >>> Padding()(np.ones((5, 1)), layout)[:, :, 0].numpy()
    array([[1., 1., 1., 0.],
           [1., 1., 0., 0.]], dtype=float32)
    """

    def call(self, hidden, layout):
        return pad(hidden, layout)

    def get_config(self):
        return super().get_config()

    def compute_output_spec(self, hidden, layout):
        rows, length = layout["is_real"].shape
        return keras.KerasTensor((rows, length, hidden.shape[-1]), self.compute_dtype)


@keras.saving.register_keras_serializable("keras_bert")
class SplitPositions(keras.layers.Layer):
    """Parts what was computed for two lists of positions at once.

    Args:
        **kwargs: `keras.layers.Layer`'s.

    Call arguments:
        hidden: float tensor `(B * (K + P), H)`, of the positions of both lists, row by row.
        first: int tensor `(B, K)` of positions.
        second: int tensor `(B, P)` of positions.

    Returns:
        Float tensors `(B, K, H)` and `(B, P, H)`.

    Example:
    >>> first, second = SplitPositions()(np.ones((10, 12)), np.zeros((2, 1)), np.zeros((2, 4)))
    >>> first.shape, second.shape
    (TensorShape([2, 1, 12]), TensorShape([2, 4, 12]))
    """

    def call(self, hidden, first, second):
        rows, cut = ops.shape(first)
        hidden = ops.reshape(hidden, (rows, cut + ops.shape(second)[1], hidden.shape[-1]))
        return hidden[:, :cut], hidden[:, cut:]

    def compute_output_spec(self, hidden, first, second):
        return tuple(keras.KerasTensor((*x.shape, hidden.shape[-1]), self.compute_dtype) for x in (first, second))

    def get_config(self):
        return super().get_config()


@keras.saving.register_keras_serializable("keras_bert")
class Pooler(keras.layers.Layer):
    """Turns a text's first position, [CLS], into the vector that sentence tasks start from.

    Args:
        **kwargs: `keras.layers.Layer`'s.

    Call arguments:
        first: float tensor `(..., H)`: `sequence_output[:, 0]`, or the first positions of packed examples.

    Returns:
        Float tensor `(..., H)`, in (-1, 1).

    Example:
    >>> sequence_output = np.ones((2, 4, 12))
    >>> Pooler()(sequence_output[:, 0]).shape
    TensorShape([2, 12])

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805).
    """

    def build(self, first_shape):
        self.dense = keras.layers.Dense(
            first_shape[-1],
            activation="tanh",
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.dense.build(first_shape)

    def call(self, first):
        return self.dense(first)

    def get_config(self):
        return super().get_config()

    def compute_output_shape(self, first_shape):
        return first_shape
