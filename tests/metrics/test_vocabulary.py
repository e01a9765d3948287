"""Loss and accuracy among many classes against torch, scikit-learn and Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.metrics.vocabulary import VocabularyAccuracy, VocabularyCrossentropy


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


@pytest.mark.parametrize("scale", [0.0, 5.0, 1e4, 1e30])
def test_the_loss_and_its_gradient_are_torchs(scale):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    logits = (scale * rng.normal(size=(3, 5, 17))).astype("float32")
    true = rng.integers(0, 17, (3, 5))
    weights = rng.choice([0.0, 0.5, 1.0], (3, 5)).astype("float32")
    x = torch.tensor(logits.reshape(-1, 17), requires_grad=True)
    expected = torch.nn.functional.cross_entropy(x, torch.tensor(true.ravel()), reduction="none")
    total = (expected * torch.tensor(weights.ravel())).sum() / weights.sum()
    total.backward()
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        ours = VocabularyCrossentropy()(true, logits, weights)
    values = VocabularyCrossentropy(reduction=None)(true, logits)
    np.testing.assert_allclose(values, expected.detach().reshape(3, 5), rtol=1e-6, atol=1e-6 * max(1.0, scale))
    assert float(ours) == pytest.approx(float(total), rel=1e-6)
    np.testing.assert_allclose(tape.gradient(ours, logits), x.grad.reshape(3, 5, 17), atol=1e-6)


@pytest.mark.parametrize("kind", [VocabularyAccuracy, VocabularyCrossentropy])
def test_it_can_be_saved(kind):
    config = keras.saving.serialize_keras_object(kind(name="guessed"))
    assert keras.saving.deserialize_keras_object(config).name == "guessed"
