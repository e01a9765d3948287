"""What BertClassifier predicts: in order, for every form of input, as a plain call of the model does."""

from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data import token_budget
from tests.classifiers import INDICES, NAMES, TEXTS, make_classifier, make_preprocessor, scores_of

OTHERS = ["no", "yes film", "a", "story", "is it", "the day", "long"]
SLICES = tf.data.Dataset.from_tensor_slices
READY = {name: tensor.numpy() for name, tensor in make_preprocessor()(TEXTS).items()}


@pytest.fixture(scope="module")
def classifier():
    classifier = make_classifier()
    classifier.compile(run_eagerly=True)
    return classifier


def test_predictions_are_in_the_order_of_the_texts(classifier):
    texts = ["a " * (i * 5 % 11) + "fine" for i in range(40)]
    expected = scores_of(classifier, texts)
    assert len(np.unique(expected[:, 0].round(5))) == 11
    for batch_size in (None, 7):
        np.testing.assert_allclose(
            classifier.predict(texts, batch_size=batch_size, verbose=0), expected, atol=1e-5
        )


def test_predictions_go_on_over_portions(classifier, monkeypatch):
    monkeypatch.setattr(token_budget, "_PORTION", 3)
    monkeypatch.setattr(classifier, "pairs", False)  # as its first `fit` leaves it
    for x in (TEXTS, SLICES((TEXTS, NAMES))):
        np.testing.assert_allclose(classifier.predict(x, verbose=0), scores_of(classifier, TEXTS), atol=1e-5)


def test_predictions_of_ready_inputs_are_those_of_their_texts(classifier):
    bare = make_classifier(texts=False)
    bare.compile(run_eagerly=True)
    for x in (READY, SLICES(READY).batch(3), SLICES((READY, INDICES))):
        np.testing.assert_allclose(bare.predict(x, verbose=0), scores_of(classifier, TEXTS), atol=1e-5)


def test_predictions_of_pairs(classifier):
    expected = scores_of(classifier, (TEXTS, OTHERS))
    assert np.abs(expected - scores_of(classifier, TEXTS)).max() > 0.01
    for x in ((TEXTS, OTHERS), list(zip(TEXTS, OTHERS, strict=True))):
        np.testing.assert_allclose(classifier.predict(x, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize(("task", "width"), [("single_label", 2), ("multi_label", 2), ("regression", 1)])
def test_no_texts_have_no_answers(task, width):
    classifier = make_classifier(("a", "b")[:width], task)
    for nothing in ([], SLICES(TEXTS).take(0)):
        answers = classifier.predict(nothing, verbose=0)
        assert answers.shape == (0, width)
        assert answers.dtype == np.float32


def test_a_few_texts_are_answered_as_many_are(classifier):
    expected = scores_of(classifier, TEXTS)
    with mock.patch.object(keras.Model, "predict", side_effect=AssertionError("Keras' loop")):
        np.testing.assert_allclose(classifier.predict(TEXTS, verbose=0), expected, atol=1e-5)
        np.testing.assert_allclose(classifier.predict(READY), expected, atol=1e-5)
        with pytest.raises(AssertionError, match="Keras' loop"):
            classifier.predict(TEXTS * 5, verbose=0)
        with pytest.raises(AssertionError, match="Keras' loop"):
            classifier.predict(TEXTS, callbacks=[keras.callbacks.Callback()], verbose=0)
