"""Vocabularies: the same from the same text, of the size asked for, and readable by the tokenizer."""

import collections

import pytest

import keras_bert

pytest.importorskip("tokenizers", reason="tokenizers trains vocabularies")

ENGLISH = "The Café opens early. Walking, walked, walker: the walkers walk to the café.\n"
CHINESE = "我们今天去北京。北京的天气很好。\n"


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text(ENGLISH * 20, encoding="utf-8")
    (tmp_path / "corpus" / "b.jsonl").write_text(f'{{"text": "{CHINESE.strip()}"}}\n' * 20, encoding="utf-8")
    return str(tmp_path / "corpus")


@pytest.fixture
def train(tool, corpus, tmp_path):
    def run(*flags, name="vocab.txt"):
        report = tool("train_vocabulary").main([corpus, "--output", str(tmp_path / name), *map(str, flags)])
        return (tmp_path / name).read_text(encoding="utf-8").splitlines(), report

    return run


def test_the_same_text_gives_the_same_vocabulary(train):
    first, _ = train("--size", 90)
    again, _ = train("--size", 90, name="again.txt")
    assert first == again
    assert first[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert len(first) == len(set(first)) == 90


def test_frequent_words_become_tokens_and_every_text_has_pieces(train, tmp_path):
    tokens, report = train("--size", 110)
    assert {"the", "walk", "cafe", "北", "京"} <= set(tokens)
    assert not any(token != token.lower() for token in tokens[5:])
    tokenizer = keras_bert.BertTokenizer(str(tmp_path / "vocab.txt"))
    assert tokenizer.vocabulary.id_of("[UNK]") not in tokenizer(ENGLISH + CHINESE).numpy()
    assert report["unknown_share"] == 0 and report["longest_unknown"] == []
    # 13 words and 5 marks in a line of English, 16 characters in one of Chinese.
    assert report["words"] == 20 * (18 + 16)
    assert report["pieces_per_word"] >= 1


def test_a_cased_vocabulary_keeps_case_and_accents(train):
    tokens, _ = train("--size", 110, "--cased")
    assert {"The", "the", "Café"} <= set(tokens)


def test_unused_tokens_fill_up_to_a_multiple(train):
    tokens, report = train("--size", 90, "--unused", 3, "--multiple", 64)
    assert len(tokens) == report["tokens"] == 128
    assert tokens[:5] == ["[PAD]", "[unused0]", "[unused1]", "[unused2]", "[UNK]"]
    filling = [token for token in tokens[5:] if token.startswith("[unused")]
    assert filling == [f"[unused{i}]" for i in range(3, 3 + len(filling))] == tokens[-len(filling) :]
    assert 38 <= len(filling) < 60 and len(set(tokens)) == 128


def test_unknown_words_are_counted_and_the_longest_are_shown(train, capsys):
    _, report = train("--size", 60, "--alphabet", 12)
    assert collections.Counter(report["longest_unknown"]).most_common(1)[0][1] == 1
    lengths = [len(word) for word in report["longest_unknown"]]
    assert lengths == sorted(lengths, reverse=True) and lengths[0] > 4
    assert 0.1 < report["unknown_share"] < 1
    assert repr(report["longest_unknown"][0]) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--size", "5"], "--size must leave room for words. Received: 5, 5 are special"),
        (["--multiple", "0"], "--multiple must be at least 1. Received: 0"),
        (["--text-field", "body"], "with the field 'body'"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(train, tmp_path, capsys, flags, message):
    with pytest.raises(SystemExit):
        train(*flags)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "vocab.txt").exists()


def test_a_corpus_that_is_not_there_is_refused(tool, tmp_path, capsys):
    with pytest.raises(SystemExit):
        tool("train_vocabulary").main([str(tmp_path / "nowhere.txt")])
    assert "must hold text files. Received: " in capsys.readouterr().err


def test_an_empty_corpus_is_refused(tool, tmp_path, capsys):
    (tmp_path / "a.txt").write_text("\n \n")
    with pytest.raises(SystemExit):
        tool("train_vocabulary").main([str(tmp_path), "--output", str(tmp_path / "vocab.txt")])
    assert "A corpus must hold text. Received: files without any" in capsys.readouterr().err
