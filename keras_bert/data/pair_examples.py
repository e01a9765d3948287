"""Pairs of texts, with scores or without, to batches in which each text has a row of its own."""

import numpy as np
import tensorflow as tf

from keras_bert.data.inputs import check_names, checked_features, ready_inputs
from keras_bert.text.preprocessor import BertPreprocessor, as_segments


class PairRows:
    """Does as a preprocessor does, but gives each text of a pair a row of its own.

    Args:
        preprocessor: `BertPreprocessor`.
    """

    def __init__(self, preprocessor: BertPreprocessor):
        self.preprocessor = preprocessor

    def tokenize(self, inputs) -> tuple:
        """Cuts the texts of pairs into word pieces.

        Args:
            inputs: a tuple `(a, b)` of texts `(B,)`.

        Returns:
            Tuple of two ragged int32 tensors `(B, (T))`.
        """
        return self.preprocessor.tokenize(inputs)

    def pack(self, segments: tuple, padding: str | None = None) -> dict:
        """Lays word pieces out in rows.

        Args:
            segments: tuple of two ragged int32 tensors `(B, (T))`.
            padding: str, optional. In the place of the preprocessor's own.

        Returns:
            dict of int32 tensors `(B, 2, T)`.
        """
        rows = self.preprocessor.pack((tf.concat(segments, 0),), padding)
        return {name: tf.stack(tf.split(part, 2), axis=1) for name, part in rows.items()}


def checked_pairs(x):
    """Checks pairs of texts or ready inputs.

    Args:
        x: pairs, or a dict of arrays `(n, 2, T)`.

    Returns:
        Tuple of two string tensors `(n,)`, or a dict of int32 tensors.

    Raises:
        ValueError: an input is missing, or they do not fit together.
    """
    return ready_inputs(x, ("rows", 2, "tokens")) if isinstance(x, dict) else checked_features(x)


def has_scores(x, y) -> bool:
    """Tells whether pairs come with scores.

    Args:
        x: pairs of texts, or a `tf.data.Dataset` of (a, b), ((a, b), score) or ((a, b), score, sample_weight); in the
            place of the texts ready inputs may stand.
        y: scores, or None.

    Returns:
        bool.

    Raises:
        ValueError: a dataset of something else.
    """
    if not isinstance(x, tf.data.Dataset):
        return y is not None
    spec = x.element_spec
    if isinstance(spec, tuple) and len(spec) in (2, 3) and _is_pair(spec[0]):
        return True
    if _is_pair(spec) or (isinstance(spec, tuple) and len(spec) == 1 and _is_pair(spec[0])):
        return False
    raise ValueError(
        f"A dataset must give pairs of texts, (a, b), or ((a, b), score) with a weight or without. Received: {spec}."
    )


def _is_pair(spec):
    if isinstance(spec, dict):
        check_names(spec)
        return True
    is_tuple = isinstance(spec, tuple) and len(spec) == 2
    return is_tuple and all(isinstance(part, tf.TensorSpec) and part.dtype == tf.string for part in spec)


def labelled(x, y) -> tuple:
    """Gives pairs without scores the label 1: they belong together.

    Args:
        x: as in `has_scores`.
        y: scores, or None.

    Returns:
        Tuple `(x, y, encode_labels)` as `batches` takes them. Labels are int32 without scores, else float32.

    Raises:
        ValueError: texts that are no pairs.
    """
    if not isinstance(x, (dict, tf.data.Dataset)):
        x = as_segments(x)
        if len(x) != 2:
            raise ValueError("Examples must be pairs of texts, (a, b). Received: single texts. Use `predict` on them.")
    if has_scores(x, y):
        return x, y, encode_scores
    if isinstance(x, tf.data.Dataset):
        return x.map(_with_ones), y, _as_int
    return x, np.ones(np.shape(tf.nest.flatten(x)[0])[:1], "int32"), _as_int


@tf.autograph.experimental.do_not_convert
def _with_ones(*pair):
    pair = pair[0] if len(pair) == 1 else pair
    first = tf.nest.flatten(pair)[0]
    rank = first.shape.rank - (2 if isinstance(pair, dict) else 0)
    return pair, tf.ones(tf.shape(first)[:rank], tf.int32)


def _as_int(values):
    return tf.cast(values, tf.int32)


def encode_scores(values):
    """Turns scores, cosines to be, into what the loss takes.

    Args:
        values: array or tensor `(n,)` of numbers from -1 to 1.

    Returns:
        float32 array or tensor `(n,)`.

    Raises:
        ValueError: other numbers, or none.
    """
    rule = "Scores must be numbers from -1 to 1, as cosines are."
    remedy = "Divide scores from 0 to 5 by 5, for example."
    if tf.is_tensor(values):
        scores = tf.reshape(tf.cast(values, tf.float32), (-1,))
        is_right = tf.reduce_all(tf.abs(scores) <= 1)  # NaN is not
        check = tf.debugging.Assert(is_right, [f"{rule} {remedy} Received:", scores])
        with tf.control_dependencies([] if check is None else [check]):
            return tf.identity(scores)
    try:
        scores = np.asarray(values, "float32").reshape(len(values))
    except (TypeError, ValueError):
        raise ValueError(f"{rule} Received: {values!r:.60}. {remedy}") from None
    bad = np.flatnonzero(~(np.abs(scores) <= 1))
    if bad.size:
        raise ValueError(f"{rule} Received: {values[bad[0]]} at index {bad[0]}. {remedy}")
    return scores
