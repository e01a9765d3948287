"""Labels: every form that users have them in, the same numbers for all."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data.labels import checked_labels, chosen_head, class_weights, label_encoder

LABELS = ["bad", "fine", "größer"]


def encoded(values, task="single_label", **how):
    result = label_encoder(LABELS, task, **how)(values)
    return result.numpy() if tf.is_tensor(result) else result


SINGLE = {
    "names": np.array(["größer", "bad", "fine"]),
    "names as objects": np.array(["größer", "bad", "fine"], object),
    "names in UTF-8": np.array([name.encode() for name in ("größer", "bad", "fine")]),
    "names in a column": np.array([["größer"], ["bad"], ["fine"]]),
    "indices": np.array([2, 0, 1]),
    "indices as floats": np.array([2.0, 0.0, 1.0]),
    "indices as objects": np.array([2, 0, 1], object),
    "indices in a column": np.array([[2], [0], [1]]),
    "one-hot": np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "tensor of names": tf.constant(["größer", "bad", "fine"]),
    "tensor of indices": tf.constant([2, 0, 1], tf.int64),
    "tensor of one-hot": tf.constant([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
}


@pytest.mark.parametrize("form", SINGLE)
def test_one_label_a_text_in_all_its_forms(form):
    result = encoded(SINGLE[form])
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, [2, 0, 1])


@pytest.mark.parametrize("form", ["one-hot", "tensor of one-hot"])
def test_rows_stay_for_a_loss_that_takes_them(form):
    result = encoded(SINGLE[form], keep_rows=True)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, [[0, 0, 1], [1, 0, 0], [0, 1, 0]])


def test_truth_values_are_indices_of_two_labels():
    np.testing.assert_array_equal(
        label_encoder(["no", "yes"], "single_label")(np.array([True, False])), [1, 0]
    )


def test_labels_that_look_like_numbers_are_names():
    encode = label_encoder(["10", "20", "1"], "single_label")
    np.testing.assert_array_equal(encode(np.array(["20", "1"])), [1, 2])
    np.testing.assert_array_equal(encode(np.array([2, 1])), [2, 1])


@pytest.mark.parametrize(
    ("values", "received"),
    [
        (["bad", "dull"], "'dull' at index 1. Name all of them in `labels`"),
        ([0, 3], "3 at index 1"),
        ([0, -1], "-1 at index 1"),
        ([0, 0.5], "0.5 at index 1"),
        ([0, np.nan], "nan at index 1"),
        (np.array(["bad", None], object), "None at index 1"),
        (np.array([b"\xff"]), "'\ufffd' at index 0"),
    ],
)
def test_a_label_that_there_is_not_is_named(values, received):
    with pytest.raises(ValueError, match=rf"Labels must be .*'bad', 'fine', 'größer'.*Received: {received}"):
        encoded(np.asarray(values))


def test_a_name_that_there_is_not_is_named_in_a_dataset():
    dataset = (
        tf.data.Dataset.from_tensor_slices(["bad", "dull"])
        .batch(2)
        .map(label_encoder(LABELS, "single_label"))
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="(?s)Labels must be among.*Received:.*dull"):
        list(dataset)


MULTI = {
    "lists of names": [["größer"], [], ["bad", "fine"]],
    "tuples and sets": [("größer",), (), {"fine", "bad"}],
    "lists of indices": [[2], [], [0, 1]],
    "rows": [[0, 0, 1], [0, 0, 0], [1, 1, 0]],
    "rows of floats": [[0.0, 0, 1], [0, 0, 0], [1, 1, 0]],
    "rows of truth values": [[False, False, True], [False] * 3, [True, True, False]],
}


@pytest.mark.parametrize("form", MULTI)
def test_several_labels_a_text_in_all_their_forms(form):
    values = MULTI[form]
    if not form.startswith("rows"):
        values = np.array([*values, None], object)[:-1]
    result = encoded(np.asarray(values), "multi_label")
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, [[0, 0, 1], [0, 0, 0], [1, 1, 0]])


def test_several_labels_a_text_in_a_tensor():
    result = encoded(tf.constant([[0, 0, 1], [0, 1, 0]]), "multi_label")
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, [[0, 0, 1], [0, 1, 0]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0, 1], [1, 0]], r"0 or 1 for each of 3 labels. Received: shape \(2, 2\)"),
        ([[0, 1, 2]], "0 or 1 for each of 3 labels"),
        ([[0, 1, 0.5]], "0 or 1 for each of 3 labels"),
        (["bad", "fine"], "labels must be a list of names. Received: 'bad' at index 0"),
        (np.array([["bad"], ["dull", "fine"]], object), "Received: 'dull' at index 0"),
    ],
)
def test_wrong_rows_of_labels_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        encoded(np.asarray(values), "multi_label")


@pytest.mark.parametrize(
    "values",
    [np.array([1.5, -2.0]), np.array([[1.5], [-2]]), np.array(["1.5", "-2"]), tf.constant([1.5, -2])],
)
def test_values_become_a_column(values):
    result = encoded(values, "regression")
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, [[1.5], [-2]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, np.nan], "must be finite. Received: nan at index 1"),
        ([np.inf, 1.0], "must be finite. Received: inf at index 0"),
        (["high", "low"], "must be numbers. Received: .*high"),
        (np.array([1.0, None], object), "must be finite. Received: nan at index 1"),
    ],
)
def test_values_that_are_no_finite_numbers_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        encoded(np.asarray(values), "regression")


@pytest.mark.parametrize(
    "weights", [{"größer": 3.0, "bad": 0.5}, {2: 3.0, 0: 0.5}, {np.int64(2): 3, "bad": 0.5}]
)
def test_class_weights_by_name_or_index(weights):
    np.testing.assert_array_equal(class_weights(weights, LABELS, "single_label"), [0.5, 1, 3])


def test_no_class_weights():
    assert class_weights(None, LABELS, "regression") is None


@pytest.mark.parametrize("name", ["dull", 3, -1, 0.5])
def test_a_weight_of_no_class_is_refused(name):
    with pytest.raises(ValueError, match=f"must name labels. Received: {name!r}; the labels are .*'bad'"):
        class_weights({name: 2.0}, LABELS, "single_label")


@pytest.mark.parametrize("task", ["multi_label", "regression"])
def test_class_weights_need_one_label_a_text(task):
    with pytest.raises(ValueError, match=f"one label a text. Received: task='{task}'. Use `sample_weight`"):
        class_weights({"bad": 2.0}, LABELS, task)


@pytest.mark.parametrize(
    ("num_classes", "labels", "task", "expected"),
    [
        (3, None, "single_label", ["0", "1", "2"]),
        (None, ("no", "yes"), "single_label", ["no", "yes"]),
        (2, [7, 8], "single_label", ["7", "8"]),
        (1, None, "multi_label", ["0"]),
        (None, None, "regression", ["0"]),
        (None, ["stars"], "regression", ["stars"]),
    ],
)
def test_labels_are_names_or_numbers(num_classes, labels, task, expected):
    assert checked_labels(num_classes, labels, task) == expected


@pytest.mark.parametrize(
    ("num_classes", "labels", "task", "message"),
    [
        (None, None, "single_label", "neither `labels` nor `num_classes`"),
        (2, ["a", "b", "c"], "single_label", "must agree. Received: 2 and 3 labels"),
        (None, ["a", "b", "a"], "single_label", "must differ. Received: 'a' more than once"),
        (None, "positive", "single_label", r"must be a list of names. Received: the string 'positive'"),
        (0, None, "single_label", "at least 1. Received: 0"),
        (2.0, None, "single_label", "a whole number, at least 1. Received: 2.0"),
        (None, [], "single_label", "at least two classes.* Received: task='single_label' with 0 labels"),
        (None, ["a"], "single_label", "Received: task='single_label' with 1 labels"),
        (None, [], "multi_label", "Received: task='multi_label' with 0 labels"),
        (2, None, "regression", "Received: task='regression' with 2 labels"),
        (2, None, "ranking", "one of single_label, multi_label, regression. Received: 'ranking'"),
    ],
)
def test_labels_that_do_not_fit_are_refused(num_classes, labels, task, message):
    with pytest.raises(ValueError, match=message):
        checked_labels(num_classes, labels, task)


SAVED = {"labels": ["no", "yes"], "task": "single_label", "dropout": 0.3}


@pytest.mark.parametrize(
    ("saved", "asked", "expected"),
    [
        (SAVED, (None, None, None), SAVED),
        (SAVED, (2, None, None), SAVED),
        (SAVED, (None, ["no", "yes"], None), SAVED),
        (SAVED, (None, ["yes", "no"], None), {"labels": ["yes", "no"], "task": "single_label"}),
        (SAVED, (3, None, None), {"labels": ["0", "1", "2"], "task": "single_label"}),
        (SAVED, (None, None, "multi_label"), {"labels": ["no", "yes"], "task": "multi_label"}),
        (SAVED, (None, None, "regression"), {"labels": ["0"], "task": "regression"}),
        ({}, (2, None, None), {"labels": ["0", "1"], "task": "single_label"}),
        ({}, (None, None, "regression"), {"labels": ["0"], "task": "regression"}),
    ],
)
def test_a_saved_head_goes_on_where_it_fits_what_is_asked_for(saved, asked, expected):
    assert chosen_head(saved, *asked) == expected


def test_without_a_head_the_classes_must_be_named():
    with pytest.raises(
        ValueError, match="needs to know the classes. Received: neither `labels` nor `num_classes`"
    ):
        chosen_head({}, None, None, None)
