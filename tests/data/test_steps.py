"""Datasets tell how many batches they have."""

import pytest
import tensorflow as tf

from keras_bert.data.steps import with_known_steps


def test_steps_are_counted():
    dataset = tf.data.Dataset.range(10).batch(3)
    assert with_known_steps(dataset).cardinality() == 4
    unknown = with_known_steps(tf.data.Dataset.range(10).filter(lambda n: n % 2 == 0).batch(2))
    assert unknown.cardinality() == len(list(unknown)) == 3
    with pytest.raises(ValueError, match="An endless dataset needs `steps_per_epoch`"):
        with_known_steps(dataset.repeat())


def test_a_dataset_without_examples_is_refused():
    with pytest.raises(ValueError, match="There must be at least one example. Received: a dataset without any"):
        with_known_steps(tf.data.Dataset.range(3).filter(lambda n: n > 5).batch(2))
