"""From ids back to texts."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.text.tokenizer import BertTokenizer

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "play", "##ing", "!", "中", "国", "人", "x", "##国"]


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(TOKENS)


def decoded(tensor):
    value = tensor.numpy()
    return value.decode() if isinstance(value, bytes) else [text.decode() for text in value]


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ([5, 6, 7], "playing !"),
        ([2, 5, 6, 7, 3, 0, 0], "playing !"),
        ([2, 5, 3, 5, 6, 3], "play playing"),
        ([1, 4], "[UNK] [MASK]"),
        ([6, 5], "##ing play"),
        ([8, 9, 10, 8, 9], "中国人中国"),
        ([8, 9, 5, 10, 11, 8], "中国 play 人 x 中"),
        ([8, 12, 10], "中国人"),
        ([0, 0], ""),
        ([], ""),
    ],
)
def test_pieces_are_joined_as_people_write(tokenizer, ids, text):
    assert decoded(tokenizer.detokenize(ids)) == text


@pytest.mark.parametrize("kind", [list, tuple, np.array, tf.constant, lambda ids: tf.constant(ids, tf.int64)])
def test_one_row_gives_one_text(tokenizer, kind):
    assert decoded(tokenizer.detokenize(kind([5, 6]))) == "playing"


@pytest.mark.parametrize(
    "rows",
    [
        [[5, 6], [], [7]],
        [(5, 6), (), (7,)],
        ([5, 6], [], [7]),
        [np.array([5, 6]), np.array([], np.int64), np.array([7])],
        np.array([[2, 5, 6, 3], [0, 0, 0, 0], [2, 7, 3, 0]]),
        tf.constant([[5, 6], [0, 0], [7, 0]]),
        tf.ragged.constant([[5, 6], [], [7]]),
        tf.ragged.constant([[5, 6], [], [7]], tf.int64),
    ],
    ids=["lists", "tuples", "tuple of lists", "arrays", "array", "dense", "ragged", "ragged int64"],
)
def test_rows_give_as_many_texts(tokenizer, rows):
    assert decoded(tokenizer.detokenize(rows)) == ["playing", "", "!"]


def test_rows_may_all_be_empty(tokenizer):
    assert decoded(tokenizer.detokenize([[], []])) == ["", ""]
    assert decoded(tokenizer.detokenize(tokenizer([]))) == []


def test_a_text_survives_but_for_case_and_spaces(tokenizer):
    assert decoded(tokenizer.detokenize(tokenizer(["Playing!", "中国人 X"]))) == ["playing !", "中国人 x"]


def test_it_runs_in_a_graph(tokenizer):
    graph = tf.function(tokenizer.detokenize, input_signature=[tf.TensorSpec((None, None), tf.int32)])
    assert decoded(graph(tf.constant([[2, 5, 6, 3], [2, 8, 9, 3]]))) == ["playing", "中国"]


def test_ids_beyond_the_vocabulary_are_refused(tokenizer):
    with pytest.raises(tf.errors.InvalidArgumentError, match="99 is not in"):
        tokenizer.detokenize([5, 99])
