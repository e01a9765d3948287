"""Labels of the three tasks are read as they are meant."""

import numpy as np
import pytest
from labels import label_array, label_names, parse_label


@pytest.mark.parametrize(
    ("task", "value", "label"),
    [
        ("single_label", " yes ", "yes"),
        ("single_label", 0, "0"),
        ("single_label", True, "true"),
        ("multi_label", "red| dark blue", ["red", "dark blue"]),
        ("multi_label", "", []),
        ("multi_label", ["red"], ["red"]),
        ("regression", "-1.5e2", -150.0),
        ("regression", 3, 3.0),
    ],
)
def test_a_label_is_read(task, value, label):
    assert parse_label(value, task, "row 1") == label


@pytest.mark.parametrize(
    ("task", "value", "rule"),
    [
        ("single_label", "  ", "must be a name or a number"),
        ("single_label", ["a"], "must be a name or a number"),
        ("multi_label", 3, "names joined by"),
        ("multi_label", ["a", 3], "names joined by"),
        ("regression", "high", "must be a finite number"),
        ("regression", "nan", "must be a finite number"),
        ("regression", [1], "must be a finite number"),
    ],
)
def test_what_is_no_label_is_refused_with_its_place(task, value, rule):
    with pytest.raises(ValueError, match=f"{rule}.*in row 7 of 'a.tsv'"):
        parse_label(value, task, "row 7 of 'a.tsv'")


def test_names_are_sorted_and_numbers_by_value():
    assert label_names(["b", "a", "b"]) == ["a", "b"]
    assert label_names(["10", "9", "no"]) == ["9", "10", "no"]
    assert label_names([["red", "blue"], [], ["red"]]) == ["blue", "red"]


def test_one_label_leaves_nothing_to_learn():
    with pytest.raises(ValueError, match=r"at least two different labels. Received: \['a'\]"):
        label_names(["a", "a"])


def test_arrays_have_the_form_of_the_task():
    ids = label_array(["b", "a"], ["a", "b"], "single_label", "x")
    assert ids.dtype == "int32" and ids.tolist() == [1, 0]
    assert label_array([["b", "a"], []], ["a", "b"], "multi_label", "x").tolist() == [[1, 1], [0, 0]]
    np.testing.assert_array_equal(label_array([0.5, 2.0], [], "regression", "x"), np.float32([0.5, 2.0]))


@pytest.mark.parametrize(
    ("task", "labels"), [("single_label", ["a", "c"]), ("multi_label", [[], ["a", "c"]])]
)
def test_a_label_that_training_lacks_is_named(task, labels):
    with pytest.raises(ValueError, match="which has a, b. Received: 'c' in row 2 of 'dev.tsv'"):
        label_array(labels, ["a", "b"], task, "dev.tsv")
