"""Packing: by hand, against the original's loop over all small lengths, and against transformers on real pairs."""

import csv
import itertools

import pytest
import tensorflow as tf

from keras_bert.text.packing import TRUNCATIONS, pack_segments, truncated_lengths
from keras_bert.text.preprocessor import BertPreprocessor
from keras_bert.text.tokenizer import BertTokenizer

IDS = {"cls_id": 2, "sep_id": 3, "pad_id": 0}


def ragged(rows):
    return tf.ragged.constant(rows, tf.int32, ragged_rank=1)


def packed(*segments, **settings):
    inputs = pack_segments(tuple(map(ragged, segments)), **IDS, **settings)
    assert set(inputs) == {"token_ids", "segment_ids", "padding_mask"}
    assert {tensor.dtype for tensor in inputs.values()} == {tf.int32}
    return tuple(inputs[name].numpy().tolist() for name in ("token_ids", "segment_ids", "padding_mask"))


def test_one_segment():
    token_ids, segment_ids, padding_mask = packed([[7, 8, 9], [], [6]], sequence_length=12)
    assert token_ids == [[2, 7, 8, 9, 3], [2, 3, 0, 0, 0], [2, 6, 3, 0, 0]]
    assert segment_ids == [[0] * 5] * 3
    assert padding_mask == [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]]


def test_two_segments():
    token_ids, segment_ids, padding_mask = packed([[7, 8], [], [6], []], [[4], [5, 5], [], []], sequence_length=12)
    assert token_ids == [[2, 7, 8, 3, 4, 3], [2, 3, 5, 5, 3, 0], [2, 6, 3, 3, 0, 0], [2, 3, 3, 0, 0, 0]]
    assert segment_ids == [[0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0]]
    assert padding_mask == [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0]]


def test_fixed_rows_are_as_wide_as_asked():
    token_ids, segment_ids, padding_mask = packed([[7], [8]], [[4, 4], []], sequence_length=8, padding="fixed")
    assert token_ids == [[2, 7, 3, 4, 4, 3, 0, 0], [2, 8, 3, 3, 0, 0, 0, 0]]
    assert segment_ids == [[0, 0, 0, 1, 1, 1, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0]]
    assert padding_mask == [[1, 1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0, 0, 0]]


def test_padding_has_the_id_of_pad():
    inputs = pack_segments((ragged([[7], []]),), cls_id=12, sep_id=13, pad_id=9, sequence_length=4)
    assert inputs["token_ids"].numpy().tolist() == [[12, 7, 13], [12, 13, 9]]


def test_a_long_segment_is_cut_at_its_end():
    assert packed([[4, 5, 6, 7, 8], [9]], sequence_length=5)[0] == [[2, 4, 5, 6, 3], [2, 9, 3, 0, 0]]
    assert packed([[4, 5, 6]], sequence_length=3)[0] == [[2, 4, 3]]


@pytest.mark.parametrize(
    ("truncation", "row"),
    [
        ("longest_first", [2, 11, 12, 3, 21, 22, 3]),
        ("only_first", [2, 11, 3, 21, 22, 23, 3]),
        ("only_second", [2, 11, 12, 13, 14, 3, 3]),
    ],
)
def test_a_long_pair_is_cut_where_asked(truncation, row):
    segments = [[11, 12, 13, 14]], [[21, 22, 23]]
    assert packed(*segments, sequence_length=7, truncation=truncation)[0] == [row]


@pytest.mark.parametrize("truncation", TRUNCATIONS)
def test_three_places_hold_the_special_tokens_of_a_pair(truncation):
    for a, b in (([7, 8], [9]), ([], [9, 9]), ([], [])):
        assert packed([a], [b], sequence_length=3, truncation=truncation) == ([[2, 3, 3]], [[0, 0, 1]], [[1, 1, 1]])


@pytest.mark.parametrize("count", [1, 2])
def test_no_rows_stay_no_rows(count):
    for padding, width in (("longest", 1 + count), ("fixed", 6)):  # as wide as the special tokens
        inputs = pack_segments((ragged([]),) * count, **IDS, sequence_length=6, padding=padding)
        assert {tuple(tensor.shape) for tensor in inputs.values()} == {(0, width)}


def test_int64_segments_are_taken():
    segments = tf.ragged.constant([[7], []], tf.int64), tf.ragged.constant([[], [8]], tf.int64)
    assert pack_segments(segments, **IDS, sequence_length=5)["token_ids"].numpy().tolist() == [[2, 7, 3, 3]] + [
        [2, 3, 8, 3]
    ]


