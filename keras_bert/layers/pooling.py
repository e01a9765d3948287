"""From the vectors of a text's tokens to one vector of the text."""

from keras import ops

# Below every vector's components.
_LEAST = -1e9


def mean_of_tokens(hidden, padding_mask):
    """Takes the mean of the real tokens.

    Args:
        hidden: float tensor `(B, T, H)`, 0 at padding.
        padding_mask: int tensor `(B, T)`; 0 is padding.

    Returns:
        Float tensor `(B, H)`; 0 for a row of padding only.
    """
    count = ops.sum(ops.cast(ops.not_equal(padding_mask, 0), hidden.dtype), axis=1, keepdims=True)
    return ops.sum(hidden, axis=1) / ops.maximum(count, 1.0)


def max_of_tokens(hidden, padding_mask):
    """Takes the greatest of the real tokens, component by component.

    Args:
        hidden: float tensor `(B, T, H)`.
        padding_mask: int tensor `(B, T)`; 0 is padding.

    Returns:
        Float tensor `(B, H)`; 0 for a row of padding only.
    """
    is_real = ops.expand_dims(ops.not_equal(padding_mask, 0), -1)
    greatest = ops.max(ops.where(is_real, hidden, _LEAST), axis=1, initial=_LEAST)
    return ops.where(ops.any(is_real, axis=1), greatest, 0.0)


def unit_length(vectors):
    """Scales vectors to length 1.

    Args:
        vectors: float tensor `(..., H)`.

    Returns:
        Float tensor `(..., H)`; a vector of 0 stays one, and so does its gradient.
    """
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors * ops.rsqrt(ops.maximum(squares, 1e-24))
