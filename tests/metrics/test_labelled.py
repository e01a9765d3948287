"""Accuracy counts the texts that have a label, over all batches."""

import numpy as np

from keras_bert.metrics.labelled import LabelledAccuracy


def test_texts_without_a_label_do_not_count():
    rng = np.random.default_rng(0)
    labels = np.eye(3, dtype="float32")[rng.integers(0, 3, 40)]
    labels[rng.integers(0, 40, 15)] = 0
    logits = rng.normal(size=(40, 3))
    known = labels.sum(axis=1) > 0
    assert 0 < known.sum() < 40
    metric = LabelledAccuracy()
    for low in (0, 7, 14, 21, 28, 35):
        metric.update_state(labels[low : low + 7], logits[low : low + 7])
    right = (labels.argmax(axis=1) == logits.argmax(axis=1))[known]
    np.testing.assert_allclose(metric.result(), right.mean(), rtol=1e-6)
    assert metric.name == "accuracy"


def test_no_label_at_all_is_0():
    metric = LabelledAccuracy("mine")
    metric.update_state(np.zeros((2, 3), "float32"), np.ones((2, 3), "float32"))
    assert float(metric.result()) == 0 and metric.name == "mine"
