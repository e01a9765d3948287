"""What `write_preset` writes: read back by us and by transformers."""

import json

import numpy as np
import pytest

from keras_bert.presets.read import read_preset
from keras_bert.presets.write import write_preset


def test_what_is_written_is_read_back(preset, config, vocabulary, weights, assert_equal_weights):
    read_config, read_vocabulary, read_weights = read_preset(str(preset))
    assert read_config == config
    assert read_vocabulary == vocabulary
    assert_equal_weights(read_weights, weights)
    files = ["config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"]
    assert sorted(path.name for path in preset.iterdir()) == files


def test_others_may_read_what_the_umask_lets_them(preset):
    assert len({path.stat().st_mode for path in preset.iterdir()}) == 1


def test_load_weights_false_needs_no_weight_file(preset, config, vocabulary):
    (preset / "model.safetensors").unlink()
    assert read_preset(preset, load_weights=False) == (config, vocabulary, None)


def test_transformers_loads_a_classifier(preset, config, weights):
    transformers = pytest.importorskip("transformers")
    model, info = transformers.BertForSequenceClassification.from_pretrained(preset, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    state = model.state_dict()
    for name, tensor in weights.items():
        full = name if name.startswith("classifier") else f"bert.{name}"
        np.testing.assert_array_equal(state[full].numpy(), tensor, err_msg=name)
    loaded = model.config
    assert loaded.id2label == {0: "no", 1: "yes", 2: "更多", 3: "none"}
    assert loaded.problem_type == "multi_label_classification"
    assert (loaded.classifier_dropout, loaded.hidden_dropout_prob) == (0.35, 0.15)
    assert (loaded.hidden_act, loaded.layer_norm_eps, loaded.pad_token_id) == ("gelu_new", 1e-6, 0)
    assert transformers.AutoModelForSequenceClassification.from_pretrained(preset).config.num_labels == 4


def test_transformers_loads_a_bare_encoder(tmp_path, bare_config, vocabulary, encoder_weights):
    transformers = pytest.importorskip("transformers")
    write_preset(tmp_path / "bare", bare_config, vocabulary, encoder_weights)
    model, info = transformers.BertModel.from_pretrained(tmp_path / "bare", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    state = model.state_dict()
    for name, tensor in encoder_weights.items():
        np.testing.assert_array_equal(state[name].numpy(), tensor, err_msg=name)
    assert read_preset(tmp_path / "bare")[0] == bare_config


def test_transformers_loads_the_tokenizer(preset, vocabulary):
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(preset)
    assert isinstance(tokenizer, transformers.BertTokenizer)
    # transformers strips the tokens of vocab.txt, here U+2028
    assert tokenizer.convert_ids_to_tokens(list(range(11))) == [token.strip() for token in vocabulary]
    assert len(tokenizer) == 11 and tokenizer.model_max_length == 7
    assert tokenizer.tokenize("ab c_d A") == ["a", "##b", "c_d", "[UNK]"]


def test_a_fine_tuning_in_transformers_overrules_our_key(preset, tmp_path):
    transformers = pytest.importorskip("transformers")
    model = transformers.BertForSequenceClassification.from_pretrained(
        preset, num_labels=3, ignore_mismatched_sizes=True, problem_type="single_label_classification"
    )
    model.save_pretrained(tmp_path / "tuned")
    assert "keras_bert" in json.loads((tmp_path / "tuned" / "config.json").read_text())
    config, _, weights = read_preset(tmp_path / "tuned")
    assert config["head"] == {
        "labels": ["LABEL_0", "LABEL_1", "LABEL_2"],
        "task": "single_label",
        "dropout": 0.35,
    }
    assert weights["classifier.weight"].shape == (3, 12)
    assert config["preprocessor"]["sequence_length"] == 6


def test_a_tokenizer_alone_is_written_and_read(tmp_path, config, vocabulary):
    del config["encoder"]
    config.update(task=None, head={})
    write_preset(tmp_path / "tokenizer", config, vocabulary)
    assert read_preset(tmp_path / "tokenizer", load_weights=False) == (config, vocabulary, None)
    with pytest.raises(ValueError, match="holds only a tokenizer. Load it with BertTokenizer"):
        read_preset(tmp_path / "tokenizer")


def test_a_written_tokenizer_alone_loads_in_transformers(tmp_path, config, vocabulary):
    transformers = pytest.importorskip("transformers")
    del config["encoder"]
    config.update(task=None, head={})
    write_preset(tmp_path / "tokenizer", config, vocabulary)
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "tokenizer").mask_token_id == 4


def test_float16_halves_the_file_and_rounds_once(tmp_path, preset, config, vocabulary, weights):
    write_preset(tmp_path / "half", config, vocabulary, weights, storage_dtype="float16")
    read_weights = read_preset(tmp_path / "half")[2]
    for name, tensor in weights.items():
        assert read_weights[name].dtype == np.float32
        np.testing.assert_array_equal(read_weights[name], tensor.astype("float16").astype("float32"))
    sizes = [(path / "model.safetensors").stat().st_size for path in (tmp_path / "half", preset)]
    assert sizes[1] - sizes[0] > 0.95 * sum(2 * tensor.size for tensor in weights.values())
    assert json.loads((tmp_path / "half" / "config.json").read_text())["dtype"] == "float16"


def test_transposed_weights_are_stored_in_the_right_order(tmp_path, config, vocabulary, weights):
    name = "encoder.layer.0.intermediate.dense.weight"
    view = np.asfortranarray(weights[name])
    write_preset(tmp_path / "p", config, vocabulary, {**weights, name: view})
    np.testing.assert_array_equal(read_preset(tmp_path / "p")[2][name], weights[name])


def test_saving_a_tokenizer_does_not_delete_a_model(preset, config, vocabulary, weights):
    del config["encoder"]
    with pytest.raises(ValueError, match="model.safetensors"):
        write_preset(preset, config, vocabulary)
    assert (preset / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"storage_dtype": "int8"}, "`storage_dtype` must be 'float32' or 'float16'. Received: 'int8'"),
        ({"vocabulary": ["[PAD]", "a\nb"]}, r"fit on a line of vocab.txt. Received: \['a\\nb'\]"),
        ({"config": {"task": "oracle"}}, "`task` must be one of .*'classifier'.* Received: 'oracle'"),
        ({"config": {}}, "config without 'encoder'"),
        ({"activation": "mish"}, "`activation` must be one of gelu, .* Received: 'mish'"),
        ({"remove": "embeddings.LayerNorm.bias"}, r"1 missing \(embeddings.LayerNorm.bias\)"),
        (
            {"huge": "pooler.dense.bias"},
            "must fit into float16. Received: `pooler.dense.bias` with values up to 1e",
        ),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, config, vocabulary, weights, change, message):
    arguments = {"config": config, "vocabulary": vocabulary, "weights": weights}
    arguments.update({key: value for key, value in change.items() if key in (*arguments, "storage_dtype")})
    if "activation" in change:
        config["encoder"]["activation"] = change["activation"]
    if "remove" in change:
        del weights[change["remove"]]
    if "huge" in change:
        weights[change["huge"]][3] = 1e6
        arguments["storage_dtype"] = "float16"
    with pytest.raises(ValueError, match=message):
        write_preset(tmp_path / "p", **arguments)
    assert list(tmp_path.iterdir()) == []
