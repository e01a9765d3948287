"""What a user passes as `x`: texts, pairs of texts, or the encoder's inputs, checked at the border."""

import numbers
from collections.abc import Sequence

import tensorflow as tf

from keras_bert.text.preprocessor import as_segments

INPUTS = ("token_ids", "segment_ids", "padding_mask")
MASKS = ("mask_positions", "mask_ids", "mask_weights")


def checked_features(x):
    """Checks texts or ready inputs.

    Args:
        x: texts, pairs, or a dict of arrays.

    Returns:
        Dict of tensors, a string tensor `(n,)`, or a tuple of two.

    Raises:
        ValueError: an input is missing, or they do not fit together.
    """
    if not isinstance(x, dict):
        segments = as_segments(x)
        return segments if len(segments) == 2 else segments[0]
    return ready_inputs(x, ("rows", "tokens"))


def ready_inputs(x: dict, axes: tuple[str | int, ...]) -> dict:
    """Checks ready inputs.

    Args:
        x: dict of arrays.
        axes: tuple of str or int. What the axes of each array are, or how long they must be.

    Returns:
        dict of int32 tensors.

    Raises:
        ValueError: an input is missing, or they do not fit together.
    """
    check_names(x)
    features = {name: tf.cast(tf.convert_to_tensor(x[name]), tf.int32) for name in INPUTS}
    shapes = {name: tuple(tensor.shape) for name, tensor in features.items()}
    shape = shapes["token_ids"]
    fits = len(shape) == len(axes) and all(isinstance(axis, str) or axis == size for axis, size in zip(axes, shape))
    if len(set(shapes.values())) != 1 or not fits:
        raise ValueError(f"Ready inputs must have one shape, ({', '.join(map(str, axes))}). Received: {shapes}.")
    return features


def check_names(x: dict, more: Sequence[str] = ()) -> None:
    """Refuses ready inputs, or their specs, that are not complete.

    Args:
        x: dict.
        more: sequence of str, default (). What must be there beside the encoder's inputs.

    Raises:
        ValueError: an input is missing.
    """
    missing = [name for name in (*INPUTS, *more) if name not in x]
    if missing:
        maker = ": the preprocessor makes them" if set(missing) <= set(INPUTS) else ""
        raise ValueError(
            f"Ready inputs must hold {', '.join((*INPUTS, *more))}. Received: {', '.join(map(str, x))}. "
            f"Add {', '.join(missing)}{maker}."
        )


def single_texts(x) -> tf.Tensor:
    """Checks the texts of a task that takes no pairs.

    Args:
        x: texts, or a tuple that holds them.

    Returns:
        String tensor `(n,)`.

    Raises:
        ValueError: pairs, or elements that are not strings.
    """
    segments = as_segments(x)
    if len(segments) != 1:
        raise ValueError("Inputs must be single texts. Received: pairs. Pass a list of str.")
    return segments[0]


def holds_pairs(x) -> bool | None:
    """Tells whether examples are pairs of texts.

    Args:
        x: as in `batches`.

    Returns:
        bool; None for encoder inputs.
    """
    if isinstance(x, tf.data.Dataset):
        x = x.element_spec[0] if isinstance(x.element_spec, tuple) else x.element_spec
        return None if isinstance(x, dict) else isinstance(x, tuple)
    return None if isinstance(x, dict) else len(as_segments(x)) == 2


def gives_ready_inputs(dataset: tf.data.Dataset) -> bool:
    """Tells whether a dataset gives the encoder's inputs, and not texts.

    Args:
        dataset: `tf.data.Dataset` of inputs, or of (inputs, labels).

    Returns:
        bool.
    """
    spec = dataset.element_spec
    return isinstance(spec[0] if isinstance(spec, tuple) else spec, dict)


def row_count(features) -> int:
    """Counts examples.

    Args:
        features: what `checked_features` gives.

    Returns:
        int.
    """
    return int(tf.nest.flatten(features)[0].shape[0])


def check_counts(**counts) -> None:
    """Refuses numbers of things that are no whole numbers, or below 1.

    Args:
        **counts: by the arguments' names; None is not checked.

    Raises:
        ValueError: naming them.
    """
    for name, count in counts.items():
        if count is not None and (not isinstance(count, numbers.Integral) or count < 1):
            raise ValueError(f"`{name}` must be a whole number of at least 1. Received: {count!r}.")
