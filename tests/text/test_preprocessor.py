"""The preprocessor: every way to pass texts, its settings, and how it is stored."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.presets.write import write_preset
from keras_bert.text.preprocessor import BertPreprocessor, as_segments, check_fits
from keras_bert.text.tokenizer import BertTokenizer

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d"]
ENCODER = {
    "vocabulary_size": 9,
    "num_layers": 1,
    "num_heads": 3,
    "hidden_dim": 12,
    "intermediate_dim": 20,
    "max_sequence_length": 7,
    "num_segments": 2,
    "dropout": 0.1,
    "attention_dropout": 0.1,
    "activation": "gelu",
    "layer_norm_epsilon": 1e-12,
}


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(TOKENS)


@pytest.fixture(scope="module")
def preprocessor(tokenizer):
    return BertPreprocessor(tokenizer)


def lists(inputs):
    return {name: tensor.numpy().tolist() for name, tensor in inputs.items()}


SINGLE = {"token_ids": [[2, 5, 6, 3], [2, 7, 3, 0]], "segment_ids": [[0] * 4] * 2}
SINGLE["padding_mask"] = [[1, 1, 1, 1], [1, 1, 1, 0]]
PAIR = {"token_ids": [[2, 5, 3, 6, 3], [2, 7, 3, 8, 3]], "segment_ids": [[0, 0, 0, 1, 1]] * 2}
PAIR["padding_mask"] = [[1] * 5] * 2


@pytest.mark.parametrize(
    "texts",
    [["a b", "c"], np.array(["a b", "c"]), np.array(["a b", "c"], object), tf.constant(["a b", "c"]), (["a b", "c"],)],
    ids=["list", "U", "object", "tensor", "tuple of one"],
)
def test_texts_are_taken(preprocessor, texts):
    assert lists(preprocessor(texts)) == SINGLE


@pytest.mark.parametrize(
    "pairs",
    [
        (["a", "c"], ["b", "d"]),
        [("a", "b"), ("c", "d")],
        [["a", "b"], ["c", "d"]],
        (np.array(["a", "c"]), np.array(["b", "d"], object)),
        (tf.constant(["a", "c"]), ["b", "d"]),
    ],
    ids=["tuple of lists", "list of tuples", "list of lists", "arrays", "tensor and list"],
)
def test_pairs_are_taken(preprocessor, pairs):
    assert lists(preprocessor(pairs)) == PAIR


@pytest.mark.parametrize("text", ["a b", b"a b", tf.constant("a b")])
def test_one_text_is_a_batch_of_one(preprocessor, text):
    assert lists(preprocessor(text)) == {name: rows[:1] for name, rows in SINGLE.items()}


def test_one_pair_is_a_batch_of_one(preprocessor):
    for pair in (("a", "b"), (tf.constant("a"), "b"), ("a", ["b"]), [("a", "b")]):
        assert lists(preprocessor(pair)) == {name: rows[:1] for name, rows in PAIR.items()}


def test_no_texts_are_no_rows(preprocessor):
    for texts in ([], ([], []), np.array([], object)):
        assert {tensor.shape[0] for tensor in preprocessor(texts).values()} == {0}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ((["a", "b"], ["c"]), "Both sides of pairs must have as many texts. Received: 2 and 1"),
        (([], "c"), "Both sides of pairs must have as many texts. Received: 0 and 1"),
        ([("a", "b"), ("c",)], r"Pairs must hold two texts. Received: \('c',\) at index 1"),
        ([("a", "b", "c")], r"Pairs must hold two texts. Received: \('a', 'b', 'c'\) at index 0"),
        ([("a", "b"), "cd"], "Pairs must hold two texts. Received: 'cd' at index 1"),
        ((["a"], ["b"], ["c"]), r"A tuple of texts must hold one or two lists, \(a, b\). Received: 3"),
        ((), r"A tuple of texts must hold one or two lists, \(a, b\). Received: 0"),
        ([("a", None)], r"`texts\[1\]` must be strings. Received: None \(NoneType\) at index 0"),
        ((["a"], [3]), r"`texts\[1\]` must be strings. Received: 3 \(int\) at index 0"),
        (["a", ("b", "c")], r"`texts` must be strings. Received: \('b', 'c'\) \(tuple\) at index 1"),
        (None, r"`texts` must be strings. Received: None"),
        (np.array([["a", "b"]]), r"flat list of them. Received: shape \(1, 2\). Pass pairs of texts as a tuple"),
    ],
)
def test_what_cannot_be_texts_is_named(preprocessor, texts, message):
    with pytest.raises(ValueError, match=message):
        preprocessor(texts)


def test_ragged_pairs_are_refused_in_graphs_too(preprocessor):
    with pytest.raises(ValueError, match="Both sides of pairs must have as many texts. Received: 2 and 1"):
        tf.function(preprocessor)((tf.constant(["a", "b"]), tf.constant(["c"])))
    unknown = tf.TensorSpec((None,), tf.string)
    graph = tf.function(preprocessor, input_signature=[(unknown, unknown)])
    assert lists(graph((tf.constant(["a", "c"]), tf.constant(["b", "d"])))) == PAIR


def test_segments_are_string_tensors():
    (alone,) = as_segments("a")
    assert alone.shape == (1,) and alone.dtype == tf.string
    first, second = as_segments([("a", "b"), ("c", "d")])
    assert (first.numpy().tolist(), second.numpy().tolist()) == ([b"a", b"c"], [b"b", b"d"])


def test_it_runs_in_tf_data(preprocessor):
    singles = tf.data.Dataset.from_tensor_slices(["a b", "c"])
    assert lists(next(iter(singles.batch(2).map(preprocessor)))) == SINGLE
    assert lists(next(iter(singles.map(preprocessor)))) == {name: rows[:1] for name, rows in SINGLE.items()}
    pairs = tf.data.Dataset.from_tensor_slices((["a", "c"], ["b", "d"])).batch(2)
    assert lists(next(iter(pairs.map(lambda a, b: preprocessor((a, b)))))) == PAIR


def test_fixed_rows_have_a_static_width(tokenizer):
    preprocessor = BertPreprocessor(tokenizer, sequence_length=11, padding="fixed")
    dataset = tf.data.Dataset.from_tensor_slices(["a", "b c"]).batch(2).map(preprocessor)
    assert {tuple(spec.shape) for spec in dataset.element_spec.values()} == {(None, 11)}
    assert {tuple(tensor.shape) for tensor in next(iter(dataset)).values()} == {(2, 11)}
    assert {tuple(tensor.shape) for tensor in preprocessor(["a"]).values()} == {(1, 11)}


def test_settings_reach_the_packing(tokenizer):
    preprocessor = BertPreprocessor(tokenizer, sequence_length=6, truncation="only_second", padding="fixed")
    pair = ["a b c", "d"], ["d d d", ""]
    assert lists(preprocessor(pair))["token_ids"] == [[2, 5, 6, 7, 3, 3], [2, 8, 3, 3, 0, 0]]
    assert preprocessor.pack(preprocessor.tokenize(["a"]), padding="longest")["token_ids"].shape == (1, 3)


@pytest.mark.parametrize("length", [2, 0, -1, 2.5, "128", None, True])
def test_a_length_without_room_is_refused(tokenizer, length):
    message = f"`sequence_length` must be a whole number, at least 3: .*Received: sequence_length={length!r}. Use 128"
    with pytest.raises(ValueError, match=message):
        BertPreprocessor(tokenizer, sequence_length=length)


def test_unknown_settings_are_refused(tokenizer):
    with pytest.raises(ValueError, match="must be one of longest_first, only_first, only_second. Received: 'last'"):
        BertPreprocessor(tokenizer, truncation="last")
    with pytest.raises(ValueError, match="`padding` must be 'longest' or 'fixed'. Received: 'max_length'"):
        BertPreprocessor(tokenizer, padding="max_length")


@pytest.fixture(scope="module")
def unusual():
    tokenizer = BertTokenizer([*TOKENS, "NaCl"], lowercase=False, never_split=["NaCl"], special_tokens_in_text=True)
    return BertPreprocessor(tokenizer, sequence_length=6, truncation="only_first", padding="fixed")


UNUSUAL = [("a NaCl b c", "d[MASK]")]


def test_the_config_makes_an_equal_preprocessor(unusual):
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(unusual))
    assert isinstance(copy, BertPreprocessor)
    assert copy.get_config() == unusual.get_config()
    assert lists(copy(UNUSUAL)) == lists(unusual(UNUSUAL))
    assert lists(copy(UNUSUAL))["token_ids"] == [[2, 5, 3, 8, 4, 3]]


def test_a_preset_makes_an_equal_preprocessor(unusual, tmp_path):
    unusual.save_to_preset(tmp_path / "preset")
    copy = BertPreprocessor.from_preset(tmp_path / "preset")
    assert copy.get_config() == unusual.get_config()
    assert lists(copy(UNUSUAL)) == lists(unusual(UNUSUAL))
    other = BertPreprocessor.from_preset(tmp_path / "preset", sequence_length=4, padding="longest")
    assert (other.sequence_length, other.truncation, other.padding) == (4, "only_first", "longest")


def test_a_preset_of_an_encoder_limits_the_length(tmp_path):
    write_preset(tmp_path / "preset", {"encoder": ENCODER, "tokenizer": {}}, TOKENS)
    assert BertPreprocessor.from_preset(tmp_path / "preset").sequence_length == 7
    assert BertPreprocessor.from_preset(tmp_path / "preset", sequence_length=5).sequence_length == 5
    with pytest.raises(ValueError, match="sequence_length=8, max_sequence_length=7. Use sequence_length=7 or less"):
        BertPreprocessor.from_preset(tmp_path / "preset", sequence_length=8)


def test_a_tokenizer_may_take_the_place_of_the_presets(tmp_path, tokenizer):
    write_preset(tmp_path / "preset", {"encoder": ENCODER, "tokenizer": {}}, TOKENS)
    assert BertPreprocessor.from_preset(tmp_path / "preset", tokenizer=tokenizer).tokenizer is tokenizer


def test_a_preset_without_vocabulary_is_named(tmp_path):
    write_preset(tmp_path / "preset", {"encoder": ENCODER})
    with pytest.raises(ValueError, match="A preprocessor needs a vocabulary. Received: a preset without vocab.txt"):
        BertPreprocessor.from_preset(tmp_path / "preset")


def test_rows_and_ids_must_fit_the_encoders_tables(preprocessor):
    check_fits(preprocessor, max_sequence_length=512, vocabulary_size=9)
    with pytest.raises(ValueError, match="position table. Received: sequence_length=512, max_sequence_length=511. Use"):
        check_fits(preprocessor, max_sequence_length=511, vocabulary_size=9)
    with pytest.raises(ValueError, match=r"9 tokens, vocabulary_size=8. Use encoder.with_vocabulary_size\(9\)"):
        check_fits(preprocessor, max_sequence_length=512, vocabulary_size=8)
