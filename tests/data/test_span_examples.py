"""Answers as people write them, and batches of windows."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data.span_examples import answer_spans

CONTEXTS = ["The cat sat on the mat.", "北京是中国的首都。", "", "the end, the end"]


@pytest.mark.parametrize(
    "answers",
    [
        ["cat", "中国", None, "the end"],
        [(4, 7), (3, 5), (0, 0), (0, 7)],
        np.array([(4, 7), (3, 5), (0, 0), (0, 7)]),
        [
            {"text": "cat", "answer_start": 4},
            {"text": ["中国", "国"], "answer_start": [3, 4]},
            {"text": [], "answer_start": []},
            {"text": "the end", "answer_start": 0},
        ],
        [np.array([4, 7]), "中国", "", {"text": "the end", "answer_start": 0}],
    ],
)
def test_answers_are_placed_in_their_contexts(answers):
    spans = answer_spans(tf.constant(CONTEXTS), answers)
    assert spans.tolist() == [[4, 7], [3, 5], [0, 0], [0, 7]]


def test_a_place_wins_over_the_first_of_equal_texts():
    spans = answer_spans(tf.constant(CONTEXTS[3:]), [{"text": "the end", "answer_start": 9}])
    assert spans.tolist() == [[9, 16]]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("dog", "'dog' in row 1, which is nowhere"),
        ({"text": "cat", "answer_start": 5}, "'cat' in row 1, which is where 'at ' stands"),
        ((4, 99), "4 to 99 of 23 characters in row 1"),
        ((5, 4), "5 to 4 of 23 characters in row 1"),
        (7, "Received: 7 in row 1"),
        ({"answer": "cat", "start": 4, "end": 7}, "a dict of `text` and `answer_start`.* in row 1"),
        ({"id": "q7"}, "Received: {'id': 'q7'} in row 1, id 'q7'"),
        ({"text": None, "answer_start": 4}, "Received: {'text': None"),
        ({"text": [], "answer_start": [4]}, r"Received: {'text': \[\]"),
        ({"text": ["cat"], "answer_start": 4}, r"Received: {'text': \['cat'\]"),
        ({"text": "cat", "answer_start": 4.7}, "Received: {'text': 'cat', 'answer_start': 4.7}"),
        (["cat", "mat"], r"Received: \['cat', 'mat'\]"),
        ((4.9, 7.9), r"Received: \(4.9, 7.9\)"),
        ((None, None), r"Received: \(None, None\)"),
        (" ", "must hold a word. Received: ' ' in row 1"),
    ],
)
def test_an_answer_that_is_not_in_its_context_is_refused_with_its_row(answer, message):
    with pytest.raises(ValueError, match=message):
        answer_spans(tf.constant(["", CONTEXTS[0]]), [None, answer])


def test_other_numbers_of_answers_are_refused():
    for answers, found in (([], "0 for 1"), (["a", "a"], "2 for 1"), ("a", "'a' for 1")):
        with pytest.raises(ValueError, match=f"an answer for each context. Received: {found}"):
            answer_spans(["a"], answers)
    with pytest.raises(ValueError, match="must be a list of texts. Received: one text"):
        answer_spans("a", ["a"])


def test_places_count_what_utf_8_cannot_encode():
    assert answer_spans(["x\ud800 cat"] * 2, [(3, 6), "cat"]).tolist() == [[3, 6], [3, 6]]
