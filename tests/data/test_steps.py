"""Datasets tell how many batches they have."""

import pytest
import tensorflow as tf

from keras_bert.data.inputs import INPUTS
from keras_bert.data.steps import with_known_steps
from keras_bert.data.token_budget import prediction_batches, row_batches
from tests.classifiers import make_classifier, make_preprocessor
from tests.taggers import make_tagger


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


def test_no_pipeline_tunes_itself():
    """tf.data's own tuning lets the next epoch wait, idle, for up to as long as the last one took."""
    words = make_tagger(num_layers=1)._epochs([["a"]], [["O"]], None, 32)()
    texts = make_classifier()._epochs(["a film"], ["negative"], None, 32)()
    rows, _ = row_batches({name: tf.ones((2, 3), tf.int32) for name in INPUTS}, None, True)
    asked, _ = prediction_batches((tf.constant(["a"]),), make_preprocessor(), None, None)
    for dataset in (words, texts, rows, asked):
        assert dataset.options().autotune.enabled is False
