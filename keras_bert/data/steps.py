"""How many batches a dataset has."""

import numpy as np
import tensorflow as tf


def with_known_steps(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Tells a dataset its number of batches, by going through the data where tf.data does not know.

    Keras learns the end of a dataset of unknown length by trying one step more: it warns that the data ran out, and the
    optimizer may count the step that did not take place.

    Args:
        dataset: `tf.data.Dataset` of as many batches each time.

    Returns:
        `tf.data.Dataset` with a `cardinality()`.

    Raises:
        ValueError: the dataset never ends, or holds nothing.
    """
    check_ends(dataset, "steps_per_epoch")
    count = int(dataset.cardinality())
    if count == tf.data.UNKNOWN_CARDINALITY:
        count = int(dataset.reduce(np.int64(0), lambda n, *_: n + 1))
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    if not count:
        raise ValueError("There must be at least one example. Received: a dataset without any.")
    return dataset


def check_ends(dataset: tf.data.Dataset, argument: str) -> None:
    """Refuses a dataset that never ends.

    Args:
        dataset: `tf.data.Dataset`.
        argument: str. What would tell how much of it to take.

    Raises:
        ValueError: it never ends.
    """
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(f"An endless dataset needs `{argument}`. Received: {argument}=None.")


def without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Keeps tf.data from tuning itself: the thread that does so sleeps ever longer, and an iterator waits for its end.

    Seen with TensorFlow 2.20 and 2.21: after an epoch of t seconds the next one began up to t seconds later, idle.

    Args:
        dataset: `tf.data.Dataset`.

    Returns:
        `tf.data.Dataset` with as many threads as there are cores where it asks for `AUTOTUNE`.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
