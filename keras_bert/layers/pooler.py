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
    """Parts what was computed for lists of positions at once, and lays it out in rows.

    Args:
        **kwargs: `keras.layers.Layer`'s.

    Call arguments:
        hidden: float tensor `(B * P, H)`, of the positions of all lists, row by row.
        lists: list of int tensors `(B, K)` of positions; P is the sum of their K.

    Returns:
        List of float tensors `(B, K, H)`, one for each list.

    Example:
    >>> first, second = SplitPositions()(np.ones((10, 12)), [np.zeros((2, 1)), np.zeros((2, 4))])
    >>> first.shape, second.shape
    (TensorShape([2, 1, 12]), TensorShape([2, 4, 12]))
    """

    def call(self, hidden, lists):
        sizes = [ops.shape(positions)[1] for positions in lists]
        hidden = ops.reshape(hidden, (ops.shape(lists[0])[0], sum(sizes), hidden.shape[-1]))
        parts, begin = [], 0
        for size in sizes:
            parts.append(hidden[:, begin : begin + size])
            begin += size
        return parts

    def compute_output_spec(self, hidden, lists):
        return [keras.KerasTensor((*x.shape, hidden.shape[-1]), self.compute_dtype) for x in lists]

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
