"""Answers as people write them, and datasets of questions with choices, in one form; what does not fit is refused."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data.choice_examples import answer_indices, checked_choices, choice_examples, choice_inputs
from keras_bert.text.choices import as_choices
from tests.choosers import ANSWERS, CHOICES, CONTEXTS, EXAMPLES

SLICES = tf.data.Dataset.from_tensor_slices
TEXTS = [row[answer] for row, answer in zip(CHOICES, ANSWERS, strict=True)]
READY = {name: np.ones((5, 3, 7), int) for name in ("token_ids", "segment_ids", "padding_mask")}


@pytest.mark.parametrize("answers", [ANSWERS, np.array(ANSWERS), tf.constant(ANSWERS), TEXTS, np.array(TEXTS)])
def test_answers_are_indices_or_texts(answers):
    found = answer_indices(as_choices(EXAMPLES), answers)
    assert found.tolist() == ANSWERS
    assert found.dtype == np.int32


def test_of_equal_choices_the_first_is_the_answer():
    texts = as_choices((["", ""], [["b", "a", "a"], ["x", "\ud800", "y"]]))
    assert answer_indices(texts, ["a", "\ud800"]).tolist() == [1, 1]
    assert answer_indices(texts, [b"b", b"y"]).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([0, 1], "There must be an answer for each question. Received: 2 for 5"),
        (1, "There must be an answer for each question. Received: 1 for 5"),
        ("d", "There must be an answer for each question. Received: 'd' for 5"),
        ([2, 1, 0, 3, 2], "must be indices of choices, 0 to 2, or all of them their texts. Received: 3 in row 3"),
        ([2, 1, -1, 0, 2], "Received: -1 in row 2"),
        ([2, 1, 0.5, 0, 2], "Received: 0.5 in row 2"),
        ([2, None, 0, 0, 2], "Received: None in row 1"),
        ([2, 1, 0, 0, "h"], "Received: 'h' in row 4"),
        ([*TEXTS[:-1], "i"], "Received: 'i' in row 4"),
        ([*TEXTS[:-1], "a b"], "Received: 'a b' in row 4"),
    ],
)
def test_answers_that_there_are_not_are_refused_with_their_row(answers, message):
    with pytest.raises(ValueError, match=message):
        answer_indices(as_choices(EXAMPLES), answers)


def test_answers_to_ready_inputs_are_indices():
    ready = checked_choices(READY)
    assert answer_indices(ready, ANSWERS).tolist() == ANSWERS
    for answers, found in ((TEXTS, "'d' in row 0"), ([0, 1, 2, 3, 0], "3 in row 3")):
        with pytest.raises(ValueError, match=f"must be indices of choices, 0 to 2. Received: {found}"):
            answer_indices(ready, answers)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segment_ids": np.ones((5, 3, 6), int)}, r"must have one shape, \(rows, choices, tokens\). Received: .*6\)"),
        (dict.fromkeys(READY, np.ones((5, 7), int)), r"one shape, \(rows, choices, tokens\). Received: .*\(5, 7\)"),
        (dict.fromkeys(READY, np.ones((5, 1, 7), int)), "must have at least two choices. Received: 1"),
    ],
)
def test_ready_inputs_of_other_shapes_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        checked_choices(READY | changes)
    with pytest.raises(ValueError, match="must hold token_ids, .* Add padding_mask"):
        checked_choices({name: part for name, part in READY.items() if name != "padding_mask"})


@pytest.mark.parametrize("answers", [ANSWERS, np.array(ANSWERS, "int64"), TEXTS], ids=["int32", "int64", "texts"])
@pytest.mark.parametrize("x", [EXAMPLES, (CONTEXTS, CHOICES)], ids=["questions", "no questions"])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_datasets_of_texts_have_one_form(answers, x, batch_size):
    expected = [part.numpy().tolist() for part in as_choices(x)]
    for parts in (((x), answers), ((x), answers, np.arange(5.0))):
        dataset = SLICES(parts)
        dataset = dataset.batch(batch_size) if batch_size else dataset
        found = choice_examples(dataset, 32)
        found = list((found.unbatch() if batch_size else found).as_numpy_iterator())
        assert [one[1] for one in found] == ANSWERS
        assert [one[2] for one in found if len(one) > 2] == list(range(5)) * (len(parts) - 2)
        for place, column in enumerate(expected):
            np.testing.assert_array_equal([one[0][place] for one in found], column)
        alone = choice_inputs(dataset)
        alone = list((alone.unbatch() if batch_size else alone).as_numpy_iterator())
        for place, column in enumerate(expected):
            np.testing.assert_array_equal([one[0][place] for one in alone], column)


def test_ready_inputs_come_in_batches():
    for dataset in (SLICES((READY, ANSWERS)), SLICES((READY, ANSWERS)).batch(2)):
        found = list(choice_examples(dataset, 2).as_numpy_iterator())
        assert [index.tolist() for _, index in found] == [[2, 1], [0, 1], [2]]
        assert [x["token_ids"].shape for x, _ in found] == [(2, 3, 7), (2, 3, 7), (1, 3, 7)]
        for inputs in (dataset, dataset.map(lambda x, _: x)):
            assert sum(len(x["token_ids"]) for (x,) in choice_inputs(inputs).as_numpy_iterator()) == 5


BAD = {
    "no answers": SLICES(EXAMPLES),
    "one text": SLICES((CONTEXTS, ANSWERS)),
    "one choice": SLICES(((CONTEXTS, [row[:1] for row in CHOICES]), ANSWERS)),
    "numbers for choices": SLICES(((CONTEXTS, np.ones((5, 3), int)), ANSWERS)),
    "choices that are texts": SLICES(((CONTEXTS, CONTEXTS), ANSWERS)),
    "ragged choices": SLICES(((CONTEXTS, tf.ragged.constant([["a", "b"]] * 4 + [["c"] * 3])), ANSWERS)),
    "a float": SLICES((EXAMPLES, [0.0] * 5)),
    "a row of answers": SLICES((EXAMPLES, [[0, 1]] * 5)),
    "texts for ready inputs": SLICES((READY, TEXTS)),
    "ready inputs of rows": SLICES(({name: part[:, 0] for name, part in READY.items()}, ANSWERS)),
}


@pytest.mark.parametrize("name", BAD)
def test_datasets_of_other_things_are_refused(name):
    with pytest.raises(ValueError, match=r"must give \(\(context, question, choices\), answer\).* Received: "):
        choice_examples(BAD[name], 32)


def test_a_dataset_of_other_things_is_not_predicted():
    for dataset in (SLICES(CONTEXTS), SLICES((CONTEXTS, CONTEXTS)), BAD["ready inputs of rows"]):
        with pytest.raises(ValueError, match="A dataset must give .* Received: "):
            choice_inputs(dataset)


@pytest.mark.parametrize(
    ("x", "answers", "found"),
    [
        (EXAMPLES, [2, 1, 0, 3, 2], "3"),
        (EXAMPLES, [2, 1, 0, -1, 2], "-1"),
        (EXAMPLES, [*TEXTS[:-1], "i"], "i"),
        (READY, [2, 1, 0, 3, 2], "3"),
    ],
)
@pytest.mark.parametrize("batch_size", [None, 5])
def test_an_answer_of_a_dataset_that_there_is_not_is_named(x, answers, found, batch_size):
    dataset = SLICES((x, answers))
    dataset = dataset.batch(batch_size) if batch_size else dataset
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"(?s)must be indices of choices.*Received:.*{found}"):
        list(choice_examples(dataset, 5))
