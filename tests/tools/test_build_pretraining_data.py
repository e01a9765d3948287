"""The tool that builds pre-training data: from a folder of text to a manifest, or a clear word why not."""

import pytest

import keras_bert

VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] the cat sat on mat cafe café . 北 京"


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_bytes("\ufeffThe cat sat.\r\n\r\nThe mat.\r\n".encode())
    (tmp_path / "corpus" / "b.txt").write_bytes(b"The Caf\xc3\xa9 sat. \xff\xfe On.\n\nThe cat.\n")
    (tmp_path / "corpus" / "c.txt").write_text("\n")
    (tmp_path / "vocab.txt").write_text(VOCABULARY.replace(" ", "\n"))
    return tmp_path


@pytest.fixture
def build(tool, corpus):
    def run(*flags, output="records"):
        return tool("build_pretraining_data").main(
            [str(corpus / "corpus"), "--output", str(corpus / output), *map(str, flags)]
        )

    return run


def test_a_folder_of_text_becomes_shards(build, corpus, capsys):
    manifest = build("--vocabulary", corpus / "vocab.txt", "--processes", 1)
    assert (manifest.total("documents"), manifest.total("sentences"), manifest.total("tokens")) == (2, 5, 16)
    out = capsys.readouterr().out
    assert "1 shards, 2 documents, 5 sentences, 16 tokens" in out
    assert "2 bytes were no UTF-8 and left out." in out and "1 files held no text." in out
    assert keras_bert.data.read_manifest(corpus / "records") == manifest


def test_flags_change_what_is_read(build, corpus):
    manifest = build("--vocabulary", corpus / "vocab.txt", "--separator", "blank_line", "--processes", 1)
    assert manifest.total("documents") == 4
    flags = ("--sentence-per-line", "--cased", "--processes", 1)
    manifest = build("--vocabulary", corpus / "vocab.txt", *flags, output="lines")
    assert manifest.total("sentences") == 4
    assert not manifest.tokenizer().lowercase


def test_a_preset_gives_the_tokenizer(build, corpus):
    tokenizer = keras_bert.BertTokenizer(str(corpus / "vocab.txt"), lowercase=False)
    tokenizer.save_to_preset(corpus / "preset")
    assert not build("--preset", corpus / "preset", "--processes", 1).tokenizer().lowercase
    with pytest.raises(SystemExit):
        build("--preset", corpus / "preset", "--cased", output="other")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--vocabulary", "nowhere.txt"], "nowhere.txt"),
        (["--preset", "nowhere"], "nowhere"),
        (["--vocabulary", "{}/vocab.txt", "--shard-size", "0"], "must be positive"),
        (["--vocabulary", "{}/vocab.txt", "--processes", "0"], "must be positive"),
        ([], "one of the arguments --vocabulary --preset is required"),
    ],
)
def test_what_cannot_be_built_is_said(build, corpus, capsys, flags, message):
    with pytest.raises(SystemExit):
        build(*(flag.format(corpus) for flag in flags))
    assert message in capsys.readouterr().err


def test_a_binary_file_is_refused_by_name(build, corpus, capsys):
    (corpus / "corpus" / "picture.txt").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    with pytest.raises(SystemExit):
        build("--vocabulary", corpus / "vocab.txt", "--processes", 1)
    assert "picture.txt', which is binary" in capsys.readouterr().err
