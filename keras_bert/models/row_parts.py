"""Rows that are computed a few at a time, so that many rows need no more memory than some."""

from collections.abc import Callable

import tensorflow as tf

from keras_bert.data.inputs import INPUTS

_ROWS = 16


def compute_in_parts(compute: Callable, inputs: dict, outputs, rows=_ROWS):
    """Computes a few rows at a time, longest first, in the graph of an export.

    Args:
        compute: callable of a dict of inputs of some rows, cut to the longest of them; gives nested tensors `(rows,
            ...)`, of one shape but for the rows.
        inputs: dict of int tensors `(W, T)`, the encoder's, and others `(W, ...)`, which are not cut.
        outputs: nested `tf.TensorSpec`s of what `compute` gives.
        rows: int, or int tensor `()`, default 16.

    Returns:
        What `compute` gives, of all rows.
    """
    lengths = tf.reduce_sum(inputs["padding_mask"], axis=1)
    order = tf.argsort(lengths, direction="DESCENDING")
    inputs = {name: tf.gather(part, order) for name, part in inputs.items()}
    lengths = tf.gather(lengths, order)

    def step(i, *arrays):
        part = slice(i * rows, (i + 1) * rows)
        longest = tf.reduce_max(tf.concat([lengths[part], [1]], 0))
        some = {name: x[part, :longest] if name in INPUTS else x[part] for name, x in inputs.items()}
        found = tf.nest.flatten(compute(some))
        return i + 1, *(array.write(i, x) for array, x in zip(arrays, found, strict=True))

    count = tf.maximum(1, (tf.size(order) + rows - 1) // rows)
    arrays = [
        tf.TensorArray(spec.dtype, count, infer_shape=False, element_shape=spec.shape)
        for spec in tf.nest.flatten(outputs)
    ]
    _, *arrays = tf.while_loop(lambda i, *_: i < count, step, (0, *arrays), parallel_iterations=1)
    back = tf.math.invert_permutation(order)
    return tf.nest.pack_sequence_as(outputs, [tf.gather(array.concat(), back) for array in arrays])
