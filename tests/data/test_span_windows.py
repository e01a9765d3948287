"""Windows of a context against a plain Python reading of BERT's rules, on rows of every length."""

import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.data.span_windows import span_positions, span_windows

WORDS = [*"abcdefghij", "##k", "##l", "中", "国"]
TOKENIZER = keras_bert.BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])
LENGTH, STRIDE, LONGEST_QUESTION = 13, 4, 5


def text_of(rng, length):
    """Words, of one piece or more, some of them Chinese."""
    return " ".join(rng.choice([*"abcdefghij", "ak", "bkl", "中国"], size=length))


def examples():
    rng = np.random.default_rng(2)
    lengths = [(1, 1), (2, 0), (0, 9), (9, 30), (3, 7), (3, 8), (3, 9), (5, 60), (4, 17)]
    return [(text_of(rng, question), text_of(rng, context)) for question, context in lengths]


def expected_windows(question, context):
    """(row of ids, places of its context's tokens) of each window, and for each token the window that sees most."""
    ids = TOKENIZER([question, context]).to_list()
    question, context = ids[0][:LONGEST_QUESTION], ids[1]
    room = LENGTH - 3 - len(question)
    windows, begin = [], 0
    while True:
        part = list(range(begin, min(begin + room, len(context))))
        windows.append(([2, *question, 3, *(context[i] for i in part), 3], part))
        if begin + room >= len(context):
            break
        begin += min(room, STRIDE)
    best = {}
    for place in range(len(context)):
        scores = [
            min(place - part[0], part[-1] - place) + 0.01 * len(part) if place in part else -1 for _, part in windows
        ]
        best[place] = int(np.argmax(scores))
    return windows, best


@pytest.mark.parametrize("padding", ["longest", "fixed"])
def test_windows_are_those_of_the_original(padding):
    questions, contexts = zip(*examples(), strict=True)
    preprocessor = keras_bert.BertPreprocessor(TOKENIZER, sequence_length=LENGTH)
    cut = tf.function(
        lambda a, b: span_windows(
            preprocessor, a, b, doc_stride=STRIDE, max_question_length=LONGEST_QUESTION, padding=padding
        )
    )
    found = cut(tf.constant(questions), tf.constant(contexts))
    row = 0
    for example, (question, context) in enumerate(examples()):
        windows, best = expected_windows(question, context)
        _, starts, ends = (part.numpy() for part in TOKENIZER.tokenize_with_offsets(context))
        for number, (ids, places) in enumerate(windows):
            assert found.examples[row] == example
            real = np.flatnonzero(found.inputs["padding_mask"][row])
            assert found.inputs["token_ids"].numpy()[row, real].tolist() == ids
            begin = len(ids) - 1 - len(places)
            columns = np.arange(begin, begin + len(places))
            assert np.flatnonzero(found.in_context[row]).tolist() == columns.tolist()
            assert found.inputs["segment_ids"].numpy()[row].sum() == len(places) + 1
            assert found.starts.numpy()[row, columns].tolist() == starts[places].tolist()
            assert found.ends.numpy()[row, columns].tolist() == ends[places].tolist()
            own = [column for column, place in zip(columns, places, strict=True) if best[place] == number]
            assert np.flatnonzero(found.is_best[row]).tolist() == own
            row += 1
    assert row == len(found.examples) > len(examples())


def test_an_answer_is_found_in_the_windows_that_hold_all_of_it():
    question, context = examples()[7]
    preprocessor = keras_bert.BertPreprocessor(TOKENIZER, sequence_length=LENGTH)
    options = {"doc_stride": STRIDE, "max_question_length": LONGEST_QUESTION}
    windows = span_windows(preprocessor, tf.constant([question]), tf.constant([context]), **options)
    _, starts, ends = (part.numpy() for part in TOKENIZER.tokenize_with_offsets(context))
    expected, _ = expected_windows(question, context)
    held = 0
    for first in range(len(starts)):
        for last in range(first, min(first + 4, len(starts))):
            found = span_positions(windows, tf.constant([[starts[first], ends[last]]]))
            for row, (ids, places) in enumerate(expected):
                begin = len(ids) - 1 - len(places)
                whole = first in places and last in places
                answer = (begin + places.index(first), begin + places.index(last)) if whole else (0, 0)
                assert (found[0][row], found[1][row]) == answer
                held += whole
    assert held > 100
    nothing = span_positions(windows, tf.constant([[0, 0]]))
    assert not np.any(nothing)


def test_an_answer_within_a_word_takes_the_pieces_that_it_touches():
    preprocessor = keras_bert.BertPreprocessor(TOKENIZER, sequence_length=LENGTH)
    options = {"doc_stride": STRIDE, "max_question_length": LONGEST_QUESTION}
    windows = span_windows(preprocessor, tf.constant(["a"] * 2), tf.constant(["b akl 中国人", ""]), **options)
    # [CLS] a [SEP] b a ##k ##l 中 国 [UNK] [SEP]
    for answer, expected in {(3, 5): (5, 6), (6, 8): (7, 8), (0, 9): (3, 9), (1, 2): (0, 0)}.items():
        first, last = span_positions(windows, tf.constant([answer, (0, 0)]))
        assert (first.numpy().tolist(), last.numpy().tolist()) == ([expected[0], 0], [expected[1], 0])