def test_fixed_rows_have_a_static_width_in_graphs():
    spec = tf.RaggedTensorSpec((None, None), tf.int32)
    call = tf.function(lambda a: pack_segments((a,), **IDS, sequence_length=9, padding="fixed"))
    shapes = call.get_concrete_function(spec).structured_outputs
    assert {tuple(tensor.shape) for tensor in shapes.values()} == {(None, 9)}


def popped(a, b, budget, truncation):
    """The original's loop: one token at a time from the end of the longer segment, of b when both are equal."""
    while a + b > budget:
        if truncation == "only_first":
            from_a = a > 0
        elif truncation == "only_second":
            from_a = b == 0
        else:
            from_a = a > b
        a, b = (a - 1, b) if from_a else (a, b - 1)
    return a, b


@pytest.mark.parametrize("truncation", TRUNCATIONS)
def test_small_lengths_are_cut_like_the_loop(truncation):
    pairs = list(itertools.product(range(13), repeat=2))
    a, b = tf.constant(pairs, tf.int32)[:, 0], tf.constant(pairs, tf.int32)[:, 1]
    for budget in range(27):
        first, second = truncated_lengths((a, b), budget, truncation)
        kept = list(zip(first.numpy().tolist(), second.numpy().tolist(), strict=True))
        assert kept == [popped(*pair, budget, truncation) for pair in pairs], budget
        (alone,) = truncated_lengths((a,), budget, truncation)
        assert alone.numpy().tolist() == [min(x, budget) for x, _ in pairs]


@pytest.mark.parametrize("truncation", TRUNCATIONS)
@pytest.mark.parametrize("padding", ["longest", "fixed"])
def test_small_pairs_are_packed_like_a_loop(truncation, padding):
    pairs = list(itertools.product(range(6), repeat=2))
    first = [[100 * a + i for i in range(a)] for a, _ in pairs]
    second = [[1000 * b + i + 7 for i in range(b)] for _, b in pairs]
    for length in range(3, 15):
        expected = []
        for one, two in zip(first, second, strict=True):
            a, b = popped(len(one), len(two), length - 3, truncation)
            row = [2, *one[:a], 3, *two[:b], 3]
            expected.append((row, [0] * (a + 2) + [1] * (b + 1), [1] * len(row)))
        width = length if padding == "fixed" else max(len(row) for row, _, _ in expected)
        expected = [[part + [0] * (width - len(part)) for part in row] for row in expected]
        settings = {"sequence_length": length, "truncation": truncation, "padding": padding}
        assert packed(first, second, **settings) == tuple(map(list, zip(*expected, strict=True)))


def read_pairs(path, columns, count):
    with open(path, encoding="utf-8-sig") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    return [tuple(row[column] for column in columns) for row in rows[:: len(rows) // count]]


# An odd length leaves an even number of places, where transformers cuts equal segments as the original does. With an
# odd number its Rust code gives the last place to the second segment, the original to the first.
@pytest.mark.parametrize(
    ("truncation", "length"), [("longest_first", 15), ("longest_first", 41), ("only_first", 60), ("only_second", 60)]
)
@pytest.mark.parametrize("padding", ["longest", "fixed"])
def test_real_pairs_are_packed_as_by_transformers(shared_data, truncation, length, padding):
    transformers = pytest.importorskip("transformers", reason="needs the extra [oracles]")
    path = shared_data / "bert_vocab" / "bert-base-uncased-vocab.txt"
    pairs = read_pairs(shared_data / "mrpc" / "msr-para-train.tsv", (3, 4), 400)
    pairs += read_pairs(shared_data / "sick" / "SICK_train.txt", (1, 2), 400)
    tokenizer, theirs = BertTokenizer(path), transformers.BertTokenizerFast(str(path))
    if truncation != "longest_first":  # theirs cannot cut what needs more than one segment to shrink
        other = 1 if truncation == "only_first" else 0
        lengths = tokenizer([pair[other] for pair in pairs]).row_lengths().numpy()
        pairs = [pair for pair, n in zip(pairs, lengths, strict=True) if n < length - 3]
    assert len(pairs) > 700
    first, second = map(list, zip(*pairs, strict=True))
    expected = theirs(
        first, second, truncation=truncation, max_length=length, padding="max_length" if padding == "fixed" else True
    )
    inputs = BertPreprocessor(tokenizer, length, truncation, padding)((first, second))
    assert max(map(sum, expected["attention_mask"])) == length  # some were cut
    assert inputs["token_ids"].numpy().tolist() == expected["input_ids"]
    assert inputs["segment_ids"].numpy().tolist() == expected["token_type_ids"]
    assert inputs["padding_mask"].numpy().tolist() == expected["attention_mask"]
