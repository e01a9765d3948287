"""Layer normalization in few operations."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_bert")
class LayerNormalization(keras.layers.LayerNormalization):
    """Centres each vector, scales it to variance 1, then by `gamma`, and adds `beta`; in float32 at least.

    Keras' layer in nine operations in the place of fifteen: what a short text waits for is the number of operations.

    Args:
        **kwargs: `keras.layers.LayerNormalization`'s; the last axis is normed.

    Call arguments:
        inputs: float tensor `(..., H)`.

    Returns:
        Float tensor `(..., H)`.

    Example:
    >>> LayerNormalization(epsilon=0.0)(np.array([[1.0, 3.0]])).numpy()
    array([[-1.,  1.]], dtype=float32)

    Reference:
        Ba et al., 2016 (https://arxiv.org/abs/1607.06450).
    """

    def call(self, inputs):
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        x = ops.cast(inputs, dtype)
        centred = x - ops.mean(x, axis=-1, keepdims=True)
        variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
        scale = ops.rsqrt(variance + self.epsilon) * ops.cast(self.gamma, dtype)
        return ops.cast(ops.cast(self.beta, dtype) + centred * scale, self.compute_dtype)
