"""The vocabulary: ids by place, repeats, files as editors and releases write them, and clear refusals."""

import pathlib

import pytest

from keras_bert.text.vocabulary import Vocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def test_a_piece_has_its_place_as_id():
    vocabulary = Vocabulary(["[MASK]", "[CLS]", "a", "[UNK]", "##b", "[SEP]", "[PAD]"])
    assert len(vocabulary) == 7
    assert (vocabulary.mask_id, vocabulary.cls_id, vocabulary.unknown_id) == (0, 1, 3)
    assert (vocabulary.sep_id, vocabulary.pad_id) == (5, 6)
    assert vocabulary.id_of("##b") == 4
    assert vocabulary.id_of("b") == vocabulary.unknown_id
    assert "##b" in vocabulary and "b" not in vocabulary


def test_a_repeat_keeps_both_rows_and_the_later_id():
    vocabulary = Vocabulary([*SPECIAL, "a", "b", "a"])
    assert vocabulary.tokens == (*SPECIAL, "a", "b", "a")
    assert len(vocabulary) == 8
    assert vocabulary.id_of("a") == 7


def test_what_cannot_be_searched_for_keeps_its_row():
    tokens = [*SPECIAL, "a", "", "a", "", "b\0", "\x01", "b"]
    searchable = Vocabulary(tokens).searchable_tokens()
    assert len(searchable) == len(set(searchable)) == len(tokens)
    assert [new for new, old in zip(searchable, tokens, strict=True) if new == old] == [*SPECIAL, "a", "b"]
    assert searchable.index("a") == 7


def test_equal_tokens_make_equal_vocabularies():
    assert Vocabulary([*SPECIAL, "a"]) == Vocabulary((*SPECIAL, "a"))
    assert Vocabulary([*SPECIAL, "a"]) != Vocabulary([*SPECIAL, "b"])
    assert Vocabulary(SPECIAL) != SPECIAL


@pytest.mark.parametrize("kind", [str, pathlib.Path])
def test_a_file_holds_a_piece_a_line(tmp_path, kind):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join([*SPECIAL, "a", "##ä", "中"]) + "\n", encoding="utf-8")
    assert Vocabulary(kind(path)).tokens == (*SPECIAL, "a", "##ä", "中")


@pytest.mark.parametrize(
    "text",
    [
        "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\na\r\n",
        "\ufeff[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n",
        "\ufeff[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\na",
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n\n\n",
    ],
    ids=["CRLF", "byte order mark", "both, no last line end", "empty lines at the end"],
)
def test_traces_of_editors_are_no_pieces(tmp_path, text):
    path = tmp_path / "vocab.txt"
    path.write_bytes(text.encode("utf-8"))
    assert Vocabulary(path).tokens == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a")


def test_blank_lines_inside_keep_the_ids_behind_them(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n\n[UNK]\n[CLS]\n\n[SEP]\na\n")
    vocabulary = Vocabulary(path)
    assert vocabulary.id_of("a") == 6
    assert vocabulary.sep_id == 5


def test_the_chinese_release_keeps_its_line_separator(shared_data):
    path = shared_data / "bert_vocab" / "bert-base-chinese-vocab.txt"
    vocabulary = Vocabulary(path)
    assert len(vocabulary) == 21128
    assert "\u2028" in vocabulary
    assert list(vocabulary.tokens) == path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    assert (vocabulary.pad_id, vocabulary.unknown_id, vocabulary.cls_id, vocabulary.sep_id) == (0, 100, 101, 102)
    assert vocabulary.tokens[-1] == "##😎"


def test_a_vocabulary_without_mask_serves_all_but_masking():
    vocabulary = Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"])
    assert vocabulary.id_of("a") == 4
    with pytest.raises(ValueError, match=r"Masking needs \[MASK\] in the vocabulary.*Add it"):
        _ = vocabulary.mask_id


@pytest.mark.parametrize("absent", ["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
def test_a_missing_special_token_is_named(absent):
    tokens = [token for token in SPECIAL if token != absent]
    with pytest.raises(ValueError, match=rf"must hold .* 4 pieces from a list, without \{absent[:-1]}\]\. Check"):
        Vocabulary(tokens)


def test_an_empty_file_is_named(tmp_path):
    path = tmp_path / "vocab.txt"
    path.touch()
    with pytest.raises(ValueError, match=r"0 pieces from '.*vocab.txt', without \[PAD\], \[UNK\], \[CLS\], \[SEP\]"):
        Vocabulary(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"A vocabulary file must exist. Received: '.*gone.txt'. Pass the path"):
        Vocabulary(tmp_path / "gone.txt")
    with pytest.raises(ValueError, match="A vocabulary file must exist"):
        Vocabulary(str(tmp_path))  # a directory


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("[PAD]\nfür\n".encode("latin-1"))
    with pytest.raises(ValueError, match="vocab.txt` must be UTF-8: .*position 7.* Save it in that encoding"):
        Vocabulary(path)


@pytest.mark.parametrize("token", [3, None, b"a", 1.5])
def test_a_token_that_is_no_string_is_named(token):
    with pytest.raises(ValueError, match=f"must hold strings. Received: {token!r} at place 5 of a list"):
        Vocabulary([*SPECIAL, token])


def test_new_tokens_come_behind_the_old():
    old = Vocabulary([*SPECIAL, "a"])
    new = old.with_tokens(["[E1]", "a", "[E1]", "b"])
    assert new.tokens == (*SPECIAL, "a", "[E1]", "b")
    assert old.tokens == (*SPECIAL, "a")


@pytest.mark.parametrize("tokens", ["[E1]", ["a", ""]])
def test_new_tokens_must_be_a_list_of_words(tokens):
    with pytest.raises(ValueError, match=r"`tokens` must be a list of tokens. Received: .*Use \['\[E1\]'\]"):
        Vocabulary(SPECIAL).with_tokens(tokens)
