"""The batches of `predict`: sorted by length, of about as many tokens each, in windows that fit into memory."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data import token_budget
from keras_bert.data.token_budget import portions, prediction_batches
from tests.classifiers import NAMES, TEXTS, make_preprocessor

OTHERS = ["no", "good film", "a", "story", "is it", "the day", "long"]
BYTES = [text.encode() for text in TEXTS]
OTHER_BYTES = [text.encode() for text in OTHERS]
PREPROCESSOR = make_preprocessor()
READY = {name: tensor.numpy() for name, tensor in PREPROCESSOR(TEXTS).items()}
SLICES = tf.data.Dataset.from_tensor_slices


def windowed(x, pairs=None):
    """The portions as lists of texts, pairs of such lists, or dicts of arrays."""
    found = []
    for portion in portions(x, PREPROCESSOR, pairs):
        is_ready = isinstance(portion, dict)
        found.append(portion if is_ready else [part.numpy().tolist() for part in portion])
    return found


@pytest.fixture
def small_portions(monkeypatch):
    monkeypatch.setattr(token_budget, "_PORTION", 3)


@pytest.mark.parametrize(
    "x", [TEXTS, np.array(TEXTS), tf.constant(TEXTS), SLICES(TEXTS), SLICES(TEXTS).batch(2)]
)
def test_texts_are_cut_into_portions(small_portions, x):
    assert windowed(x) == [[BYTES[0:3]], [BYTES[3:6]], [BYTES[6:]]]


@pytest.mark.parametrize(
    "x",
    [
        (TEXTS, OTHERS),
        list(zip(TEXTS, OTHERS, strict=True)),
        SLICES((TEXTS, OTHERS)),
        SLICES((TEXTS, OTHERS)).batch(2),
        SLICES(((TEXTS, OTHERS), NAMES)),
        SLICES(((TEXTS, OTHERS), NAMES, [1.0] * 7)).batch(4),
    ],
)
def test_pairs_are_cut_into_portions(small_portions, x):
    parts = (slice(0, 3), slice(3, 6), slice(6, 7))
    assert windowed(x, pairs=True) == [[BYTES[part], OTHER_BYTES[part]] for part in parts]


@pytest.mark.parametrize(
    "x",
    [
        SLICES((TEXTS, NAMES)),
        SLICES((TEXTS, NAMES)).batch(2),
        SLICES((TEXTS, [1] * 7)),
        SLICES((TEXTS, NAMES, [1.0] * 7)),
        SLICES((TEXTS,)),
        SLICES(TEXTS).filter(lambda text: True),
    ],
)
def test_labels_and_weights_of_a_dataset_are_left_out(x):
    assert windowed(x, pairs=False) == [[BYTES]]


@pytest.mark.parametrize("x", [READY, SLICES(READY), SLICES(READY).batch(2), SLICES((READY, NAMES)).batch(3)])
def test_ready_inputs_are_cut_into_portions(small_portions, x):
    found = windowed(x)
    assert max(len(window["token_ids"]) for window in found) <= 3
    for name, array in READY.items():
        np.testing.assert_array_equal(np.concatenate([window[name] for window in found]), array)


@pytest.mark.parametrize(
    "x", [[], np.array([], str), ([], []), SLICES(TEXTS).take(0), {k: v[:0] for k, v in READY.items()}]
)
def test_nothing_makes_no_window(x):
    assert windowed(x) == []


@pytest.mark.parametrize("x", [TEXTS, SLICES(TEXTS)])
def test_texts_need_a_preprocessor(x):
    with pytest.raises(
        ValueError, match="without a preprocessor takes dicts of encoder inputs. Received: texts"
    ):
        list(portions(x, None))


@pytest.mark.parametrize(
    "dataset", [SLICES({"token_ids": [[1]]}), SLICES(({"token_ids": [[1]]}, [1])).batch(1)]
)
def test_incomplete_ready_inputs_are_refused(dataset):
    with pytest.raises(ValueError, match="Received: token_ids. Add segment_ids, padding_mask"):
        list(portions(dataset, PREPROCESSOR))


def batches_of(x, batch_size=None, padding=None):
    (features,) = portions(x, PREPROCESSOR)
    dataset, order = prediction_batches(features, PREPROCESSOR, batch_size, padding)
    return list(dataset.as_numpy_iterator()), order


def test_rows_come_by_length_and_the_order_tells_whose_they_are():
    found, order = batches_of(TEXTS, batch_size=3)
    assert order.tolist() == [
        3,
        0,
        1,
        6,
        2,
        4,
        5,
    ]  # "films" is two pieces; of equal ones the first comes first
    assert [batch["token_ids"].shape for batch in found] == [(3, 12), (3, 4), (1, 3)]
    rows = np.concatenate(
        [np.pad(batch["token_ids"], [(0, 0), (0, 12 - batch["token_ids"].shape[1])]) for batch in found]
    )
    np.testing.assert_array_equal(rows[np.argsort(order)], READY["token_ids"])


def test_a_batch_holds_a_budget_of_tokens(monkeypatch):
    monkeypatch.setattr(token_budget, "_TOKENS_PER_BATCH", 24)
    found, _ = batches_of(TEXTS)
    assert [batch["token_ids"].shape for batch in found] == [(2, 12), (4, 5), (1, 3)]
    monkeypatch.setattr(token_budget, "_TOKENS_PER_BATCH", 1)
    assert [len(batch["token_ids"]) for batch in batches_of(TEXTS)[0]] == [1] * 7


def test_fixed_rows_are_all_as_long():
    found, order = batches_of(TEXTS, batch_size=4, padding="fixed")
    assert [batch["token_ids"].shape for batch in found] == [(4, 14), (3, 14)]
    assert order.tolist() == list(range(7))


def test_lengths_of_pairs_count_both_sides_and_end_at_the_longest_row():
    _, order = batches_of((["a", "a bad film", "a"], ["a " * 50, "no", "a"]))
    assert order.tolist() == [0, 1, 2]
    _, order = batches_of((["a " * 20, "a " * 30], ["no", "no"]))
    assert order.tolist() == [0, 1]  # both are cut to the same length


def test_ready_inputs_keep_their_order():
    found, order = batches_of(READY, batch_size=4)
    assert order.tolist() == list(range(7))
    assert [len(batch["token_ids"]) for batch in found] == [4, 3]
    np.testing.assert_array_equal(np.concatenate([batch["token_ids"] for batch in found]), READY["token_ids"])
