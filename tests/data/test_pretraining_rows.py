"""From sentences to packed rows: pairs as BERT's, nothing lost between text and row, hardly any padding."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data.packed_rows import assign_rows
from keras_bert.data.pretraining_rows import build_rows
from keras_bert.data.sentence_pairs import Documents, draw_pairs

CLS, SEP = 1, 2


def corpus(documents=60, seed=0, longest_document=40):
    """Every token's id is its place plus 3, so that it tells where it is from."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, longest_document, documents)
    sizes = rng.integers(1, 45, counts.sum())
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype("int32")
    bounds = np.concatenate([[0], np.cumsum(counts)]).astype("int32")
    return Documents(tf.constant(starts), tf.constant(bounds))


def numpy(pairs):
    return {name: tensor.numpy() for name, tensor in pairs._asdict().items()}


def sentence_of(documents, token):
    return np.searchsorted(documents.sentence_starts.numpy(), token, side="right") - 1


def document_of(documents, token):
    return np.searchsorted(documents.document_starts.numpy(), sentence_of(documents, token), side="right") - 1


# ---- Pairs


def test_half_of_the_pairs_follow_and_the_others_come_from_other_documents():
    documents = corpus(3000)
    pairs = numpy(draw_pairs(documents, [0, 1], size=125))
    count = len(pairs["label"])
    assert count > 10_000
    assert abs(pairs["label"].mean() - 0.5) < 3 * 0.5 / np.sqrt(count)
    first, second = (document_of(documents, pairs[f"{name}_begin"]) for name in ("first", "second"))
    np.testing.assert_array_equal(first == second, pairs["label"] == 0)
    follows = pairs["label"] == 0
    gap = pairs["second_begin"] - pairs["first_begin"] - pairs["first_size"]
    assert (gap[follows] >= 0).all() and (gap[follows] < 125).all()


@pytest.mark.parametrize("next_sentence", ["nsp", "sop", "none"])
@pytest.mark.parametrize("size", [125, 30, 7])
def test_pairs_fit_and_stay_inside_their_documents(next_sentence, size):
    documents = corpus()
    pairs = numpy(draw_pairs(documents, [0, 1], size=size, next_sentence=next_sentence))
    total = pairs["first_size"] + pairs["second_size"]
    assert total.max() == size
    assert pairs["first_size"].min() > 0
    assert (pairs["second_size"] > 0).all() == (next_sentence != "none")
    for name in ("first", "second"):
        begin, length = pairs[f"{name}_begin"], pairs[f"{name}_size"]
        some = length > 0
        ends = document_of(documents, begin + length - 1)[some]
        np.testing.assert_array_equal(document_of(documents, begin)[some], ends)


def test_every_sentence_is_read_when_nothing_is_short_or_random():
    documents = corpus()
    pairs = numpy(
        draw_pairs(documents, [0, 1], size=10_000, next_sentence="none", short_sequence_probability=0.0)
    )
    starts = documents.sentence_starts.numpy()[documents.document_starts.numpy()]
    np.testing.assert_array_equal(pairs["first_begin"], starts[:-1])
    np.testing.assert_array_equal(pairs["first_size"], np.diff(starts))


@pytest.mark.parametrize("next_sentence", ["nsp", "sop"])
def test_documents_of_many_sentences_are_first_segments_of_nearly_all_their_tokens(next_sentence):
    documents = corpus()
    pairs = numpy(draw_pairs(documents, [3, 1], size=125, next_sentence=next_sentence))
    seen = np.zeros(documents.sentence_starts.numpy()[-1] + 1, bool)
    for name in ("first", "second"):
        for begin, size in zip(pairs[f"{name}_begin"], pairs[f"{name}_size"], strict=True):
            seen[begin : begin + size] = True
    assert seen.mean() > 0.85


def test_sentence_order_swaps_half_of_the_pairs():
    documents = corpus(3000)
    pairs = numpy(draw_pairs(documents, [0, 1], size=125, next_sentence="sop"))
    assert abs(pairs["label"].mean() - 0.5) < 3 * 0.5 / np.sqrt(len(pairs["label"]))
    swapped = pairs["first_begin"] > pairs["second_begin"]
    np.testing.assert_array_equal(swapped, pairs["label"] == 1)


def test_some_runs_are_short():
    documents = corpus(1000, longest_document=100)
    short = {}
    for probability in (0.0, 0.5):
        pairs = numpy(draw_pairs(documents, [0, 1], size=125, short_sequence_probability=probability))
        short[probability] = ((pairs["first_size"] + pairs["second_size"]) < 60).mean()
    assert short[0.5] > short[0.0] + 0.1


