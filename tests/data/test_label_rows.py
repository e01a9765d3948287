"""Labels become rows, and a text may have none."""

import re

import numpy as np
import pytest

from keras_bert.data.label_rows import label_rows

LABELS = ["bad", "größer", "fine"]


@pytest.mark.parametrize(
    "y",
    [
        ["fine", None, "bad", "größer"],
        [2, None, 0, 1],
        np.array(["fine", None, "bad", "größer"], object),
        [[0, 0, 1], None, [1, 0, 0], [0, 1, 0]],
    ],
)
def test_names_numbers_and_rows_become_rows(y):
    rows = label_rows(y, 4, LABELS)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, [[0, 0, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0]])


def test_soft_rows_stay():
    np.testing.assert_array_equal(label_rows([None, [0.5, 0.25, 0.25]], 2, LABELS), [[0, 0, 0], [0.5, 0.25, 0.25]])
    soft = np.array([[0.5, 0.25, 0.25], [0, 1, 0]], "float32")
    np.testing.assert_array_equal(label_rows(soft, 2, LABELS), soft)


@pytest.mark.parametrize("y", [None, [None, None]])
def test_no_labels_are_rows_of_zeros(y):
    np.testing.assert_array_equal(label_rows(y, 2, LABELS), np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([None, "bad", "good"], "among ['bad', 'größer', 'fine']. Received: 'good' at index 2"),
        ([None, 1, 3], "Labels must be 0 to 2, or one of ['bad', 'größer', 'fine']. Received: 3 at index 2"),
        (["bad", None], "`y` must have a row for each text. Received: 2 for 3 texts"),
    ],
)
def test_labels_that_are_none_are_refused(y, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        label_rows(y, 3, LABELS)
