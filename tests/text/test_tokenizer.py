"""The tokenizer: ids of odd texts, long words, settings, graphs, and the ways to store it."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.presets.write import write_preset
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import Vocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["play", "##ing", "!", "é", "##é", "e", "##e", "A", "É", "中", "[", "]", "sep"]
PLAY, ING, BANG, E_ACUTE, _, E, _, CAPITAL_A, CAPITAL_E, CHINESE, OPEN, CLOSE, SEP_WORD = range(5, 18)
UNKNOWN = 1


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer([*SPECIAL, *WORDS])


def test_each_text_is_a_row_of_pieces(tokenizer):
    ids = tokenizer(["Playing!", "", "play play"])
    assert ids.dtype == tf.int32
    assert ids.to_list() == [[PLAY, ING, BANG], [], [PLAY, PLAY]]


def test_one_text_is_one_line_of_pieces(tokenizer):
    for text in ("Playing!", b"Playing!", tf.constant("Playing!")):
        assert tokenizer(text).numpy().tolist() == [PLAY, ING, BANG]
    assert tokenizer("").shape == (0,)


def test_no_texts_are_no_rows(tokenizer):
    assert tokenizer([]).shape == (0, None)
    assert tokenizer(["", " \t\r\n", "\0", "\u200b\ufffd", "\u0301"]).to_list() == [[]] * 5


@pytest.mark.parametrize("kind", [object, "U", "S"])
def test_arrays_of_numpy_are_texts(tokenizer, kind):
    assert tokenizer(np.array(["play", "play!"], kind)).to_list() == [[PLAY], [PLAY, BANG]]


def test_what_is_no_text_is_named_with_its_index(tokenizer):
    for call in (tokenizer, tokenizer.tokenize_with_offsets):
        with pytest.raises(ValueError, match=r"`texts` must be strings. Received: None \(NoneType\) at index 1"):
            call(["a", None])


@pytest.mark.parametrize(
    "text",
    [b"pl\xffay\xc3!", "pl\0ay!", "pl\u200bay\ufffd !", "pla\ud800y!", "\xa0PLAY\u2028!\u3000", b"\xf0\x9fplay!"],
    ids=["no UTF-8", "NUL", "zero width", "lone surrogate", "odd spaces", "cut off"],
)
def test_dirt_is_deleted_as_in_the_original(tokenizer, text):
    assert tokenizer([text, "play"]).to_list() == [[PLAY, BANG], [PLAY]]


def test_special_tokens_in_a_text_are_plain_text(tokenizer):
    assert tokenizer(["[SEP]"]).to_list() == [[OPEN, SEP_WORD, CLOSE]]
    texts = [f"play{token}{case}" for token in SPECIAL for case in ("", " é", "中", "\u0301", "\0")]
    texts += ["[SE\0P]", "[\u200bSEP]", "[SEP\ufffd]", "\x01", "[\xffSEP]".encode("latin-1"), "##[SEP]", "[UNK][CLS]"]
    hidden = [tokenizer.vocabulary.id_of(token) for token in SPECIAL if token != "[UNK]"]
    assert not set(tokenizer(texts).flat_values.numpy()) & set(hidden)
    assert not set(tokenizer.tokenize_with_offsets(texts)[0].flat_values.numpy()) & set(hidden)


def test_special_tokens_in_a_text_are_kept_on_request():
    tokenizer = BertTokenizer([*SPECIAL, *WORDS], special_tokens_in_text=True)
    ids = tokenizer(["play[MASK]!", "[SEP][SEP] [PAD]", "[CLS]é中[UNK]", "[mask]", ""])
    assert ids.to_list() == [[PLAY, 4, BANG], [3, 3, 0], [2, E, CHINESE, 1], [OPEN, UNKNOWN, CLOSE], []]
    assert tokenizer("[MASK]").numpy().tolist() == [4]
    # A vocabulary without [MASK] has nothing to keep.
    without_mask = BertTokenizer([*SPECIAL[:4], "["], special_tokens_in_text=True)
    assert without_mask("[MASK][SEP]").numpy().tolist() == [4, UNKNOWN, UNKNOWN, 3]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [E, E, UNKNOWN]),
        ({"strip_accents": False}, [E_ACUTE, E_ACUTE, UNKNOWN]),
        ({"strip_accents": True}, [E, E, UNKNOWN]),
        ({"lowercase": False}, [E_ACUTE, CAPITAL_E, CAPITAL_A]),
        ({"lowercase": False, "strip_accents": True}, [E, UNKNOWN, CAPITAL_A]),
        ({"lowercase": False, "strip_accents": False}, [E_ACUTE, CAPITAL_E, CAPITAL_A]),
    ],
)
def test_case_and_accents_are_settings_of_their_own(settings, expected):
    tokenizer = BertTokenizer([*SPECIAL, *WORDS], **settings)
    assert tokenizer(["é É A"]).to_list() == [expected]


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [None, True, False])
def test_settings_mean_what_they_mean_in_transformers(shared_data, lowercase, strip_accents):
    transformers = pytest.importorskip("transformers", reason="needs the extra [oracles]")
    path = shared_data / "bert_vocab" / "bert-base-multilingual-cased-vocab.txt"
    settings = {"do_lower_case": lowercase, "strip_accents": strip_accents}
    theirs = transformers.BertTokenizerFast(str(path), **settings)
    ours = BertTokenizer(path, lowercase=lowercase, strip_accents=strip_accents)
    texts = ["Grüße, NAÏVE Café!", "u\u0308ber E\u0301", "Привет Ёлка", "ΑΒΓ Ώρα", "한국어 中文 日本語が", "tiếng Việt"]
    assert ours(texts).to_list() == theirs(texts, add_special_tokens=False)["input_ids"]


def test_the_cap_of_transformers_is_one_hundred(shared_data):
    transformers = pytest.importorskip("transformers", reason="needs the extra [oracles]")
    path = shared_data / "bert_vocab" / "bert-base-multilingual-cased-vocab.txt"
    ours = BertTokenizer(path, lowercase=False, longest_word=100)
    texts = [f"a {letter * n}, b" for letter in ("e", "é", "й", "が", "👍") for n in (99, 100, 101)]
    theirs = transformers.BertTokenizerFast(str(path), do_lower_case=False)
    assert ours(texts).to_list() == theirs(texts, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("letter", ["e", "é", "中"])
@pytest.mark.parametrize("longest", [200, 1, 7, 1000])
def test_words_beyond_the_longest_are_unknown(letter, longest):
    tokens = [*SPECIAL, "e", "##e", "é", "##é", "中", "a", "."]
    tokenizer = BertTokenizer(tokens, strip_accents=False, longest_word=longest)
    lengths = [longest - 1, longest, longest + 1]
    ids = tokenizer([letter * n for n in lengths] + [f"a.{letter * n} a" for n in lengths]).to_list()
    if letter == "中":  # each is a word
        assert [len(row) for row in ids] == lengths + [n + 3 for n in lengths]
        return
    assert [len(row) for row in ids] == [longest - 1, longest, 1, longest + 2, longest + 3, 4]
    assert [UNKNOWN in row for row in ids] == [False, False, True] * 2
    assert ids[5] == [10, 11, UNKNOWN, 10]


def test_a_megabyte_is_cut_in_time(tokenizer):
    started = time.monotonic()
    ids = tokenizer(["play é中 " * 90_000, "é" * 500_000, "e" * 1_000_000])
    assert ids.row_lengths().numpy().tolist() == [270_000, 1, 1]
    ids, starts, ends = tokenizer.tokenize_with_offsets(["中" * 100_000, "é" * 200_000, "e" * 200_000])
    assert ids.row_lengths().numpy().tolist() == [100_000, 1, 1]
    assert starts.flat_values[-4:].numpy().tolist() == [99_998, 99_999, 0, 0]
    assert ends.flat_values[-4:].numpy().tolist() == [99_999, 100_000, 200_000, 200_000]
    assert time.monotonic() - started < 60  # a few seconds; anything quadratic takes hours


def test_repeats_in_a_vocabulary_get_the_later_id():
    tokenizer = BertTokenizer([*SPECIAL, "a", "b", "a", "##b", "##b", "[UNK]"])
    assert tokenizer(["a b ab x"]).to_list() == [[7, 6, 7, 9, 10]]
    assert tokenizer.vocabulary.unknown_id == 10


def test_odd_pieces_in_a_vocabulary_do_no_harm():
    odd = ["", "##", "\u2028", " ", "a b", "\x01", "b\0", "##\x01", "\x015", "A", "[unused1]", "a" * 3000, "", "\ufffd"]
    tokenizer = BertTokenizer([*SPECIAL, *odd, "a", "##b"])
    # "\0", "\x01" and U+2028 are never left in a text; the space ends a word though "a b" is a piece.
    assert tokenizer(["ab \u2028 a \x01a b\0 ##", "a" * 300]).to_list() == [[19, 20, 19, 19, 1, 1, 1], [1]]


def test_a_vocabulary_of_special_tokens_only_is_refused():
    for tokens in (SPECIAL, [*SPECIAL, "[unused1]"]):
        with pytest.raises(ValueError, match="must hold word pieces. Received: special tokens only. Train one first"):
            BertTokenizer(tokens)


@pytest.mark.parametrize("longest", [0, 1001, -1, 2.5, "200", None])
def test_an_impossible_longest_word_is_refused(longest):
    with pytest.raises(ValueError, match=f"`longest_word` must be 1 to 1000. Received: {longest!r}. The original's"):
        BertTokenizer([*SPECIAL, "a"], longest_word=longest)


def test_it_runs_in_tf_data_and_graphs(tokenizer):
    texts = ["Playing!", "é", "", "中中"]
    expected = tokenizer(texts).to_list()
    assert tf.function(tokenizer)(tf.constant(texts)).to_list() == expected
    unknown_rank = tf.function(tokenizer, input_signature=[tf.TensorSpec(None, tf.string)])
    assert unknown_rank(tf.constant(texts)).to_list() == expected
    dataset = tf.data.Dataset.from_tensor_slices(texts)
    assert [row.numpy().tolist() for row in dataset.map(tokenizer)] == expected
    batches = list(dataset.batch(3).map(tokenizer))
    assert [row for batch in batches for row in batch.to_list()] == expected


def test_it_may_be_made_inside_a_graph():
    @tf.function
    def call(texts):
        return BertTokenizer([*SPECIAL, "a", "[E]"], never_split=["[E]"])(texts)

    assert call(tf.constant(["a [E]"])).to_list() == [[5, 6]]


def test_a_saved_model_needs_nothing_beside_it(tmp_path):
    tokenizer = BertTokenizer([*SPECIAL, *WORDS, "NaCl"], special_tokens_in_text=True, never_split=["NaCl"])
    module = tf.Module()
    module.cut = tf.function(tokenizer, input_signature=[tf.TensorSpec((None,), tf.string)])
    tf.saved_model.save(module, str(tmp_path))
    texts = ["Playing NaCl[MASK]é", "中" + "é" * 201]
    assert tf.saved_model.load(str(tmp_path)).cut(tf.constant(texts)).to_list() == tokenizer(texts).to_list()


SETTINGS = {
    "lowercase": False,
    "strip_accents": True,
    "special_tokens_in_text": True,
    "never_split": ["NaCl", "中国"],
    "longest_word": 3,
}
TEXT = "NaCl É eee eeee 中国[MASK]中 A"


@pytest.fixture(scope="module")
def unusual():
    return BertTokenizer(Vocabulary([*SPECIAL, *WORDS, "NaCl", "中国"]), **SETTINGS)


def test_every_setting_shows_in_the_ids(unusual):
    known, unknown = unusual.vocabulary.id_of, UNKNOWN
    ee = [known("e"), known("##e"), known("##e")]
    expected = [known("NaCl"), unknown, *ee, unknown, known("中国"), known("[MASK]"), CHINESE, CAPITAL_A]
    assert unusual(TEXT).numpy().tolist() == expected


def test_the_config_makes_an_equal_tokenizer(unusual):
    assert {name: unusual.get_config()[name] for name in SETTINGS} == SETTINGS
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(unusual))
    assert isinstance(copy, BertTokenizer)
    assert copy.get_config() == unusual.get_config()
    assert copy(TEXT).numpy().tolist() == unusual(TEXT).numpy().tolist()
    assert unusual.preset_config() == SETTINGS


def test_a_preset_makes_an_equal_tokenizer(unusual, tmp_path):
    unusual.save_to_preset(tmp_path / "preset")
    copy = BertTokenizer.from_preset(tmp_path / "preset")
    assert copy.get_config() == unusual.get_config()
    assert copy(TEXT).numpy().tolist() == unusual(TEXT).numpy().tolist()
    assert not BertTokenizer.from_preset(tmp_path / "preset", never_split=[]).never_split


def test_a_preset_without_vocabulary_is_named(tmp_path):
    write_preset(tmp_path / "preset", {})
    with pytest.raises(ValueError, match=r"A tokenizer needs a vocabulary. Received: preset .* without vocab.txt"):
        BertTokenizer.from_preset(tmp_path / "preset")
