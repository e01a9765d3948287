"""An encoder comes back from its config, its `.keras` file and its preset as it was."""

import inspect
import json

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import keras_bert
from keras_bert.models.weights import encoder_weights, weight_values
from keras_bert.presets.write import write_preset
from tests.encoders import SIZES, assert_close, batch, make_encoder, values

# Every argument off its default.
ARGUMENTS = {
    "dropout": 0.35,
    "attention_dropout": 0.45,
    "activation": "gelu_approximate",
    "layer_norm_epsilon": 1e-3,
    "unpadding": False,
    "rematerialize": True,
    "dtype": "mixed_bfloat16",
    "name": "other",
    "trainable": False,
}


@pytest.fixture(scope="module")
def encoder():
    return make_encoder(**ARGUMENTS)


@pytest.fixture(scope="module")
def saved():
    """An encoder in float32, for presets."""
    return make_encoder(**{name: ARGUMENTS[name] for name in list(ARGUMENTS)[:4]})


def assert_equal_outputs(actual, expected):
    assert_close(actual(batch()), values(expected(batch())), atol=0)


# ---- Config and .keras


def test_the_config_holds_every_argument(encoder):
    parameters = set(inspect.signature(keras_bert.BertEncoder.__init__).parameters) - {"self", "kwargs"}
    config = encoder.get_config()
    assert set(config) == parameters | {"name", "trainable"}
    given = SIZES | {name: value for name, value in ARGUMENTS.items() if name != "dtype"}
    assert given.items() <= config.items()
    defaults = keras_bert.BertEncoder(**SIZES).get_config()
    assert [name for name in config if name not in SIZES and config[name] == defaults[name]] == []


def test_a_config_round_trip_gives_the_same_encoder(encoder):
    config = json.loads(json.dumps(encoder.get_config()))
    for again in (
        keras_bert.BertEncoder.from_config(config),
        keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(encoder)),
    ):
        assert type(again) is keras_bert.BertEncoder
        assert again.get_config() == encoder.get_config()
        assert (again.name, again.trainable, again.dtype_policy.name) == ("other", False, "mixed_bfloat16")
        assert again.trainable_variables == []
        again.set_weights(encoder.get_weights())
        assert_equal_outputs(again, encoder)


def test_keras_can_clone_it_layer_by_layer(encoder):
    clone = keras.models.clone_model(encoder)
    clone.set_weights(encoder.get_weights())
    assert_equal_outputs(clone, encoder)


def test_a_keras_file_gives_the_same_encoder(encoder, tmp_path):
    encoder.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras")
    assert type(again) is keras_bert.BertEncoder
    assert again.get_config() == encoder.get_config()
    assert_equal_outputs(again, encoder)


def test_a_weights_file_gives_the_same_encoder(encoder, tmp_path):
    encoder.save_weights(tmp_path / "encoder.weights.h5")
    again = make_encoder(seed=9, **ARGUMENTS)
    assert (
        abs(values(again(batch()))["pooled_output"] - values(encoder(batch()))["pooled_output"]).max() > 0.1
    )
    again.load_weights(tmp_path / "encoder.weights.h5")
    assert_equal_outputs(again, encoder)


def test_a_model_around_the_encoder_loads(tmp_path):
    encoder = make_encoder()
    model = keras.Model(encoder.input, keras.layers.Dense(3)(encoder.output["pooled_output"]))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(batch()), model(batch()))


# ---- Presets


def test_a_preset_gives_the_same_encoder_bit_for_bit(saved, tmp_path):
    saved.save_to_preset(tmp_path / "preset")
    again = keras_bert.BertEncoder.from_preset(tmp_path / "preset")
    assert again.arguments == saved.arguments
    assert_equal_outputs(again, saved)
    again = keras_bert.BertEncoder.from_preset(str(tmp_path / "preset"))
    for ours, other in zip(again.get_weights(), saved.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, other)


def test_a_preset_without_its_weights_is_a_new_encoder(saved, tmp_path):
    saved.save_to_preset(tmp_path / "preset")
    (tmp_path / "preset" / "model.safetensors").unlink()
    new = keras_bert.BertEncoder.from_preset(tmp_path / "preset", load_weights=False)
    assert new.arguments == saved.arguments
    assert abs(new.pooler.dense.kernel.numpy()).max() <= 0.04
    with pytest.raises(ValueError, match=r"safetensors"):
        keras_bert.BertEncoder.from_preset(tmp_path / "preset")


def test_overrides_win_over_the_preset(saved, tmp_path):
    saved.save_to_preset(tmp_path / "preset")
    overrides = {"dropout": 0.0, "attention_dropout": 0.05, "dtype": "mixed_float16", "unpadding": False}
    again = keras_bert.BertEncoder.from_preset(tmp_path / "preset", **overrides, name="mine")
    assert again.arguments == saved.arguments | {"dropout": 0.0, "attention_dropout": 0.05}
    assert (again.dtype_policy.name, again.unpadding, again.name) == ("mixed_float16", False, "mine")
    assert_close(again(batch()), values(saved(batch())), atol=0.05)


