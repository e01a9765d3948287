"""Choices become rows in order, and scores go back to the questions they belong to."""

import keras
import numpy as np
import pytest

from keras_bert.layers.choices import ChoiceRows, ChoiceScores

X = np.arange(2 * 3 * 5, dtype="int32").reshape(2, 3, 5)


def test_a_questions_choices_are_rows_one_after_another():
    rows = keras.ops.convert_to_numpy(ChoiceRows()(X))
    assert rows.dtype == np.int32
    np.testing.assert_array_equal(rows, [X[0, 0], X[0, 1], X[0, 2], X[1, 0], X[1, 1], X[1, 2]])


def test_scores_of_rows_stand_where_their_choices_did():
    scores = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]], "float32")
    np.testing.assert_array_equal(ChoiceScores()(scores, X), [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("shape", [(0, 3, 5), (2, 0, 5), (0, 0, 5)])
def test_none_stay_none(shape):
    rows = ChoiceRows()(np.zeros(shape, "int32"))
    assert tuple(rows.shape) == (0, 5)
    assert tuple(ChoiceScores()(np.zeros((0, 1)), np.zeros(shape)).shape) == shape[:2]


def test_shapes_are_known_before_anything_is_computed():
    x = keras.Input((None, None), dtype="int32")
    rows = ChoiceRows()(x)
    assert (rows.shape, rows.dtype) == ((None, None), "int32")
    logits = ChoiceScores(dtype="float32")(keras.Input((1,)), x)
    assert (logits.shape, logits.dtype) == ((None, None), "float32")
