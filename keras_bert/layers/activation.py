"""The two GELUs under one name each."""

import keras


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
    if name == "gelu_approximate":
        return gelu_approximate
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
def gelu_approximate(x):
    """GELU in its tanh approximation, that of Google's released BERT."""
    return keras.activations.gelu(x, approximate=True)