def test_float16_storage_rounds_the_weights_and_halves_the_file(saved, tmp_path):
    saved.save_to_preset(tmp_path / "full")
    saved.save_to_preset(tmp_path / "half", storage_dtype="float16")
    again = keras_bert.BertEncoder.from_preset(tmp_path / "half")
    for ours, other in zip(again.get_weights(), saved.get_weights(), strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_array_equal(ours, other.astype("float16").astype("float32"))
    tensors = {name: load_file(tmp_path / name / "model.safetensors") for name in ("full", "half")}
    sizes = {name: sum(array.nbytes for array in arrays.values()) for name, arrays in tensors.items()}
    assert sizes["full"] == 2 * sizes["half"]
    assert_close(again(batch()), values(saved(batch())), atol=0.05)


def test_half_precision_encoders_save_their_float32_weights(encoder, tmp_path):
    encoder.save_to_preset(tmp_path / "preset")
    again = keras_bert.BertEncoder.from_preset(tmp_path / "preset")
    for ours, other in zip(again.get_weights(), encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, other)
    assert again.dtype_policy.name == "float32"


def change(preset, edit):
    tensors = load_file(preset / "model.safetensors")
    edit(tensors)
    save_file(tensors, preset / "model.safetensors", metadata={"format": "pt"})


def test_what_is_missing_in_a_preset_or_does_not_fit_is_named(saved, tmp_path):
    saved.save_to_preset(tmp_path)
    change(tmp_path, lambda tensors: tensors.pop("encoder.layer.1.attention.self.key.weight"))
    with pytest.raises(ValueError, match=r"1 missing \(encoder.layer.1.attention.self.key.weight\)"):
        keras_bert.BertEncoder.from_preset(tmp_path)
    saved.save_to_preset(tmp_path)
    change(tmp_path, lambda tensors: tensors.update({"pooler.dense.bias": np.zeros(13, "float32")}))
    with pytest.raises(
        ValueError, match=r"1 of another shape \(pooler.dense.bias: \(13,\) instead of \(12,\)\)"
    ):
        keras_bert.BertEncoder.from_preset(tmp_path)


def test_a_missing_pooler_and_left_over_weights_are_told(saved, tmp_path, caplog):
    saved.save_to_preset(tmp_path)

    def edit(tensors):
        del tensors["pooler.dense.weight"], tensors["pooler.dense.bias"]
        tensors["encoder.layer.2.output.dense.bias"] = np.zeros(12, "float32")

    change(tmp_path, edit)
    again = keras_bert.BertEncoder.from_preset(tmp_path)
    assert "new and random, to be trained: pooler.dense.bias, pooler.dense.weight." in caplog.text
    assert "not used here: encoder.layer.2.output.dense.bias." in caplog.text
    assert_close({"sequence_output": again(batch())["sequence_output"]}, values(saved(batch())), atol=0)


def test_a_preset_without_an_encoder_is_refused(tmp_path):
    write_preset(
        tmp_path, {"tokenizer": {"lowercase": True}}, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]
    )
    rule = "An encoder needs a preset with a model. Received: one with a tokenizer only."
    with pytest.raises(ValueError, match=rule):
        keras_bert.BertEncoder.from_preset(tmp_path, load_weights=False)


def test_a_preset_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`preset` must be a directory.*no such directory"):
        keras_bert.BertEncoder.from_preset(tmp_path / "nothing")


# ---- More tokens


def test_a_grown_vocabulary_keeps_all_weights():
    encoder = make_encoder(**ARGUMENTS)
    grown = encoder.with_vocabulary_size(14)
    assert grown.get_config() == encoder.get_config() | {"vocabulary_size": 14}
    table = "embeddings.word_embeddings.weight"
    old, new = (weight_values(encoder_weights(each)) for each in (encoder, grown))
    np.testing.assert_array_equal(new[table][:11], old[table])
    rows = new[table][11:]
    assert rows.shape == (3, 12)
    assert abs(rows).min() > 0 and abs(rows).max() <= 0.04
    assert len(np.unique(rows)) == rows.size
    for name in old.keys() - {table}:
        np.testing.assert_array_equal(new[name], old[name], err_msg=name)
    assert_equal_outputs(grown, encoder)
    assert encoder.arguments["vocabulary_size"] == 11
    assert_equal_outputs(encoder.with_vocabulary_size(11), encoder)


def test_a_vocabulary_cannot_shrink(saved):
    with pytest.raises(ValueError, match="can only grow. Received: vocabulary_size=10, today's is 11"):
        saved.with_vocabulary_size(10)
