"""BertEmbedder against sentence-transformers and NumPy, with padding, saved, loaded and exported."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.layers.pooling import unit_length
from tests.classifiers import TEXTS
from tests.embedders import FIRST, SECOND, make_embedder

ODD = ["", " ", "\u4e2d\u6587 Film", "FINE\0 bore", b"a \xff\xfe film", "a film " * 1000, "\u00e9" * 300, "[SEP] a"]


@pytest.mark.parametrize(("pooling", "normalize"), [("mean", True), ("mean", False), ("cls", True), ("max", False)])
def test_embeddings_are_those_of_the_real_tokens(pooling, normalize):
    embedder = make_embedder(pooling, normalize)
    inputs = {name: part.numpy() for name, part in embedder.preprocessor(TEXTS).items()}
    hidden = keras.ops.convert_to_numpy(embedder.encoder(inputs)["sequence_output"])
    expected = []
    for row, mask in zip(hidden, inputs["padding_mask"], strict=True):
        real = row[mask > 0]
        vector = {"mean": real.mean(axis=0), "cls": real[0], "max": real.max(axis=0)}[pooling]
        expected.append(vector / np.linalg.norm(vector) if normalize else vector)
    assert not inputs["padding_mask"].all()
    found = keras.ops.convert_to_numpy(embedder(inputs))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(embedder.predict(TEXTS, batch_size=3, verbose=0), expected, atol=1e-5)
    assert found.dtype == np.float32 and np.ptp(found, axis=0).min() > 0.01


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_rows_of_padding_only_are_0_and_train_nothing(pooling):
    embedder = make_embedder(pooling)
    inputs = embedder.preprocessor(["a"])
    inputs = {name: tf.concat([part, tf.zeros_like(part)], 0) for name, part in inputs.items()}
    with tf.GradientTape() as tape:
        found = embedder(inputs)
        total = tf.reduce_sum(found[1])
    assert not found[1].numpy().any() and found[0].numpy().any()
    for gradient in tape.gradient(total, [v.value for v in embedder.trainable_variables]):
        assert gradient is None or not tf.convert_to_tensor(gradient).numpy().any()


def test_vectors_of_0_stay_0_and_have_a_gradient():
    vectors = tf.constant([[0.0, 0.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        units = unit_length(vectors)
    np.testing.assert_allclose(units, [[0, 0], [0.6, 0.8]], atol=1e-6)
    assert np.isfinite(tape.gradient(units, vectors)).all()


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_pairs_are_embedded_text_by_text(pooling):
    embedder = make_embedder(pooling)
    inputs = [embedder.preprocessor.pack(embedder.preprocessor.tokenize(side), "fixed") for side in (FIRST, SECOND)]
    found = embedder({name: tf.stack([part[name] for part in inputs], 1) for name in inputs[0]})
    expected = np.stack([embedder.predict(side, verbose=0) for side in (FIRST, SECOND)], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_odd_texts_have_embeddings_and_none_has_none():
    embedder = make_embedder()
    found = embedder.predict(ODD, verbose=0)
    assert np.isfinite(found).all() and found.shape == (len(ODD), 12)
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
    for pooling in ("mean", "cls", "max"):
        assert make_embedder(pooling, num_layers=1).predict([], verbose=0).shape == (0, 12)


def test_datasets_and_ready_inputs_are_embedded_as_lists_are():
    embedder = make_embedder(num_layers=1)
    expected = embedder.predict(TEXTS, verbose=0)
    labelled = tf.data.Dataset.from_tensor_slices((TEXTS, TEXTS)).batch(3)
    ready = {name: part.numpy() for name, part in embedder.preprocessor(TEXTS).items()}
    for x in (labelled, ready, tf.data.Dataset.from_tensor_slices(TEXTS)):
        np.testing.assert_allclose(embedder.predict(x, verbose=0), expected, atol=1e-5)


def test_mixed_precision_pools_in_float32():
    expected = make_embedder(num_layers=1)
    encoder = keras_bert.BertEncoder.from_config({**expected.encoder.get_config(), "dtype": "mixed_bfloat16"})
    embedder = keras_bert.BertEmbedder(encoder, expected.preprocessor)
    embedder.set_weights(expected.get_weights())
    found = embedder.predict(TEXTS, verbose=0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found * expected.predict(TEXTS, verbose=0)).sum(axis=1).min() > 0.99


@pytest.mark.parametrize("file", ["preset", "embedder.keras"])
def test_it_is_saved_and_loaded(tmp_path, file):
    embedder = make_embedder("max", False, temperature=0.1)
    embedder.encoder.blocks[0].trainable = False
    if file == "preset":
        embedder.save_to_preset(tmp_path / file)
        again = keras_bert.BertEmbedder.from_preset(tmp_path / file)
        assert again.preprocessor.sequence_length == 14
    else:
        embedder.save(tmp_path / file)
        again = keras.models.load_model(tmp_path / file)
        assert again.frozen_layers() == ["transformer_block_0"]
    assert again.head_config() == {"pooling": "max", "normalize": False, "temperature": 0.1}
    np.testing.assert_allclose(again.predict(TEXTS, verbose=0), embedder.predict(TEXTS, verbose=0), atol=1e-6)


def test_a_preset_of_another_task_gets_means_of_length_1(tmp_path):
    embedder = make_embedder("cls", False)
    keras_bert.BertClassifier(embedder.encoder, embedder.preprocessor, num_classes=2).save_to_preset(tmp_path)
    found = keras_bert.BertEmbedder.from_preset(tmp_path)
    assert found.head_config() == {"pooling": "mean", "normalize": True, "temperature": 0.05}
    arguments = {"temperature": 1, "sequence_length": 9, "dropout": 0}
    overridden = keras_bert.BertEmbedder.from_preset(tmp_path, "max", False, **arguments)
    assert overridden.head_config() == {"pooling": "max", "normalize": False, "temperature": 1.0}
    assert overridden.preprocessor.sequence_length == 9 and overridden.encoder.arguments["dropout"] == 0


@pytest.mark.slow
def test_new_tokens_and_loras_matrices_are_added(tmp_path):
    embedder = make_embedder(num_layers=1)
    grown = embedder.with_tokens(["film-noir"])
    np.testing.assert_allclose(grown.predict(FIRST, verbose=0), embedder.predict(FIRST, verbose=0), atol=1e-6)
    grown.enable_lora(rank=2)
    grown.fit((FIRST, SECOND), batch_size=5, verbose=0)
    grown.save_lora(tmp_path)
    other = embedder.with_tokens(["film-noir"])
    table = grown.encoder.embeddings.token_embedding.get_weights()
    other.encoder.embeddings.token_embedding.set_weights(table)
    other.load_lora(tmp_path)
    np.testing.assert_allclose(other.predict(FIRST, verbose=0), grown.predict(FIRST, verbose=0), atol=1e-5)


ASK = """
import json, sys
import tensorflow as tf
import tensorflow_text
signature = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
for texts in json.loads(sys.argv[2]):
    answers = signature(text=tf.constant(texts, tf.string))
    print(json.dumps({name: [value.shape.as_list(), value.numpy().tolist()] for name, value in answers.items()}))
