"""Batches of about equal work, for predictions."""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_bert.data.inputs import INPUTS, check_names, checked_features, row_count
from keras_bert.data.steps import without_autotuning
from keras_bert.text.preprocessor import BertPreprocessor

_PORTION = 16384
_TOKENS_PER_BATCH = 2048
_GROUP_ROWS = 256
_GROUP_BYTES = 2**20


def portions(
    x, preprocessor: BertPreprocessor | None, pairs: bool | None = None, check: Callable = checked_features
):
    """Cuts what is to be predicted into portions that fit into memory; within one, texts are sorted by length.

    Args:
        x: texts, pairs, a dict of arrays, or a `tf.data.Dataset` of them, batched or not, with or without labels.
        preprocessor: `BertPreprocessor`, or None where `x` holds encoder inputs.
        pairs: bool, or None. False for a model of single texts: two strings of a dataset are then a text and a label.
        check: callable of an `x` that is no dataset; gives tensors, or refuses it.

    Yields:
        Dicts of encoder inputs, or tuples of string tensors, of at most 16,384 rows; none is empty.

    Raises:
        ValueError: texts for a model without a preprocessor, or inputs that do not fit together.
    """
    if isinstance(x, tf.data.Dataset):
        parts = _dataset_portions(x, pairs)
    else:
        features = check(x)
        rows = row_count(features)
        parts = (
            tf.nest.map_structure(lambda t, low=low: t[low : low + _PORTION], features)
            for low in range(0, rows, _PORTION)
        )
    for part in parts:
        if not isinstance(part, dict) and preprocessor is None:
            raise ValueError("A model without a preprocessor takes dicts of encoder inputs. Received: texts.")
        part = check(part)
        yield part if isinstance(part, (dict, tuple)) else (part,)


def _dataset_portions(dataset, pairs):
    spec = dataset.element_spec
    is_pair = isinstance(spec, tuple) and len(spec) == 2 and pairs is not False
    is_pair = is_pair and all(isinstance(part, tf.TensorSpec) and part.dtype == tf.string for part in spec)
    if isinstance(spec, tuple) and not is_pair:  # (x, y) or (x, y, sample_weight): only x counts
        dataset = dataset.map(lambda x, *_: x)
        spec = spec[0]
    if isinstance(spec, dict):
        check_names(spec)
        if spec[INPUTS[0]].shape.rank == 1:
            dataset = dataset.map(lambda x: {name: x[name][tf.newaxis] for name in INPUTS})
        yield from dataset
        return
    if tf.nest.flatten(spec)[0].shape.rank == 1:
        dataset = dataset.unbatch()
    yield from dataset.batch(_PORTION)


