"""Examples to batches of windows, the same way for every task that says something about tokens."""

from collections.abc import Callable

import tensorflow as tf

from keras_bert.data.examples import fill_up
from keras_bert.data.steps import with_known_steps, without_autotuning

# Windows among which the next is drawn; the examples themselves are shuffled before.
_SHUFFLED = 2048


def windowed_batches(
    examples: tf.data.Dataset,
    cut: Callable,
    *,
    batch_size: int,
    shuffle: bool,
    trim: bool,
    rows_multiple: int = 1,
) -> tf.data.Dataset:
    """Makes batches of windows from batches of examples.

    Args:
        examples: `tf.data.Dataset` of batches of examples.
        cut: callable of what a batch holds; gives (encoder inputs, labels, weights) of its windows, of one width.
        batch_size: int. Windows of a batch.
        shuffle: bool. Another order every epoch.
        trim: bool. Cuts a batch, and what of labels and weights is as wide, to its longest row.
        rows_multiple: int, default 1. Rows of weight 0 fill batches up to a multiple.

    Returns:
        `tf.data.Dataset` of (encoder inputs, labels, weights).
    """

    @tf.autograph.experimental.do_not_convert
    def finish(*example):
        if trim:
            width = tf.reduce_max(tf.reduce_sum(example[0]["padding_mask"], axis=1))
            example = tf.nest.map_structure(lambda part: part[:, :width] if part.shape.rank > 1 else part, example)
        return example if rows_multiple == 1 else fill_up(example, rows_multiple)

    cut = tf.autograph.experimental.do_not_convert(cut)
    rows = examples.map(cut, tf.data.AUTOTUNE).unbatch()
    if shuffle:
        rows = rows.shuffle(_SHUFFLED)
    batches = rows.batch(batch_size).map(finish, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    batches = without_autotuning(batches)
    return with_known_steps(batches) if int(examples.cardinality()) >= 0 else batches
