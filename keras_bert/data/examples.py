"""From what a user passes to `fit`, `evaluate` and `predict` to batches of encoder inputs."""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_bert.data.epochs import drawn_batches
from keras_bert.data.inputs import INPUTS, check_names, checked_features, row_count
from keras_bert.data.steps import without_autotuning


def example_epochs(
    x,
    y=None,
    sample_weight=None,
    *,
    preprocessor,
    encode_labels: Callable,
    check: Callable = checked_features,
    class_weight=None,
    batch_size: int | None = None,
    padding: str | None = None,
    rows_multiple: int = 1,
) -> Callable:
    """Makes what gives the batches of any epoch, from texts, ready inputs or a dataset of either.

    Args:
        x: texts, pairs `(a, b)`, a dict of arrays, or a `tf.data.Dataset` of `(x, y)` or `(x, y, sample_weight)`.
        y: labels, as the task takes them; None with a dataset.
        sample_weight: floats `(n,)`, optional.
        preprocessor: `BertPreprocessor`, or what else has its `tokenize` and `pack`; None where `x` holds encoder
            inputs.
        encode_labels: callable of an array or tensor of labels; gives numbers.
        check: callable of an `x` that is no dataset; gives tensors, or refuses it.
        class_weight: float tensor `(C,)`, optional. A weight a class, for integer labels.
        batch_size: int, default 32.
        padding: str, optional. In the place of the preprocessor's own.
        rows_multiple: int, default 1. Rows of weight 0 fill batches up to a multiple.

    Returns:
        Callable of the number of an epoch and a seed, as `drawn_batches` takes them: a dataset keeps its own order.
        Gives a `tf.data.Dataset` of (dict, labels, weights `(B,)`).

    Raises:
        ValueError: for inputs that do not fit together.
    """
    if isinstance(x, tf.data.Dataset):
        check_alone(y, sample_weight)
        dataset = _batched(x, batch_size or 32)
    else:
        x, y, sample_weight = _checked_arrays(x, y, sample_weight, check)
        parts = (x, encode_labels(y)) + (() if sample_weight is None else (sample_weight,))
        dataset = None

    @tf.autograph.experimental.do_not_convert  # nothing here needs it, and it takes seconds
    def prepare(x, y, weight=None):
        features = x if isinstance(x, dict) else _preprocess(preprocessor, x, padding)
        y = encode_labels(y)
        rows = tf.shape(features["token_ids"])[0]
        weight = tf.ones((rows,)) if weight is None else tf.cast(weight, tf.float32)
        if class_weight is not None:
            classes = tf.argmax(y, axis=1, output_type=tf.int32) if y.shape.rank == 2 else y
            weight *= tf.gather(class_weight, classes)
        example = ({name: tf.cast(features[name], tf.int32) for name in INPUTS}, y, weight)
        return example if rows_multiple == 1 else fill_up(example, rows_multiple)

    def of_epoch(epoch=0, seed=None):
        batches = drawn_batches(parts, batch_size or 32, epoch, seed) if dataset is None else dataset
        return without_autotuning(batches.map(prepare, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE))

    return of_epoch


def _preprocess(preprocessor, x, padding):
    if preprocessor is None:
        raise ValueError("A model without a preprocessor takes dicts of encoder inputs. Received: texts.")
    return preprocessor.pack(preprocessor.tokenize(x), padding)


def _checked_arrays(x, y, sample_weight, check):
    features = check(x)
    rows = row_count(features)
    if rows == 0:
        raise ValueError("There must be at least one example. Received: an empty list.")
    if y is None:
        raise ValueError("Labels must be given as `y`. Received: y=None.")
    y = as_array(y)
    check_rows("y", y, rows)
    if sample_weight is not None:
        sample_weight = checked_weights(sample_weight, rows, y.shape)
    return features, y, sample_weight


