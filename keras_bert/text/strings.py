"""The border where a user's texts become string tensors."""

import numpy as np
import tensorflow as tf


def string_tensor(texts, name: str = "texts") -> tf.Tensor:
    """Turns texts into a string tensor, or says which of them is none.

    Args:
        texts: str, bytes, a list, tuple, NumPy array or pandas Series of them, or a string tensor `()` or `(B,)`.
        name: str. What the error calls them.

    Returns:
        String tensor `()` or `(B,)`. What UTF-8 cannot encode (lone surrogates)
        becomes U+FFFD, so that places in the text stay.

    Raises:
        ValueError: an element is not a string, or the rank is above 1.

    Example:
    >>> string_tensor(["one", b"two"]).numpy()
    array([b'one', b'two'], dtype=object)
    """
    if not tf.is_tensor(texts):
        texts = _convert(texts, name)
    if texts.dtype != tf.string:
        raise ValueError(f"`{name}` must be strings. Received: a tensor of {texts.dtype.name}.")
    if texts.shape.rank is not None and texts.shape.rank > 1:
        raise ValueError(
            f"`{name}` must be one string or a flat list of them. Received: shape {tuple(texts.shape)}. "
            "Pass pairs of texts as a tuple of two lists, (a, b)."
        )
    # A shape that is not known, as behind `tf.py_function`, is taken for a batch.
    return tf.ensure_shape(texts, (None,)) if texts.shape.rank is None else texts


def _convert(texts, name):
    if isinstance(texts, (str, bytes)):
        return tf.constant(_encoded(texts))
    if not isinstance(texts, (list, tuple)):
        if texts is None or np.ndim(texts) == 0:
            raise ValueError(f"`{name}` must be strings. Received: {_shown(texts)}. Pass a list of str.")
        # By way of a list: NumPy's fixed-width strings would lose NULs at the end.
        texts = np.asarray(texts).tolist()
    if not len(texts):
        return tf.zeros((0,), tf.string)
    try:
        return tf.convert_to_tensor(texts, tf.string)
    except (TypeError, ValueError, UnicodeEncodeError):
        pass
    for index, text in enumerate(texts):
        if not isinstance(text, (str, bytes)):
            raise ValueError(f"`{name}` must be strings. Received: {_shown(text)} at index {index}.")
    return tf.convert_to_tensor([_encoded(text) for text in texts], tf.string)


def _encoded(text):
    if isinstance(text, bytes):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode("utf-8")


def _shown(text):
    return f"{text!r:.60} ({type(text).__name__})"