"""


@pytest.mark.parametrize("pooling", ["max", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mean", "cls"))])
def test_the_export_gives_the_same_embeddings_in_a_fresh_process(tmp_path, pooling):
    embedder = make_embedder(pooling, num_layers=1)
    embedder.export(tmp_path / "1")
    groups = [TEXTS, ["", "FINE\0 bore", "a film " * 1000], TEXTS[:1], []]
    command = [sys.executable, "-c", ASK, str(tmp_path / "1"), json.dumps(groups)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    for texts, line in zip(groups, result.stdout.splitlines(), strict=True):
        shape, values = json.loads(line)["embedding"]
        assert shape == [len(texts), 12]
        np.testing.assert_allclose(np.reshape(values, shape), embedder.predict(texts, verbose=0), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pooling": "sum"}, "`pooling` must be one of mean, cls, max. Received: 'sum'"),
        ({"temperature": 0}, "`temperature` must be a finite number above 0. Received: 0"),
        ({"temperature": float("nan")}, "`temperature` must be a finite number above 0. Received: nan"),
        ({"temperature": "warm"}, "`temperature` must be a finite number above 0. Received: 'warm'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_embedder(num_layers=1, **arguments)


def test_what_is_no_text_is_refused():
    embedder = make_embedder(num_layers=1)
    for pairs in ((FIRST, SECOND), list(zip(FIRST, SECOND, strict=True))):
        with pytest.raises(ValueError, match="has an embedding of its own. Received: pairs"):
            embedder.predict(pairs)
    for x, message in ((["a", 3], "must be strings. Received: 3 .int. at index 1"), (None, "must be strings")):
        with pytest.raises(ValueError, match=message):
            embedder.predict(x)
    with pytest.raises(ValueError, match="takes dicts of encoder inputs"):
        make_embedder(num_layers=1, texts=False).predict(["a"])
    with pytest.raises(ValueError, match="has no head that trains alone"):
        embedder.freeze_encoder()
    embedder.freeze_encoder(except_top=1)
    assert embedder.frozen_layers() == ["embeddings"]
