"""The two GELUs under one name each."""

import math

import keras
from keras import ops


def activation_function(name: str):
    """Finds the function behind an activation's name.

    BERT's papers' code uses the tanh approximation of GELU, Hugging Face's the exact one: they differ by up to 5e-4,
    so the name says which.

    Args:
        name: str. "gelu" (exact), "gelu_approximate" (tanh) or another activation of Keras.

    Returns:
        Callable of one tensor.

    Raises:
        ValueError: Keras knows no such activation.

    Example:
    >>> [round(float(activation_function(name)(1.0)), 4) for name in ("gelu", "gelu_approximate")]
    [0.8413, 0.8412]

    Reference:
        Hendrycks and Gimpel, 2016 (https://arxiv.org/abs/1606.08415).
    """
    own = {"gelu": gelu, "gelu_approximate": gelu_approximate}
    if name in own:
        return own[name]
    try:
        function = keras.activations.get(name) if isinstance(name, str) else None
    except ValueError:
        function = None
    if function is None:
        raise ValueError(
            "`activation` must be the name of a Keras activation or 'gelu_approximate'. "
            f"Received: activation={name!r}. Use 'gelu', BERT's own."
        )
    return function


@keras.saving.register_keras_serializable("keras_bert")
def gelu(x):
    """GELU, exact. By erf in float32: half the time of Keras' own, by erfc, and in bfloat16 more exact."""
    x = ops.convert_to_tensor(x)
    y = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
    return ops.cast(y * 0.5 * (1.0 + ops.erf(y * math.sqrt(0.5))), x.dtype)


@keras.saving.register_keras_serializable("keras_bert")
def gelu_approximate(x):
    """GELU in its tanh approximation, that of Google's released BERT."""
    return keras.activations.gelu(x, approximate=True)
