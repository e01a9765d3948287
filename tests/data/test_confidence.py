"""Exactly those texts are chosen that a model is sure enough of."""

import re

import numpy as np
import pytest

from keras_bert.data import confident_rows


def random_probabilities(rows, classes):
    exponents = np.exp(np.random.default_rng(classes).normal(0, 2, (rows, classes)))
    return (exponents / exponents.sum(axis=1, keepdims=True)).astype("float32")


@pytest.mark.parametrize(("classes", "confidence"), [(2, 0.51), (2, 0.9), (5, 0.3), (5, 0.8)])
def test_rows_are_those_that_a_plain_loop_finds(classes, confidence):
    probabilities = random_probabilities(200, classes)
    expected = [row for row, values in enumerate(probabilities.tolist()) if max(values) >= confidence]
    assert 0 < len(expected) < 200
    assert confident_rows(probabilities, confidence).tolist() == expected


def test_the_threshold_itself_is_enough():
    probabilities = [[0.25, 0.75], [0.5, 0.5], [0.7499, 0.2501], [0.0, 1.0]]
    assert confident_rows(probabilities, 0.75).tolist() == [0, 3]
    assert confident_rows(probabilities, 1).tolist() == [3]
    assert confident_rows(probabilities).tolist() == [3]


@pytest.mark.parametrize(
    ("probabilities", "confidence", "message"),
    [
        ([[0.2, 0.8]], 0.5, "at most 1 and above 0.5, which the likeliest of 2 labels always has. Received: 0.5. Use"),
        ([[0.2, 0.3, 0.5]], 1 / 3, "above 0.333, which the likeliest of 3 labels always has. Received: 0.333"),
        ([[0.2, 0.8]], 1.01, "Received: 1.01. Use 0.9"),
        ([[0.2, 0.8]], float("nan"), "Received: nan. Use 0.9"),
        ([[0.2, 0.8]], "high", "Received: 'high'. Use 0.9"),
        ([[0.2, 0.8], [0.6, 0.4]], 0.9, "Received: confidence=0.9; the highest is 0.8000. Lower it"),
        ([0.2, 0.8], 0.9, "a row of at least two for each text. Received: shape (2,). Give"),
        (np.zeros((0, 2)), 0.9, "Received: shape (0, 2). Give"),
        ([[1.0], [1.0]], 0.9, "Received: shape (2, 1). Give"),
        ([[0.2, 0.8], [3.1, -2.1]], 0.9, "add up to 1 in each row. Received: [ 3.1 -2.1] in row 1. Give"),
        ([[0.2, 0.8], [0.5, np.nan]], 0.9, "Received: [0.5 nan] in row 1"),
        ([[0.9, 0.8]], 0.9, "Received: [0.9 0.8] in row 0"),
    ],
)
def test_nonsense_is_refused(probabilities, confidence, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        confident_rows(probabilities, confidence)
