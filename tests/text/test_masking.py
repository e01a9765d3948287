"""Masking: the right share, the right split, whole units, and the same tokens from the same seed."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.text.masking import mask_tokens

CLS, SEP, MASK = 2, 3, 4
WORDS = range(5, 1005)
HOW = {"mask_token_id": MASK, "random_tokens": list(WORDS), "special_token_ids": [CLS, SEP]}


def rows(count, length=128, seed=0, longest_word=4):
    """Packed rows: examples of [CLS], words, [SEP], of random lengths, and padding at the end."""
    rng = np.random.default_rng(seed)
    inputs = {
        name: np.zeros((count, length), "int32") for name in ("token_ids", "padding_mask", "word_starts")
    }
    for row in range(count):
        place, example = 0, 1
        while place < length - 12:
            size = min(int(rng.integers(8, 70)), length - place)
            tokens = rng.integers(5, 1005, size)
            tokens[0], tokens[-1] = CLS, SEP
            if size > 20:
                tokens[size // 2] = SEP
            starts = np.zeros(size, "int32")
            at = 1
            while at < size:
                starts[at] = 1
                at += int(rng.integers(1, longest_word + 1))
            inputs["token_ids"][row, place : place + size] = tokens
            inputs["padding_mask"][row, place : place + size] = example
            inputs["word_starts"][row, place : place + size] = starts
            place, example = place + size, example + 1
    return inputs


def masked(inputs, seed=(0, 0), **how):
    outputs = mask_tokens(inputs, seed, **HOW | {"max_predictions": 40} | how)
    return {name: np.asarray(tensor) for name, tensor in outputs.items()}


def hidden_places(outputs):
    """bool (B, T)."""
    hidden = np.zeros(outputs["token_ids"].shape, bool)
    row, slot = np.nonzero(outputs["mask_weights"])
    hidden[row, outputs["mask_positions"][row, slot]] = True
    return hidden


@pytest.fixture(scope="module", params=["token", "whole_word", "span"])
def a_million(request):
    inputs = rows(9000)
    return request.param, inputs, masked(inputs, unit=request.param)


def test_the_share_is_as_asked(a_million):
    _, inputs, outputs = a_million
    may_hide = (inputs["padding_mask"] != 0) & ~np.isin(inputs["token_ids"], (CLS, SEP))
    hidden = hidden_places(outputs)
    assert may_hide.sum() > 900_000
    # Over rows, as the tokens of a row are not drawn independently.
    shares = hidden.sum(1) / may_hide.sum(1)
    error = shares.std() / np.sqrt(len(shares))
    assert error < 1e-3
    assert abs(shares.mean() - 0.15) < 3 * error
    assert not hidden[~may_hide].any()


def test_of_ten_hidden_tokens_eight_are_masks_one_is_random_and_one_stays(a_million):
    _, inputs, outputs = a_million
    hidden = hidden_places(outputs)
    shown, stood = outputs["token_ids"][hidden], inputs["token_ids"][hidden]
    count = hidden.sum()
    assert count > 130_000
    for share, found in ((0.8, shown == MASK), (0.1 + 0.1 / 1000, shown == stood)):
        assert abs(found.mean() - share) < 3 * np.sqrt(share * (1 - share) / count)
    others = shown[(shown != MASK) & (shown != stood)]
    assert others.min() == 5 and others.max() == 1004
    counts = np.bincount(others, minlength=1005)[5:]
    assert abs(counts / counts.mean() - 1).max() < 5.5 / np.sqrt(counts.mean())  # of 1,000 tokens
    np.testing.assert_array_equal(outputs["token_ids"][~hidden], inputs["token_ids"][~hidden])


def test_predictions_say_what_stood_where(a_million):
    _, inputs, outputs = a_million
    row, slot = np.nonzero(outputs["mask_weights"])
    positions = outputs["mask_positions"][row, slot]
    np.testing.assert_array_equal(outputs["mask_ids"][row, slot], inputs["token_ids"][row, positions])
    same_row = row[1:] == row[:-1]
    assert (positions[1:] > positions[:-1])[same_row].all()
    empty = outputs["mask_weights"] == 0
    assert (
        empty.any()
        and (outputs["mask_positions"][empty] == 0).all()
        and (outputs["mask_ids"][empty] == 0).all()
    )
    assert set(np.unique(outputs["mask_weights"])) == {0.0, 1.0}


def words_of(inputs):
    """A number for each word: int (B, T), 0 for special tokens and padding."""
    special = np.isin(inputs["token_ids"], (CLS, SEP)) | (inputs["padding_mask"] == 0)
    after = ~special & np.pad(special, [[0, 0], [1, 0]], constant_values=True)[:, :-1]
    starts = (inputs["word_starts"].astype(bool) & ~special) | after
    return np.where(special, 0, np.cumsum(starts.ravel()).reshape(starts.shape))


def test_words_are_hidden_whole(a_million):
    unit, inputs, outputs = a_million
    words, hidden = words_of(inputs), hidden_places(outputs)
    sizes = np.bincount(words.ravel())[1:]
    found = np.bincount(words[hidden], minlength=len(sizes) + 1)[1:]
    assert (sizes > 1).mean() > 0.5
    broken = (found > 0) & (found < sizes)
    assert broken.any() == (unit == "token")


def test_spans_are_runs_of_words_as_long_as_asked(a_million):
    unit, inputs, outputs = a_million
    words, hidden = words_of(inputs), hidden_places(outputs)
    lengths = collections.Counter()
    for row_words, row_hidden in zip(words, hidden, strict=True):
        runs = np.flatnonzero(np.diff(np.pad(row_hidden.astype(int), 1)))
        for low, high in zip(runs[::2], runs[1::2], strict=True):
            lengths[len(set(row_words[low:high]))] += 1
    mean = sum(length * count for length, count in lengths.items()) / lengths.total()
    if unit == "span":
        # 4.46 words without borders and neighbours: examples of 8 to 70 tokens cut some, adjacent ones join.
        assert 2.5 < mean < 5
        assert lengths[1] / lengths.total() < 0.45
    else:
        assert mean < 1.4


@pytest.mark.parametrize("unit", ["token", "whole_word", "span"])
def test_the_seed_alone_decides(unit):
    inputs = rows(50)
    first, again, other = (masked(inputs, seed, unit=unit) for seed in ((3, 1), (3, 1), (3, 2)))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert (hidden_places(first) != hidden_places(other)).mean() > 0.1
    graph = tf.function(lambda seed: mask_tokens(inputs, seed, **HOW, max_predictions=40, unit=unit))
    for name, tensor in graph(tf.constant([3, 1])).items():
        np.testing.assert_array_equal(first[name], tensor)


@pytest.mark.parametrize("unit", ["token", "whole_word", "span"])
def test_no_row_gets_more_than_the_cap(unit):
    outputs = masked(rows(200), max_predictions=5, unit=unit, mask_rate=0.5)
    counts = outputs["mask_weights"].sum(1)
    assert outputs["mask_positions"].shape == (200, 5)
    assert counts.max() == 5
    assert counts.mean() > (0.5 if unit == "span" else 3.5)  # most spans do not fit into five tokens


def test_every_token_is_as_likely():
    inputs = {name: np.tile(array[:1], (20_000, 1)) for name, array in rows(1).items()}
    for unit in ("token", "whole_word"):
        hidden = hidden_places(masked(inputs, unit=unit)).mean(0)
        may_hide = hidden > 0
        assert may_hide.sum() > 90
        assert abs(hidden[may_hide] - 0.15).max() < 4.5 * np.sqrt(0.15 * 0.85 / 20_000)


def test_rows_without_tokens_get_no_predictions():
    inputs = {name: np.zeros((2, 7), "int32") for name in ("token_ids", "padding_mask", "word_starts")}
    inputs["token_ids"][1, :2], inputs["padding_mask"][1, :2] = (CLS, SEP), 1
    for unit in ("token", "whole_word", "span"):
        outputs = masked(inputs, unit=unit)
        assert outputs["mask_weights"].sum() == 0
        np.testing.assert_array_equal(outputs["token_ids"], inputs["token_ids"])


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"unit": "word"}, "`unit` must be one of token, whole_word, span. Received: unit='word'"),
        ({"mask_rate": 15}, "`mask_rate` must be between 0 and 1. Received: mask_rate=15"),
    ],
)
def test_settings_that_cannot_be_are_refused(how, message):
    with pytest.raises(ValueError, match=message):
        masked(rows(1), **how)
