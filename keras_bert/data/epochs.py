"""The data of a training as epochs: each a function of its number and a seed, so that any step can be found again."""

from collections.abc import Callable

import tensorflow as tf

from keras_bert.data.inputs import row_count
from keras_bert.data.steps import without_autotuning


def endless(of_epoch: Callable, first_step: int = 0, seed: tuple[int, int] | None = None) -> tf.data.Dataset:
    """Joins epochs without end, from any step on.

    Args:
        of_epoch: callable of the number of an epoch, int or int tensor, and of the seed; gives a `tf.data.Dataset` of
            batches.
        first_step: int, default 0. Number of the first batch, counted over all epochs.
        seed: two ints, optional. Draws the order of each epoch; without it all keep that of the data.

    Returns:
        `tf.data.Dataset`. Where the steps of an epoch are not known, those before `first_step` are read and dropped.

    Raises:
        ValueError: an epoch holds nothing.
    """
    first = of_epoch(0, seed)
    steps = int(first.cardinality())
    if steps == tf.data.UNKNOWN_CARDINALITY and next(iter(first), None) is None:  # it would be looked through for ever
        raise ValueError("There must be at least one example. Received: a dataset without any.")
    epoch, skipped = divmod(first_step, steps) if steps > 0 else (0, first_step)
    batches = tf.data.Dataset.range(epoch, 2**31).flat_map(lambda number: of_epoch(number, seed)).skip(skipped)
    # Keras asks, and would take it for one that may end.
    return without_autotuning(without_end(batches).prefetch(tf.data.AUTOTUNE))


def without_end(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Tells a dataset that it never ends.

    Args:
        dataset: `tf.data.Dataset`.

    Returns:
        `tf.data.Dataset`.
    """
    return dataset.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))


def drawn_batches(parts, batch_size: int, epoch=0, seed: tuple[int, int] | None = None) -> tf.data.Dataset:
    """Gives every row of arrays once, in batches.

    Args:
        parts: nested arrays or tensors of as many rows, ragged ones too.
        batch_size: int.
        epoch: int or int tensor, default 0.
        seed: two ints, optional. Draws another order in each epoch; without it rows stay in order.

    Returns:
        `tf.data.Dataset` of `parts`, `batch_size` rows of each; the last batch may have fewer.
    """
    parts = tf.nest.map_structure(lambda part: part if tf.is_tensor(part) else tf.convert_to_tensor(part), parts)
    places = tf.range(row_count(parts))
    if seed is not None:
        places = tf.random.experimental.stateless_shuffle(places, fold_seed(seed, epoch))

    @tf.autograph.experimental.do_not_convert
    def rows(places):
        return tf.nest.map_structure(lambda part: tf.gather(part, places), parts)

    return tf.data.Dataset.from_tensor_slices(places).batch(batch_size).map(rows, tf.data.AUTOTUNE)


def drawn_rows(batches: tf.data.Dataset, group: int, epoch, seed: tuple[int, int]) -> tf.data.Dataset:
    """Gives rows in another order: that of groups stays, within one it is drawn.

    Args:
        batches: `tf.data.Dataset` of nested tensors of as many rows.
        group: int. Rows among which is drawn.
        epoch: int or int tensor.
        seed: two ints.

    Returns:
        `tf.data.Dataset` of the same, `group` rows at a time.
    """

    @tf.autograph.experimental.do_not_convert
    def draw(number, rows):
        count = tf.shape(tf.nest.flatten(rows)[0])[0]
        order = tf.random.experimental.stateless_shuffle(tf.range(count), fold_seed(seed, epoch, number))
        return tf.nest.map_structure(lambda part: tf.gather(part, order), rows)

    return batches.rebatch(group).enumerate().map(draw, tf.data.AUTOTUNE)


def fold_seed(seed, *numbers):
    """Makes the seed of a part: other numbers, another seed.

    Args:
        seed: two ints, or an int64 tensor `(2,)`.
        *numbers: int or int tensor. Of the epoch, of the step in it, ...

    Returns:
        int64 tensor `(2,)`.
    """
    seed = tf.cast(seed, tf.int64)
    for number in numbers:
        seed = tf.random.experimental.stateless_fold_in(seed, tf.cast(number, tf.int64))
    return seed
