"""What users pass as `x`: the same texts, pairs and inputs from every form of them."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data.inputs import INPUTS, checked_features, holds_pairs, row_count

TEXTS = ["a fine film", "größer", ""]
OTHERS = ["no", "", "it is"]
READY = {
    "token_ids": np.array([[2, 7, 3], [2, 3, 0]]),
    "segment_ids": np.array([[0, 0, 1], [0, 0, 0]]),
    "padding_mask": np.array([[1, 1, 1], [1, 1, 0]]),
}
SLICES = tf.data.Dataset.from_tensor_slices


def pandas(kind):
    return getattr(pytest.importorskip("pandas"), kind)


FORMS = {
    "list": lambda: TEXTS,
    "array": lambda: np.array(TEXTS),
    "array of objects": lambda: np.array(TEXTS, object),
    "array of bytes": lambda: np.array([text.encode() for text in TEXTS]),
    "list of bytes": lambda: [text.encode() for text in TEXTS],
    "list of both": lambda: [TEXTS[0].encode(), *TEXTS[1:]],
    "array's texts": lambda: list(np.array(TEXTS)),
    "tensor": lambda: tf.constant(TEXTS),
    "pandas": lambda: pandas("Series")(TEXTS, index=[7, 8, 9]),
    "pandas with missing values": lambda: pandas("Series")(TEXTS, dtype="string"),
    "pandas categories": lambda: pandas("Series")(TEXTS, dtype="category"),
    "tuple of one list": lambda: (TEXTS,),
}


@pytest.mark.parametrize("form", FORMS)
def test_texts_in_all_their_forms(form):
    x = FORMS[form]()
    assert checked_features(x).numpy().tolist() == [text.encode() for text in TEXTS]
    assert row_count(checked_features(x)) == 3
    assert holds_pairs(x) is False


@pytest.mark.parametrize(
    "pairs",
    [
        (TEXTS, OTHERS),
        (np.array(TEXTS), tf.constant(OTHERS)),
        list(zip(TEXTS, OTHERS, strict=True)),
        [list(pair) for pair in zip(TEXTS, OTHERS, strict=True)],
    ],
    ids=["tuple of lists", "tuple of arrays", "list of tuples", "list of lists"],
)
def test_pairs_in_all_their_forms(pairs):
    first, second = checked_features(pairs)
    assert first.numpy().tolist() == [text.encode() for text in TEXTS]
    assert second.numpy().tolist() == [text.encode() for text in OTHERS]
    assert row_count((first, second)) == 3
    assert holds_pairs(pairs) is True


@pytest.mark.parametrize(
    "convert",
    [
        np.asarray,
        tf.constant,
        np.ndarray.tolist,
        lambda array: array.astype("int64"),
        lambda array: array > 0,
    ],
)
def test_ready_inputs_in_all_their_forms(convert):
    given = {name: convert(array) for name, array in READY.items()}
    features = checked_features({**given, "mask_positions": np.zeros((2, 1))})
    assert tuple(features) == INPUTS
    for name, tensor in features.items():
        assert tensor.dtype == tf.int32
        np.testing.assert_array_equal(tensor, np.asarray(given[name]).astype("int32"))
    assert row_count(features) == 2
    assert holds_pairs(given) is None


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (SLICES(TEXTS), False),
        (SLICES((TEXTS, OTHERS)), False),
        (SLICES(((TEXTS, OTHERS), [0, 1, 0])), True),
        (SLICES((READY, [0, 1])), None),
    ],
    ids=["texts", "texts and labels", "pairs and labels", "ready"],
)
def test_a_datasets_element_tells_whether_it_is_of_pairs(dataset, expected):
    assert holds_pairs(dataset) is expected
    assert holds_pairs(dataset.batch(2)) is expected
