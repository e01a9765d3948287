"""Words that stay whole: where they are found, where not, and that the rest of the text does not notice."""

import random

import pytest
import tensorflow as tf

from keras_bert.text.tokenizer import BertTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = ["a", "b", "##a", "##b", "中", "国", "人", ".", "na", "##na", "##cl", "##o", "e", "##e"]


def whole(*words, **settings):
    return BertTokenizer([*SPECIAL, *PIECES, *words], never_split=words, **settings)


def found(tokenizer, text):
    """The pieces of a text, as words."""
    return [tokenizer.vocabulary.tokens[i] for i in tokenizer(text).numpy()]


@pytest.mark.parametrize(
    ("word", "text", "pieces"),
    [
        ("NaCl", "a NaCl.b", ["a", "NaCl", ".", "b"]),
        ("NaCl", "NaClO aNaCl", ["na", "##cl", "##o", "a", "##na", "##cl"]),
        ("NaCl", "nacl NACL", ["na", "##cl", "na", "##cl"]),
        ("NaCl", "中NaCl国", ["中", "NaCl", "国"]),
        ("NaCl", "NaClNaCl", ["na", "##cl", "##na", "##cl"]),
        ("NaCl", "NaCl NaCl", ["NaCl", "NaCl"]),
        ("[E1]", "a[E1]b[E1][E1]", ["a", "[E1]", "b", "[E1]", "[E1]"]),
        ("[E1]", "[e1]", ["[UNK]"] * 3),
        ("a_b", "a_b a_bb", ["a_b", "a", "[UNK]", "b", "##b"]),
        ("C++", "C++ C++a", ["C++", "C++", "a"]),
        (".*", "ab .*", ["a", "##b", ".*"]),
        ("中国", "a中国人国中中国", ["a", "中国", "人", "国", "中", "中国"]),
        ("über", "a über b", ["a", "über", "b"]),
        ("👍🏽", "a👍🏽b👍", ["a", "👍🏽", "[UNK]"]),
        ("a b", "a a b.a b b", ["a", "a b", ".", "a b", "b"]),
        ("e\u0301", "e\u0301 é e", ["e\u0301", "e", "e"]),
        ("a", "a A aa", ["a", "a", "a", "##a"]),
        ("New York", "New York New Jersey", ["New York", "[UNK]", "[UNK]"]),
        ("a", "\0a\0 a b\0", ["a", "a", "b"]),
        ("NaCl", b"a\xff NaCl\xc3 Na\xffCl b\xe4", ["a", "NaCl", "NaCl", "b"]),
        ("-", "a--b", ["a", "-", "-", "b"]),
    ],
)
def test_a_word_is_found_as_it_stands(word, text, pieces):
    tokenizer = whole(word)
    assert found(tokenizer, text) == pieces
    assert tokenizer.tokenize_with_offsets(text)[0].numpy().tolist() == tokenizer(text).numpy().tolist()


def test_the_longest_word_is_found_first():
    for words in (("中国", "中国人", "中"), ("中", "中国人", "中国")):
        assert found(whole(*words), "中国人中国国中") == ["中国人", "中国", "国", "中"]
    assert found(whole("a b", "a"), "a b a") == ["a b", "a"]
    assert found(whole("a", "a b"), "a b a") == ["a b", "a"]


def test_special_tokens_and_words_go_together():
    tokenizer = whole("NaCl", special_tokens_in_text=True)
    assert found(tokenizer, "NaCl[MASK]NaCl[SEP]") == ["NaCl", "[MASK]", "NaCl", "[SEP]"]
    # A special token in `never_split` is asked for as well; the others stay text.
    one = BertTokenizer([*SPECIAL, "a"], never_split=["[MASK]"])
    assert found(one, "[MASK]a[SEP]") == ["[MASK]", "a", "[UNK]", "[UNK]", "[UNK]"]


def test_repeated_words_get_the_later_id():
    tokenizer = BertTokenizer([*SPECIAL, "NaCl", "a", "NaCl"], never_split=["NaCl", "NaCl"])
    assert tokenizer("a NaCl").numpy().tolist() == [6, 7]


def test_a_word_longer_than_the_longest_is_still_whole():
    assert found(whole("NaCl", longest_word=2), "NaCl aa aaa NaCl") == ["NaCl", "a", "##a", "[UNK]", "NaCl"]


def test_ten_thousand_words_are_found():
    words = [f"w{i}x" for i in range(10_000)]
    tokenizer = whole(*words)
    texts = [f"a {word} b" for word in words[::97]]
    ids = tokenizer(texts).to_list()
    assert [tokenizer.vocabulary.tokens[row[1]] for row in ids] == words[::97]
    assert {len(row) for row in ids} == {3}


def test_added_tokens_stay_whole_and_the_old_ids_stay():
    old = whole("NaCl", lowercase=False, longest_word=9)
    new = old.with_tokens(["[E1]", "中国", "NaCl", "a"])
    assert new.never_split == ("NaCl", "[E1]", "中国", "a")
    assert len(new.vocabulary) == len(old.vocabulary) + 2
    assert new.vocabulary.tokens[: len(old.vocabulary)] == old.vocabulary.tokens
    assert found(new, "[E1]NaCl[E1] 中国 a") == ["[E1]", "NaCl", "[E1]", "中国", "a"]
    assert (new.lowercase, new.longest_word) == (False, 9)
    assert old.never_split == ("NaCl",)


def test_words_beyond_the_vocabulary_are_named():
    with pytest.raises(ValueError, match=r"must be in the vocabulary. Received: 'x', 'y'. Add them with `tokenizer"):
        BertTokenizer([*SPECIAL, "a"], never_split=["x", "a", "y"])


@pytest.mark.parametrize("words", ["ab", [""], ["a", ""]])
def test_what_is_no_list_of_words_is_refused(words):
    with pytest.raises(ValueError, match=r"`never_split` must be a list of words. Received: .*. Use \['a word'\]"):
        BertTokenizer([*SPECIAL, "a", "b", ""], never_split=words)


@pytest.mark.parametrize("lowercase", [True, False])
def test_random_texts_are_the_sum_of_their_parts(lowercase):
    words = ["NaCl", "[E1]", "中国", "a b", "ü", "🙂"]
    tokenizer = whole(*words, lowercase=lowercase)
    id_of = tokenizer.vocabulary.id_of
    gaps = ["", " ", "a", " é中", "e\u0301.", "\0 ", "人", "ab\n", "[E", "\u200b", "e" * 201]
    without = BertTokenizer(tokenizer.vocabulary, lowercase=lowercase)
    gap_ids = dict(zip(gaps, without(gaps).to_list(), strict=True))
    rng = random.Random(3)
    parts = [[(rng.choice(gaps), rng.choice(words)) for _ in range(rng.randrange(5))] for _ in range(300)]
    texts = ["".join(f" {gap} {word}" for gap, word in row) for row in parts]
    expected = [[i for gap, word in row for i in (*gap_ids[gap], id_of(word))] for row in parts]
    assert tokenizer(texts).to_list() == expected
    assert tf.function(tokenizer)(tf.constant(texts)).to_list() == expected
    ids, starts, ends = (x.to_list() for x in tokenizer.tokenize_with_offsets(texts))
    assert ids == expected
    for text, *row in zip(texts, ids, starts, ends, strict=True):
        whole_parts = [text[start:end] for i, start, end in zip(*row, strict=True) if i >= id_of("NaCl")]
        assert whole_parts == [tokenizer.vocabulary.tokens[i] for i in row[0] if i >= id_of("NaCl")]
