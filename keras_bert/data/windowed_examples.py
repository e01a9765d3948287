"""Examples to batches of windows, the same way for every task that says something about tokens."""

from collections.abc import Callable

import tensorflow as tf

from keras_bert.data.epochs import drawn_batches, drawn_rows
from keras_bert.data.examples import fill_up
from keras_bert.data.steps import with_known_steps, without_autotuning

_EXAMPLES = 32  # cut into windows at once
_GROUP = 2048  # windows among which the next is drawn; the examples themselves are drawn before


def windowed_epochs(
    examples: tf.data.Dataset | tuple,
    cut: Callable,
    *,
    batch_size: int,
    trim: bool,
    rows_multiple: int = 1,
) -> Callable:
    """Makes what gives the windows of any epoch in batches.

    Args:
        examples: tuple of arrays or tensors of as many rows, ragged ones too; or a `tf.data.Dataset` of batches of
            them, which keeps its order.
        cut: callable of what a batch holds; gives (encoder inputs, labels, weights) of its windows, of one width.
        batch_size: int. Windows of a batch.
        trim: bool. Cuts a batch, and what of labels and weights is as wide, to its longest row.
        rows_multiple: int, default 1. Rows of weight 0 fill batches up to a multiple.

    Returns:
        Callable of the number of an epoch and a seed, as `drawn_batches` takes them. Gives a `tf.data.Dataset` of
        (encoder inputs, labels, weights).
    """

    @tf.autograph.experimental.do_not_convert
    def finish(*example):
        if trim:
            width = tf.reduce_max(tf.reduce_sum(example[0]["padding_mask"], axis=1))
            example = tf.nest.map_structure(lambda part: part[:, :width] if part.shape.rank > 1 else part, example)
        return example if rows_multiple == 1 else fill_up(example, rows_multiple)

    cut = tf.autograph.experimental.do_not_convert(cut)
    is_dataset = isinstance(examples, tf.data.Dataset)
    size = int(examples.cardinality()) if is_dataset else len(examples[-1])

    def windows(epoch, seed):
        drawn = examples if is_dataset else drawn_batches(examples, _EXAMPLES, epoch, seed)
        rows = drawn.map(cut, tf.data.AUTOTUNE)
        return rows if is_dataset or seed is None else drawn_rows(rows, _GROUP, epoch, seed)

    def of_epoch(epoch=0, seed=None):
        batches = windows(epoch, seed).rebatch(batch_size).map(finish, tf.data.AUTOTUNE)
        if steps is not None:
            batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
        return without_autotuning(batches.prefetch(tf.data.AUTOTUNE))

    # `rebatch` forgets how many there are: counted once, in order, it holds for every epoch.
    steps = tf.data.INFINITE_CARDINALITY if size == tf.data.INFINITE_CARDINALITY else None
    steps = int(with_known_steps(of_epoch()).cardinality()) if size >= 0 else steps
    return of_epoch
