"""Vocabularies and settings as versions of transformers saved them."""

import json

import pytest

from keras_bert.presets.files import read_lines
from keras_bert.presets.read import read_preset
from keras_bert.presets.tokenizer_files import is_cased


def test_the_tokenizer_json_of_transformers_5_is_read(vocabulary, tmp_path):
    transformers = pytest.importorskip("transformers")
    vocabulary = [token.strip() or "x" for token in vocabulary]  # transformers strips them
    (tmp_path / "vocab.txt").write_text("".join(f"{t}\n" for t in vocabulary), encoding="utf-8")
    tokenizer = transformers.BertTokenizer.from_pretrained(tmp_path, do_lower_case=False, strip_accents=True)
    tokenizer.add_tokens(["foo_bar"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["[ENT]"]})
    tokenizer.save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved" / "vocab.txt").exists()
    for settings in ("kept", "removed"):  # the settings are in tokenizer.json too
        config, read_vocabulary, _ = read_preset(tmp_path / "saved", load_weights=False)
        assert read_vocabulary == [*vocabulary, "foo_bar", "[ENT]"], settings
        assert config["tokenizer"] == {
            "lowercase": False,
            "strip_accents": True,
            "special_tokens_in_text": False,
            "never_split": ["foo_bar"],
        }, settings
        (tmp_path / "saved" / "tokenizer_config.json").unlink(missing_ok=True)


def test_only_line_feeds_end_a_token(preset, vocabulary):
    text = "".join(f"{token}\r\n" for token in vocabulary) + "\n\n"
    (preset / "vocab.txt").write_bytes(text.encode())
    assert read_preset(preset, load_weights=False)[1] == vocabulary
    (preset / "vocab.txt").write_bytes("\n".join(vocabulary).encode())
    assert read_preset(preset, load_weights=False)[1] == vocabulary


@pytest.mark.parametrize(
    ("name", "size", "cased"),
    [
        ("bert-base-uncased", 30522, False),
        ("bert-base-cased", 28996, True),
        ("bert-base-multilingual-cased", 119547, True),
        ("bert-base-chinese", 21128, False),
    ],
)
def test_released_vocabularies_keep_their_ids_and_tell_their_case(shared, name, size, cased):
    vocabulary = read_lines(shared / "data" / "bert_vocab" / f"{name}-vocab.txt")
    assert (len(vocabulary), is_cased(vocabulary)) == (size, cased)


def test_added_tokens_of_transformers_4_take_their_ids(preset, edit, vocabulary):
    edit(preset / "config.json", keras_bert=None, vocab_size=20)
    (preset / "added_tokens.json").write_text('{"[ENT]": 12, "foo_bar": 11}')
    (preset / "special_tokens_map.json").write_text('{"additional_special_tokens": [{"content": "[ENT]"}]}')
    decoder = {"13": {"content": "baz", "special": False}, "14": {"content": "[X]", "special": True}}
    edit(preset / "tokenizer_config.json", added_tokens_decoder=decoder, never_split=["[UNK]", "q"])
    config, read_vocabulary, _ = read_preset(preset, load_weights=False)
    assert read_vocabulary == [*vocabulary, "foo_bar", "[ENT]", "baz", "[X]"]
    assert config["tokenizer"]["never_split"] == ["q", "foo_bar", "baz"]


def test_a_repeated_line_leaves_a_name_that_no_text_gives(preset, edit):
    (preset / "vocab.txt").unlink()
    edit(preset / "tokenizer_config.json", added_tokens_decoder=None)
    fast = {
        "normalizer": {"type": "BertNormalizer", "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {
            "type": "WordPiece",
            "continuing_subword_prefix": "##",
            "vocab": {"[PAD]": 0, "a": 2, "b": 3},
        },
    }
    (preset / "tokenizer.json").write_text(json.dumps(fast))
    assert read_preset(preset, load_weights=False)[1] == ["[PAD]", "[no token 1]", "a", "b"]
    fast["model"]["type"] = "BPE"
    (preset / "tokenizer.json").write_text(json.dumps(fast))
    with pytest.raises(ValueError, match="describe BERT's tokenizer.*Received: .*, BPE"):
        read_preset(preset, load_weights=False)


def test_without_settings_the_tokens_tell_the_case(preset, edit, vocabulary):
    edit(preset / "config.json", keras_bert=None)
    (preset / "tokenizer_config.json").unlink()
    assert read_preset(preset, load_weights=False)[0]["tokenizer"]["lowercase"] is True
    (preset / "vocab.txt").write_text("\n".join([*vocabulary[:-1], "##The"]), encoding="utf-8")
    assert read_preset(preset, load_weights=False)[0]["tokenizer"]["lowercase"] is False


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tokenize_chinese_chars": False}, "tokenize_chinese_chars=false in"),
        ({"do_basic_tokenize": False}, "do_basic_tokenize=False"),
        ({"tokenizer_class": "BertJapaneseTokenizer"}, "tokenizer_class='BertJapaneseTokenizer'"),
        ({"added_tokens_decoder": {"5": {"content": "z"}}}, "Received: 'z' with the id 5 of 'a'"),
        ({"added_tokens_decoder": {"999999999999": {"content": "z"}}}, "must be consecutive"),
    ],
)
def test_a_tokenizer_that_does_not_fit_is_refused(preset, edit, fields, message):
    edit(preset / "tokenizer_config.json", **fields)
    with pytest.raises(ValueError, match=message):
        read_preset(preset)


def test_settings_alone_make_no_vocabulary(preset):
    (preset / "vocab.txt").unlink()
    assert read_preset(preset)[1] is None


def test_a_vocabulary_in_another_encoding_is_named(preset):
    (preset / "vocab.txt").write_bytes("é\n".encode("latin-1"))
    with pytest.raises(ValueError, match="vocab.txt` must be UTF-8"):
        read_preset(preset)
