"""What tells one training set from another."""

import hashlib
import json

import numpy as np
import tensorflow as tf

_BATCHES = 3


def fingerprint(x, y=None, sample_weight=None) -> str:
    """Digests examples.

    Args:
        x: texts, pairs, a dict of arrays, or a `tf.data.Dataset`, of which the first three elements count.
        y: labels, optional.
        sample_weight: floats, optional.

    Returns:
        str, 16 hexadecimal digits: others for other examples, also in another order.

    Raises:
        ValueError: a dataset that gives others each time.

    Example:
    >>> fingerprint(["a fine film", "a bore"], [1, 0])
    '1f657f235852ab04'
    """
    if not isinstance(x, tf.data.Dataset):
        return _digest((x, y, sample_weight))
    found, again = (_digest(list(x.take(_BATCHES))) for _ in range(2))
    if found != again:
        raise ValueError(
            "To go on where it was, a training needs data that comes in the same order each time. Received: a dataset "
            "that gives other elements when it is read again. Pass lists, which are shuffled anew in each epoch and "
            "found again; or use .shuffle(n, seed=..., reshuffle_each_iteration=False)."
        )
    return found


def _digest(value):
    digest = hashlib.sha256()
    _update(digest, value)
    return digest.hexdigest()[:16]


def _update(digest, value):
    """Adds a value with its kind and length, so that no two values read the same."""
    if isinstance(value, tf.RaggedTensor):
        value = (value.flat_values, *value.nested_row_splits)
    if isinstance(value, dict):
        value = sorted(value.items())
    elif isinstance(value, (set, frozenset)):  # whose order is another one in each process
        value = sorted(value, key=str)
    elif tf.is_tensor(value):
        value = value.numpy()
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        digest.update(b"s%d:" % len(value))
        digest.update(value)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        digest.update(f"{value.dtype.str}{value.shape}:".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (list, tuple)) or hasattr(value, "__len__"):
        digest.update(b"l%d:" % len(value))
        for part in value:
            _update(digest, part)
    else:
        digest.update(b"r" + json.dumps(value, default=str).encode())