def test_too_long_segments_lose_tokens_at_both_ends_and_the_longer_one_first():
    documents = Documents(tf.constant([0, 500, 510] * 1 + [1010, 1020]), tf.constant([0, 2, 4]))
    lost = set()
    for seed in range(60):
        pairs = numpy(draw_pairs(documents, [0, seed], size=60, short_sequence_probability=0.0))
        for place in np.flatnonzero(pairs["label"] == 0):
            assert (pairs["first_size"][place], pairs["second_size"][place]) == (50, 10)
            lost.add(int(pairs["first_begin"][place]) % 510)
    assert len(lost) > 20 and max(lost) > 300 and min(lost) < 150


def test_an_unknown_kind_of_pair_is_refused():
    with pytest.raises(ValueError, match="must be one of nsp, sop, none. Received: next_sentence='both'"):
        draw_pairs(corpus(), [0, 1], size=20, next_sentence="both")


# ---- Rows


@pytest.mark.parametrize("max_examples", [1, 3, 8])
def test_examples_share_rows_and_do_not_overlap(max_examples):
    sizes = np.random.default_rng(0).integers(1, 65, 700)
    sizes[:300] = 64
    rows, positions, places, count = (t.numpy() for t in assign_rows(sizes, 64, max_examples))
    assert sorted(set(rows)) == list(range(count))
    used = np.zeros((count, 64), int)
    for size, row, position in zip(sizes, rows, positions, strict=True):
        used[row, position : position + size] += 1
    assert used.max() == 1 and used.sum() == sizes.sum()
    for row in range(count):
        inside = np.flatnonzero(rows == row)
        assert len(inside) <= max_examples
        order = inside[np.argsort(positions[inside])]
        np.testing.assert_array_equal(places[order], np.arange(len(order)))
        assert (positions[order] == np.concatenate([[0], np.cumsum(sizes[order])[:-1]])).all()
    if max_examples == 8:
        assert sizes.sum() / (count * 64) > 0.97
    elif max_examples == 1:
        assert count == 700


def test_no_examples_need_no_rows():
    assert int(assign_rows(tf.zeros([0], tf.int32), 64, 8)[-1]) == 0


def rows_of(documents, seed=(0, 1), **how):
    count = int(documents.sentence_starts[-1])
    ids = np.arange(3, count + 3, dtype="int32")
    word_starts = np.random.default_rng(5).random(count) < 0.7
    rows = build_rows(ids, word_starts, documents, seed, cls_id=CLS, sep_id=SEP, **how)
    return {name: tensor.numpy() for name, tensor in rows.items()}, word_starts


@pytest.mark.parametrize("next_sentence", ["nsp", "sop", "none"])
def test_a_row_holds_whole_examples_of_the_text(next_sentence):
    documents = corpus()
    rows, word_starts = rows_of(documents, next_sentence=next_sentence, row_size=128)
    examples = 0
    for row in range(len(rows["token_ids"])):
        mask = rows["padding_mask"][row]
        assert (np.diff(mask[mask > 0]) >= 0).all() and mask[0] == 1
        for example in range(1, mask.max() + 1):
            inside = np.flatnonzero(mask == example)
            ids, segments = rows["token_ids"][row, inside], rows["segment_ids"][row, inside]
            assert rows["cls_positions"][row, example - 1] == inside[0]
            assert ids[0] == CLS and ids[-1] == SEP and (ids == CLS).sum() == 1
            cut = np.flatnonzero(ids == SEP)
            assert len(cut) == (1 if next_sentence == "none" else 2)
            assert (segments == (np.arange(len(ids)) > cut[0])).all()
            for part in np.split(ids, cut)[:-1]:
                tokens = part[part > 2]
                assert (np.diff(tokens) == 1).all() and len(tokens) > 0
                places = inside[np.isin(ids, tokens)]
                np.testing.assert_array_equal(rows["word_starts"][row, places], word_starts[tokens - 3])
            examples += 1
        np.testing.assert_array_equal(rows["cls_weights"][row], np.arange(8) < mask.max())
        assert (rows["token_ids"][row, mask == 0] == 0).all()
    assert examples == rows["cls_weights"].sum() > 60
    if next_sentence == "none":
        assert (rows["next_sentence_labels"] == 0).all()


@pytest.mark.parametrize(("row_size", "max_examples"), [(128, 8), (512, 16)])
def test_rows_are_full(row_size, max_examples):
    rows, _ = rows_of(corpus(300, longest_document=80), row_size=row_size, max_examples=max_examples)
    assert (rows["padding_mask"] > 0).mean() > 0.97


def test_the_seed_alone_decides():
    documents = corpus()
    (first, _), (again, _), (other, _) = (rows_of(documents, seed) for seed in ((4, 1), (4, 1), (4, 2)))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert (
        first["token_ids"].shape != other["token_ids"].shape
        or (first["token_ids"] != other["token_ids"]).any()
    )
