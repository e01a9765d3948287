"""The border where texts come in: what is taken, and how what is not is named."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.text.strings import string_tensor


@pytest.mark.parametrize(
    "texts",
    [
        ["a", "ü中", ""],
        ("a", "ü中", ""),
        ["a", "ü中".encode(), b""],
        [np.str_("a"), np.str_("ü中"), np.str_("")],
        np.array(["a", "ü中", ""]),
        np.array(["a", "ü中", ""], object),
        np.array([b"a", "ü中".encode(), b""]),
        tf.constant(["a", "ü中", ""]),
        [tf.constant("a"), tf.constant("ü中"), tf.constant("")],
    ],
    ids=["list", "tuple", "bytes", "numpy str", "U", "object", "S", "tensor", "tensors"],
)
def test_strings_of_every_kind_are_taken(texts):
    tensor = string_tensor(texts)
    assert tensor.dtype == tf.string
    assert tensor.numpy().tolist() == [b"a", "ü中".encode(), b""]


def test_a_series_of_pandas_is_taken():
    pandas = pytest.importorskip("pandas")
    assert string_tensor(pandas.Series(["a", "b"], index=[7, 3])).numpy().tolist() == [b"a", b"b"]


@pytest.mark.parametrize("text", ["ü", b"\xc3\xbc", np.str_("ü"), tf.constant("ü")])
def test_one_string_is_a_scalar(text):
    assert string_tensor(text).shape == ()
    assert string_tensor(text).numpy() == "ü".encode()


@pytest.mark.parametrize("texts", [[], (), np.array([], object), np.array([], "U3")])
def test_no_strings_are_an_empty_tensor(texts):
    tensor = string_tensor(texts)
    assert tensor.dtype == tf.string and tensor.shape == (0,)


def test_nul_stays_in_the_middle_and_at_the_end():
    assert string_tensor(["a\0b\0"]).numpy().tolist() == [b"a\0b\0"]
    assert string_tensor("a\0").numpy() == b"a\0"
    assert string_tensor(np.array(["a\0b\0"], object)).numpy().tolist() == [b"a\0b\0"]


def test_lone_surrogates_keep_their_places():
    assert string_tensor("a\ud800b").numpy().decode() == "a\ufffdb"
    found = string_tensor(["x😀", "a\udfffb", b"\xff", "\ud800\ud801"]).numpy().tolist()
    assert found == ["x😀".encode(), "a\ufffdb".encode(), b"\xff", "\ufffd\ufffd".encode()]


@pytest.mark.parametrize(
    ("texts", "received"),
    [
        (None, r"None \(NoneType\)\. Pass a list of str"),
        (3, r"3 \(int\)\. Pass a list of str"),
        (2.5, r"2.5 \(float\)\. Pass"),
        ({"a": 1}, r"{'a': 1} \(dict\)\. Pass"),
        ((text for text in "ab"), r"<generator .*\(generator\)\. Pass"),
    ],
)
def test_what_is_no_list_is_named(texts, received):
    with pytest.raises(ValueError, match=f"`texts` must be strings. Received: {received}"):
        string_tensor(texts)


@pytest.mark.parametrize(
    ("texts", "received"),
    [
        (["a", None, 3], r"None \(NoneType\) at index 1"),
        ([1, 2], r"1 \(int\) at index 0"),
        (["a", "\ud800", 2.5], r"2.5 \(float\) at index 2"),
        (["a", float("nan")], r"nan \(float\) at index 1"),
        (["a", ["b"]], r"\['b'\] \(list\) at index 1"),
        ([["a"], ["b", "c"]], r"\['a'\] \(list\) at index 0"),
        (np.array(["a", None], object), r"None \(NoneType\) at index 1"),
        (np.array([4, 5]), r"4 \(int\) at index 0"),
        (["a", "x" * 10, bytearray(b"x" * 100)], r"bytearray\(b'x{40,60} \(bytearray\) at index 2"),
    ],
)
def test_an_element_that_is_no_string_is_named_with_its_index(texts, received):
    with pytest.raises(ValueError, match=f"`texts` must be strings. Received: {received}"):
        string_tensor(texts)


def test_tensors_of_numbers_are_named():
    with pytest.raises(ValueError, match="`labels` must be strings. Received: a tensor of int32"):
        string_tensor(tf.constant([1]), "labels")


@pytest.mark.parametrize(
    ("texts", "shape"),
    [
        ([["a", "b"], ["c", "d"]], r"\(2, 2\)"),
        (np.array([["a"], ["c"]]), r"\(2, 1\)"),
        (tf.constant([["a"]]), r"\(1, 1\)"),
        (tf.ragged.constant([["a"], ["b", "c"]]), r"\(2, None\)"),
    ],
)
def test_nested_strings_are_named_with_their_shape(texts, shape):
    with pytest.raises(ValueError, match=f"one string or a flat list of them. Received: shape {shape}. Pass pairs"):
        string_tensor(texts)


def test_a_shape_that_is_not_known_yet_is_a_batch():
    @tf.function(input_signature=[tf.TensorSpec(None, tf.string)])
    def call(texts):
        tensor = string_tensor(texts)
        assert tensor.shape.rank == 1
        return tensor

    assert call(tf.constant(["a", "b"])).numpy().tolist() == [b"a", b"b"]