def checked_weights(sample_weight, rows: int, of_parts: tuple = ()) -> np.ndarray:
    """Checks the weights of examples.

    Args:
        sample_weight: floats `(n,)`, or None.
        rows: int, n.
        of_parts: tuple of int, optional. Another shape that is taken too: a weight for each part of an example.

    Returns:
        Float32 array `(n,)`, of ones for None.

    Raises:
        ValueError: other shapes, or what is no finite number.
    """
    if sample_weight is None:
        return np.ones(rows, "float32")
    try:
        weights = np.asarray(sample_weight, "float32")
    except (TypeError, ValueError):
        raise ValueError(f"`sample_weight` must be numbers. Received: {sample_weight!r:.80}.") from None
    check_rows("sample_weight", weights, rows)
    if weights.shape not in ((rows,), of_parts):
        raise ValueError(f"`sample_weight` must have a number for each example. Received: shape {weights.shape}.")
    if not np.isfinite(weights).all():
        row = int(np.argwhere(~np.isfinite(weights))[0][0])
        raise ValueError(f"`sample_weight` must be finite. Received: {sample_weight[row]!r} in row {row}.")
    return weights


def check_rows(name: str, part: np.ndarray, rows: int) -> None:
    """Refuses what goes with the examples if it has not as many rows.

    Args:
        name: str, the argument's.
        part: array.
        rows: int. How many examples there are.

    Raises:
        ValueError: more or fewer rows.
    """
    if part.ndim == 0 or len(part) != rows:
        found = "one value" if part.ndim == 0 else len(part)
        raise ValueError(f"`{name}` must have a row for each text. Received: {found} for {rows} texts.")


def check_alone(y, sample_weight) -> None:
    """Refuses labels and weights beside a dataset.

    Args:
        y: labels, or None.
        sample_weight: weights, or None.

    Raises:
        ValueError: one of them is there.
    """
    if y is not None or sample_weight is not None:
        raise ValueError(
            "`y` and `sample_weight` must come with the dataset, as (x, y, sample_weight). "
            "Received: a dataset and one of them. Zip them into it."
        )


def as_array(values) -> np.ndarray:
    """Makes an array of labels, of objects where they are lists of several lengths.

    Args:
        values: sequence, or an array.

    Returns:
        Array with as many rows.
    """
    try:
        return np.asarray(values)
    except ValueError:
        array = np.empty(len(values), object)
        array[:] = values
        return array


def _batched(dataset, batch_size):
    """Sees to it that a user's dataset gives batches of (x, y[, weight])."""
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise ValueError(
            "A dataset must give (x, y) or (x, y, sample_weight); pairs of texts are ((a, b), y). "
            f"Received: {spec}."
        )
    first = tf.nest.flatten(spec[0])[0]
    is_ready = isinstance(spec[0], dict)
    if is_ready:
        check_names(spec[0])
    if first.shape.rank == (1 if is_ready else 0):
        return dataset.batch(batch_size)
    return dataset


def fill_up(example, multiple: int):
    """Adds rows of weight 0, so that every replica gets as many.

    Args:
        example: (encoder inputs, labels, weights `(B,)`), nested tensors with as many rows.
        multiple: int. Of which the number of rows is to be one.

    Returns:
        The same, with more rows.
    """
    rows = tf.shape(example[2])[0]
    extra = -rows % multiple

    def pad(x):
        return tf.pad(x, [[0, extra]] + [[0, 0]] * (x.shape.rank - 1))

    return tf.nest.map_structure(pad, example)


def split(x, y, sample_weight, validation_split: float, check: Callable = checked_features):
    """Takes the last part of the examples for validation, as Keras does, before anything is shuffled.

    Args:
        x: texts, pairs, or a dict of arrays.
        y: labels.
        sample_weight: floats, or None.
        validation_split: float in (0, 1).
        check: as in `example_epochs`.

    Returns:
        Two tuples `(x, y, sample_weight)`.

    Raises:
        ValueError: for a dataset, or if one of the parts were empty.
    """
    if isinstance(x, tf.data.Dataset):
        raise ValueError("`validation_split` needs texts or arrays. Received: a dataset. Use `take` and `skip`.")
    features, y, sample_weight = _checked_arrays(x, y, sample_weight, check)
    rows = row_count(features)
    kept = math.floor(rows * (1 - validation_split))
    if not 0 < validation_split < 1 or kept in (0, rows):
        raise ValueError(
            "`validation_split` must leave examples on both sides. "
            f"Received: validation_split={validation_split} of {rows}."
        )

    def part(low, high):
        weights = None if sample_weight is None else sample_weight[low:high]
        return tf.nest.map_structure(lambda t: t[low:high], features), y[low:high], weights

    return part(0, kept), part(kept, rows)
