"""A corpus in shards: what is written is what the tokenizer gives, and what is not whole is not read."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data.records import read_shards, write_shard
from keras_bert.text.tokenizer import BertTokenizer

PIECES = ["the", "cat", "sat", "on", "a", "mat", "##s", "un", "##usual", ".", "!", "x", "##x", *"我爱北京。"]
TOKENIZER = BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *PIECES])


def round_trip(path, documents, **options):
    counts = write_shard(path, documents, TOKENIZER, **options)
    token_ids, word_starts, found = read_shards(tf.constant([str(path)]))
    return counts, token_ids.numpy(), word_starts.numpy(), *(tensor.numpy() for tensor in found)


def test_documents_come_back_with_their_sentences_and_words(tmp_path):
    documents = [["The cats sat. A mat!", "Unusual cat."], ["我爱北京。我爱cats。"], ["the"]]
    counts, token_ids, word_starts, sentence_starts, document_starts = round_trip(tmp_path / "shard", documents)
    assert counts == {"documents": 3, "long_documents": 2, "sentences": 6, "tokens": len(token_ids)}
    sentences = ["The cats sat.", "A mat!", "Unusual cat.", "我爱北京。", "我爱cats。", "the"]
    rows = TOKENIZER(sentences)
    np.testing.assert_array_equal(token_ids, rows.flat_values)
    np.testing.assert_array_equal(sentence_starts, rows.row_splits)
    assert document_starts.tolist() == [0, 3, 5, 6]
    pieces = [TOKENIZER.vocabulary.tokens[i] for i in token_ids]
    assert word_starts.tolist() == [not piece.startswith("##") for piece in pieces]


def test_spaces_segment_chinese_words(tmp_path):
    _, token_ids, word_starts, *_ = round_trip(
        tmp_path / "shard", [["我 爱 北京 。 the cats"]], word_segmentation="spaces"
    )
    pieces = [TOKENIZER.vocabulary.tokens[i] for i in token_ids]
    assert pieces == ["我", "爱", "北", "京", "。", "the", "cat", "##s"]
    assert word_starts.astype(int).tolist() == [1, 1, 1, 0, 1, 1, 1, 0]
    np.testing.assert_array_equal(token_ids, TOKENIZER("我爱北京。 the cats"))


def test_what_has_no_full_stops_is_cut_between_words(tmp_path):
    text = " ".join(["cats", "x"] * 300)  # 900 tokens
    _, token_ids, word_starts, starts, bounds = round_trip(tmp_path / "shard", [[text], ["the cat"]])
    np.testing.assert_array_equal(token_ids[:900], TOKENIZER(text))
    assert bounds.tolist() == [0, len(starts) - 2, len(starts) - 1]
    sizes = np.diff(starts)
    assert sizes.max() <= 129 and sizes[:-2].min() >= 127 and word_starts[starts[:-1]].all()


def test_one_endless_word_stays_whole(tmp_path):
    counts, token_ids, *_ = round_trip(tmp_path / "shard", [["x" * 200, "cat."]])
    assert counts["sentences"] == 2 and len(token_ids) == 202


def test_empty_documents_and_sentences_leave_nothing(tmp_path):
    counts, _, _, starts, bounds = round_trip(tmp_path / "shard", [["\x00\x01"], ["cat.", "\u200b", "mat."], [" "]])
    assert counts["documents"] == 1 and counts["sentences"] == 2
    assert starts.tolist() == [0, 2, 4] and bounds.tolist() == [0, 2]


def test_several_shards_are_read_as_one(tmp_path):
    for name in "ab":
        write_shard(tmp_path / name, [["The cat. A mat."]] * 3, TOKENIZER)
    token_ids, _, documents = read_shards(tf.constant([str(tmp_path / name) for name in "ab"]))
    assert len(token_ids) == 2 * 3 * 6
    assert documents.document_starts.numpy().tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert documents.sentence_starts.numpy().tolist() == list(range(0, 37, 3))


def test_an_unknown_segmentation_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be one of pieces, spaces\. Received: 'jieba'"):
        write_shard(tmp_path / "shard", [], TOKENIZER, word_segmentation="jieba")
