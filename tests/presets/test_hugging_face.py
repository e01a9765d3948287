"""Directories that transformers saved, of old and new versions."""

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from keras_bert.presets.read import read_preset


@pytest.fixture
def model():
    """A classifier of transformers."""
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=11,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=7,
        type_vocab_size=5,
        id2label={0: "x", 1: "y", 2: "z", 3: "w"},
        label2id={"x": 0, "y": 1, "z": 2, "w": 3},
        problem_type="multi_label_classification",
        classifier_dropout=0.4,
    )
    return transformers.BertForSequenceClassification(config)


@pytest.mark.parametrize("shard", ["1GB", "3KB"])
def test_a_saved_classifier_is_read_whole_or_in_shards(model, tmp_path, shard, assert_equal_weights):
    model.save_pretrained(tmp_path, max_shard_size=shard)
    assert (tmp_path / "model.safetensors").exists() == (shard == "1GB")
    config, vocabulary, weights = read_preset(tmp_path)
    state = {k.removeprefix("bert."): v.numpy() for k, v in model.state_dict().items()}
    assert_equal_weights(weights, state)
    assert vocabulary is None
    assert config["encoder"] == {
        "vocabulary_size": 11,
        "num_layers": 2,
        "num_heads": 3,
        "hidden_dim": 12,
        "intermediate_dim": 20,
        "max_sequence_length": 7,
        "num_segments": 5,
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "activation": "gelu",
        "layer_norm_epsilon": 1e-12,
    }
    assert config["task"] == "classifier"
    assert config["head"] == {"labels": ["x", "y", "z", "w"], "task": "multi_label", "dropout": 0.4}


def test_a_missing_or_misplaced_shard_is_named(model, tmp_path):
    model.save_pretrained(tmp_path, max_shard_size="3KB")
    shard = tmp_path / "model-00002-of-00005.safetensors"
    shard.rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=f"weight file `{shard}` must exist"):
        read_preset(tmp_path)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(index.read_text().replace(shard.name, "../other.safetensors"))
    with pytest.raises(ValueError, match="Shards must lie beside .* Received: '../other.safetensors'"):
        read_preset(tmp_path)


def test_a_pretraining_model_keeps_its_heads(model, tmp_path):
    transformers = pytest.importorskip("transformers")
    transformers.BertForPreTraining(model.config).save_pretrained(tmp_path)
    config, _, weights = read_preset(tmp_path)
    assert (config["task"], config["head"]) == (None, {})
    assert weights["cls.predictions.bias"].shape == (11,)
    assert weights["cls.seq_relationship.weight"].shape == (2, 12)
    assert "cls.predictions.decoder.weight" not in weights


def test_a_classifier_of_tokens_is_no_classifier_of_texts(model, tmp_path):
    transformers = pytest.importorskip("transformers")
    transformers.BertForTokenClassification(model.config).save_pretrained(tmp_path)
    config, _, weights = read_preset(tmp_path)
    assert config["task"] == "token_classifier" and "classifier.weight" in weights
    assert set(config["head"]) == {"labels", "dropout"}


def test_a_model_of_choices_keeps_its_dropout(model, tmp_path):
    transformers = pytest.importorskip("transformers")
    transformers.BertForMultipleChoice(model.config).save_pretrained(tmp_path)
    config, _, weights = read_preset(tmp_path)
    assert (config["task"], config["head"]) == ("multiple_choice", {"dropout": 0.4})
    assert weights["classifier.weight"].shape == (1, 12)


def _make_old(preset, prefix, dtype):
    """Turns a preset into a file as transformers 2 to 4 wrote it."""
    tensors = {}
    for name, tensor in load_file(preset / "model.safetensors").items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        tensors[prefix + name.removeprefix("bert.")] = tensor.astype(dtype)
    tensors[f"{prefix}embeddings.position_ids"] = np.arange(7)[None]
    tensors[f"{prefix}embeddings.token_type_ids"] = np.zeros((1, 7), "int64")
    save_file(tensors, preset / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("prefix", ["", "bert."])
@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float64"])
def test_old_names_and_other_precisions_are_read(preset, weights, prefix, dtype, assert_equal_weights):
    _make_old(preset, prefix, dtype)
    _, _, read_weights = read_preset(preset)
    assert_equal_weights(read_weights, {k: v.astype(dtype).astype("float32") for k, v in weights.items()})


def test_tied_copies_are_dropped(preset, weights, assert_equal_weights):
    table = weights["embeddings.word_embeddings.weight"]
    bias = np.arange(11, dtype="float32")
    copies = {"cls.predictions.decoder.weight": table, "cls.predictions.decoder.bias": bias}
    save_file(weights | copies, preset / "model.safetensors")
    assert_equal_weights(read_preset(preset)[2], weights | {"cls.predictions.bias": bias})


def test_without_our_key_the_fields_tell_the_head(preset, edit):
    edit(preset / "config.json", keras_bert=None, problem_type=None, classifier_dropout=None, id2label=None)
    config = read_preset(preset)[0]
    labels = ["LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3"]
    assert config["head"] == {"labels": labels, "task": "single_label", "dropout": 0.15}
    edit(preset / "config.json", id2label={str(i): f"l{i}" for i in range(11)})
    assert read_preset(preset)[0]["head"]["labels"][9:] == ["l9", "l10"]
    edit(preset / "config.json", id2label={"0": "score"})
    assert read_preset(preset, load_weights=False)[0]["head"]["task"] == "regression"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model_type": "roberta"}, "must be a BERT .* Received: model_type='roberta'"),
        ({"position_embedding_type": "relative_key"}, "must be absolute. Received: 'relative_key'"),
        ({"is_decoder": True}, "must be an encoder"),
        ({"hidden_act": "mish"}, "`hidden_act` must be one of gelu, .* Received: 'mish'"),
        ({"vocab_size": None, "hidden_size": None, "keras_bert": None}, "Missing: vocab_size, hidden_size"),
        ({"keras_bert": {"format_version": 2}}, "at most 1 .* format_version=2 .* Upgrade keras_bert"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(preset, edit, fields, message):
    edit(preset / "config.json", **fields)
    with pytest.raises(ValueError, match=message):
        read_preset(preset)


@pytest.mark.parametrize("text", ["{", "[1]", "\udcff"])
def test_a_configuration_that_is_no_json_object_is_named(preset, text):
    (preset / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match="config.json` must be a JSON object"):
        read_preset(preset)


def test_missing_files_are_named(preset, tmp_path):
    (preset / "model.safetensors").rename(preset / "pytorch_model.bin")
    with pytest.raises(ValueError, match="pytorch_model.bin. Pickles .* never read.*safe_serialization=True"):
        read_preset(preset)
    (preset / "config.json").unlink()
    with pytest.raises(ValueError, match="must hold config.json"):
        read_preset(preset)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="must hold config.json"):
        read_preset(tmp_path / "empty", load_weights=False)


def test_damaged_weight_files_are_named(preset, weights):
    path = preset / "model.safetensors"
    whole = path.read_bytes()
    for content in (whole[:-9], b"", b"version https://git-lfs.github.com/spec/v1"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"`{path}` must be a whole safetensors file: .* fetch it again"):
            read_preset(preset)
    save_file(weights | {"pooler.dense.weight": np.ones((12, 12), "int8")}, path)
    with pytest.raises(ValueError, match="`pooler.dense.weight` of int8 .* Quantized checkpoints"):
        read_preset(preset)
    save_file(weights | {"bert.pooler.dense.bias": np.ones(12)}, path)
    with pytest.raises(ValueError, match="Received: 'pooler.dense.bias' under two names"):
        read_preset(preset)
