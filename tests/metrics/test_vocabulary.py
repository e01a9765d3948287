"""The accuracy among many classes against scikit-learn's and Keras' own."""

import keras
import numpy as np
import pytest

from keras_bert.metrics.vocabulary import VocabularyAccuracy


def test_it_is_scikit_learns_and_keras():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    ours, theirs, seen = VocabularyAccuracy(), keras.metrics.SparseCategoricalAccuracy(), []
    for rows in (7, 5):
        logits = rng.normal(size=(rows, 3, 11)).astype("float32")
        noise = rng.integers(0, 11, (rows, 3))
        true = np.where(rng.uniform(size=(rows, 3)) < 0.5, logits.argmax(-1), noise)
        weights = rng.choice([0.0, 0.5, 1.0], (rows, 3))
        for metric in (ours, theirs):
            metric.update_state(true, logits, weights)
        seen.append([part.ravel() for part in (true, logits.argmax(-1), weights)])
    true, predicted, weights = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    expected = metrics.accuracy_score(true, predicted, sample_weight=weights)
    assert 0.3 < expected < 0.9
    assert float(ours.result()) == pytest.approx(expected) == pytest.approx(float(theirs.result()))


def test_it_can_be_saved():
    config = keras.saving.serialize_keras_object(VocabularyAccuracy("guessed"))
    assert keras.saving.deserialize_keras_object(config).name == "guessed"