def context_groups(x, preprocessor: BertPreprocessor | None):
    """Cuts pairs of texts into groups whose windows fit into memory.

    Args:
        x: as in `portions`.
        preprocessor: `BertPreprocessor`, or None.

    Yields:
        Pairs of string tensors; none is empty.

    Raises:
        ValueError: single texts.
    """
    for segments in portions(x, preprocessor, pairs=True):
        if len(segments) != 2:
            raise ValueError("Inputs must be pairs: (questions, contexts). Received: single texts.")
        # A group ends before the context that would make it too large: the same group, the same number.
        sizes = np.cumsum(tf.strings.length(segments[1]).numpy() + _GROUP_BYTES // _GROUP_ROWS)
        group = (sizes - 1) // _GROUP_BYTES
        bounds = [0, *(np.flatnonzero(np.diff(group)) + 1), len(group)]
        for low, high in zip(bounds[:-1], bounds[1:], strict=True):
            yield tuple(segment[low:high] for segment in segments)


def row_batches(inputs: dict, batch_size: int | None, trim: bool):
    """Makes batches of rows, longest first.

    Args:
        inputs: dict of int tensors `(n, T)`, the encoder's.
        batch_size: int, or None: about 2,048 tokens a batch.
        trim: bool. Cuts a batch to its longest row.

    Returns:
        `tf.data.Dataset` of dicts, and the order `(n,)` in which it gives the rows.
    """
    rows, width = inputs["token_ids"].shape
    lengths = tf.reduce_sum(inputs["padding_mask"], axis=1).numpy() if trim else np.full(rows, width, "int32")
    order = np.argsort(-lengths, kind="stable")
    bounds = batch_bounds(lengths[order], batch_size)
    widths = lengths[order[bounds[:-1]]]
    inputs = {name: tf.gather(part, order) for name, part in inputs.items()}

    @tf.autograph.experimental.do_not_convert
    def cut(low, high, width):
        return {name: part[low:high, :width] for name, part in inputs.items()}

    batches = tf.data.Dataset.from_tensor_slices((bounds[:-1], bounds[1:], widths)).map(cut)
    return without_autotuning(batches), order


def prediction_batches(features, preprocessor, batch_size: int | None, padding: str | None):
    """Makes the batches of a portion: texts sorted by length, so that hardly any of a batch is padding.

    Args:
        features: dict of encoder inputs, or tuple of string tensors.
        preprocessor: `BertPreprocessor`, or what else has its `tokenize`, `lengths` and `pack`; None for encoder
            inputs.
        batch_size: int, or None: about 2,048 tokens a batch.
        padding: str, or None: in the place of the preprocessor's own.

    Returns:
        `tf.data.Dataset` of dicts, and the order `(n,)` in which it gives the rows.
    """
    if isinstance(features, dict):
        rows = row_count(features)
        if batch_size is None:
            batch_size = max(1, _TOKENS_PER_BATCH // max(1, math.prod(features["token_ids"].shape[1:])))
        return tf.data.Dataset.from_tensor_slices(features).batch(batch_size), np.arange(rows)
    return packed_batches(preprocessor.tokenize(features), preprocessor, batch_size, padding)


def packed_batches(
    segments: tuple,
    preprocessor,
    batch_size: int | None,
    padding: str | None,
    *,
    texts=None,
    finish: Callable | None = None,
):
    """Makes batches of texts that are cut into tokens, longest first.

    Args:
        segments: tuple of one or two ragged int32 tensors `(n, (T))`.
        preprocessor: `BertPreprocessor`, or what else has its `lengths` and `pack`.
        batch_size: int, or None: about 2,048 tokens a batch.
        padding: str, or None: in the place of the preprocessor's own.
        texts: int array `(R,)`, optional. Which of the `n` texts each row shows; by default each is shown once.
        finish: callable, optional. Of a batch's dict and the numbers of its rows; gives the element of the dataset.

    Returns:
        `tf.data.Dataset` of dicts, and the order `(R,)` in which it gives the rows.
    """
    lengths = preprocessor.lengths(segments, padding)
    texts = np.arange(len(lengths)) if texts is None else texts
    order = np.argsort(-lengths[texts], kind="stable")
    bounds = batch_bounds(lengths[texts][order], batch_size)
    rows, texts = tf.constant(order), tf.constant(texts)

    @tf.autograph.experimental.do_not_convert
    def pack(low, high):
        numbers = rows[low:high]
        shown = tf.gather(texts, numbers)
        inputs = preprocessor.pack(tuple(tf.gather(segment, shown) for segment in segments), padding)
        return inputs if finish is None else finish(inputs, numbers)

    dataset = tf.data.Dataset.from_tensor_slices((bounds[:-1], bounds[1:])).map(pack, tf.data.AUTOTUNE)
    return without_autotuning(dataset.prefetch(tf.data.AUTOTUNE)), order


def batch_bounds(lengths, batch_size: int | None) -> list[int]:
    """Cuts rows, longest first, into batches of about as many tokens.

    Args:
        lengths: int array `(n,)`, falling.
        batch_size: int, or None: about 2,048 tokens a batch.

    Returns:
        List of int: where the batches begin, and `n`.

    Example:
    >>> batch_bounds(np.array([1024, 1024, 3, 2]), None)
    [0, 2, 4]
    """
    bounds = [0]
    while bounds[-1] < len(lengths):
        longest = int(lengths[bounds[-1]])
        bounds.append(min(len(lengths), bounds[-1] + (batch_size or max(1, _TOKENS_PER_BATCH // longest))))
    return bounds
