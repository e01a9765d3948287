"""Rows of choices against a plain Python reading of the same rules, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.text.choices import ChoicePacker, as_choices
from tests.choosers import CHOICES, CONTEXTS, EXAMPLES, ODD, QUESTIONS, VOCABULARY

TOKENIZER = keras_bert.BertTokenizer(VOCABULARY)
MANY = (ODD, ODD[::-1], [[one, "a b", other] for one, other in zip(ODD, ODD[3:] + ODD[:3], strict=True)])


def packer_of(length, **settings):
    return ChoicePacker(keras_bert.BertPreprocessor(TOKENIZER, sequence_length=length, **settings))


def expected_row(context, question, choice, length):
    """The tokens and segments of a row: room for the choice first, then for the question, then for the context."""
    context, question, choice = (TOKENIZER([text]).numpy().tolist()[0] for text in (context, question, choice))
    room = length - 3
    choice = choice[:room]
    question = question[: room - len(choice)]
    context = context[: room - len(choice) - len(question)]
    return [2, *context, 3, *question, *choice, 3], [0] * (len(context) + 2) + [1] * (len(question) + len(choice) + 1)


@pytest.mark.parametrize("length", [4, 9, 15, 400])
@pytest.mark.parametrize("padding", ["longest", "fixed"])
@pytest.mark.parametrize("texts", [EXAMPLES, MANY], ids=["examples", "odd"])
def test_rows_are_context_question_and_choice(length, padding, texts):
    packer = packer_of(length, padding=padding, truncation="only_second")
    found = {name: part.numpy() for name, part in packer(texts).items()}
    rows = [[expected_row(c, q, choice, length) for choice in choices] for c, q, choices in zip(*texts, strict=True)]
    longest = max(len(ids) for row in rows for ids, _ in row)
    assert {part.shape for part in found.values()} == {(len(rows), 3, length if padding == "fixed" else longest)}
    for row, choices in enumerate(rows):
        for choice, (ids, segments) in enumerate(choices):
            rest = [0] * (found["token_ids"].shape[2] - len(ids))
            assert found["token_ids"][row, choice].tolist() == ids + rest
            assert found["segment_ids"][row, choice].tolist() == segments + rest
            assert found["padding_mask"][row, choice].tolist() == [1] * len(ids) + rest
    lengths = [max(len(ids) for ids, _ in row) if padding == "longest" else length for row in rows]
    assert packer.lengths(packer.tokenize(texts)).tolist() == [3 * length for length in lengths]


def test_a_question_and_a_choice_are_read_as_one_text():
    joined = [[f"{question} {choice}" for choice in row] for question, row in zip(QUESTIONS, CHOICES, strict=True)]
    apart, together = packer_of(60)(EXAMPLES), packer_of(60)((CONTEXTS, joined))
    pairs = [(context, text) for context, row in zip(CONTEXTS, joined, strict=True) for text in row]
    as_pairs = keras_bert.BertPreprocessor(TOKENIZER, sequence_length=60)(pairs)
    for name, part in apart.items():
        np.testing.assert_array_equal(part, together[name])
        np.testing.assert_array_equal(tf.reshape(part, as_pairs[name].shape), as_pairs[name])


def test_some_rows_of_a_portion_are_packed_as_alone():
    packer = packer_of(15)
    segments = packer.tokenize(EXAMPLES)
    some = packer.pack(tuple(tf.gather(part, [3, 1]) for part in segments))
    alone = packer(tuple([part[3], part[1]] for part in EXAMPLES))
    for name, part in some.items():
        np.testing.assert_array_equal(part, alone[name])


def test_no_questions_give_no_rows_of_as_many_choices():
    assert packer_of(15)(([], [], []))["token_ids"].shape == (0, 0, 3)
    assert packer_of(15)(([], [], np.zeros((0, 4), str)))["token_ids"].shape == (0, 4, 3)


@pytest.mark.parametrize(
    "texts",
    [
        tuple(np.array(part) for part in EXAMPLES),
        tuple(tf.constant(part) for part in EXAMPLES),
        (CONTEXTS, QUESTIONS, [tuple(row) for row in CHOICES]),
        list(zip(*EXAMPLES, strict=True)),
    ],
    ids=["arrays", "tensors", "tuples", "a list of examples"],
)
def test_texts_in_all_their_forms(texts):
    for found, expected in zip(as_choices(texts), EXAMPLES, strict=True):
        np.testing.assert_array_equal(found, tf.constant(expected))


def test_without_questions_they_are_empty():
    contexts, questions, choices = as_choices((CONTEXTS, CHOICES))
    assert questions.numpy().tolist() == [b""] * 5
    assert (contexts.shape, choices.shape) == ((5,), (5, 3))
    assert [part.shape for part in as_choices([("a", ["b", "c"])])] == [(1,), (1,), (1, 2)]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("a", r"must be \(contexts, questions, choices\) or \(contexts, choices\).* Received: str"),
        (["a"], "Received: list"),
        ((["a"],), "Received: a tuple of 1"),
        ([("a", ["b", "c"]), ("a", "b", ["b", "c"])], "Received: a list of other things"),
        ([("a", ["b", "c"]), ["a", ["b", "c"]]], "Received: a list of other things"),
        ((["a"], ["b"], [["c"]]), "must have at least two choices. Received: 1"),
        ((["a"], [[]]), "must have at least two choices. Received: 0"),
        ((["a", "b"], [["c", "d"], ["e", "f", "g"]]), "as many choices. Received: 2 in row 0, 3 in row 1"),
        ((["a", "b"], [["c", "d"]]), "as many contexts, questions and lists of choices. Received: 2, 2 and 1"),
        ((["a", "b"], ["q"], [["c", "d"]] * 2), "Received: 2, 1 and 2"),
        ((["a"], ["b", "c"]), "Choices must be a list of texts for each question.* Received: 'b' in row 0"),
        ((["a"], [["b", 3]]), "Choices must be .* Received: 3 in row 0"),
        ((["a"], [["b", None]]), "Choices must be .* Received: None in row 0"),
        ((["a"], "bc"), "Choices must be .* Received: 'bc'"),
        ((["a"], None), "Choices must be .* Received: None"),
        ((["a"], tf.constant(["b", "c"])), r"Choices must be .* Received: shape \(2,\) of string"),
        ((["a"], tf.constant([[1, 2]])), r"Choices must be .* Received: shape \(1, 2\) of int32"),
        (([3], [["b", "c"]]), r"`contexts` must be strings. Received: 3"),
        ((["a"], [None], [["b", "c"]]), r"`questions` must be strings. Received: None"),
    ],
)
def test_texts_that_do_not_fit_together_are_refused(texts, message):
    with pytest.raises(ValueError, match=message):
        as_choices(texts)
