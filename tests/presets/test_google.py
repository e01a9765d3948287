"""TF1 releases, written here the way Google's scripts wrote them."""

import json

import numpy as np
import pytest

from keras_bert.presets.google import read_google
from keras_bert.presets.names import check_weights, encoder_names
from keras_bert.presets.read import read_preset

FIELDS = {
    "attention_probs_dropout_prob": 0.2,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.3,
    "hidden_size": 12,
    "initializer_range": 0.02,
    "intermediate_size": 20,
    "max_position_embeddings": 7,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "type_vocab_size": 5,
    "vocab_size": 11,
}


def _variables():
    """The variables of a pre-training, named as in Google's `modeling.py`; kernels are (in, out)."""
    shapes = {
        "bert/embeddings/word_embeddings": (11, 12),
        "bert/embeddings/position_embeddings": (7, 12),
        "bert/embeddings/token_type_embeddings": (5, 12),
        "bert/embeddings/LayerNorm/gamma": (12,),
        "bert/embeddings/LayerNorm/beta": (12,),
        "bert/pooler/dense/kernel": (12, 12),
        "bert/pooler/dense/bias": (12,),
        "cls/predictions/transform/dense/kernel": (12, 12),
        "cls/predictions/transform/dense/bias": (12,),
        "cls/predictions/transform/LayerNorm/gamma": (12,),
        "cls/predictions/transform/LayerNorm/beta": (12,),
        "cls/predictions/output_bias": (11,),
        "cls/seq_relationship/output_weights": (2, 12),
        "cls/seq_relationship/output_bias": (2,),
    }
    for i in range(2):
        block = f"bert/encoder/layer_{i}"
        dense = {"attention/self/query": (12, 12), "attention/self/key": (12, 12)}
        dense |= {"attention/self/value": (12, 12), "attention/output/dense": (12, 12)}
        dense |= {"intermediate/dense": (12, 20), "output/dense": (20, 12)}
        for name, shape in dense.items():
            shapes |= {f"{block}/{name}/kernel": shape, f"{block}/{name}/bias": shape[1:]}
        for name in ("attention/output/LayerNorm", "output/LayerNorm"):
            shapes |= {f"{block}/{name}/gamma": (12,), f"{block}/{name}/beta": (12,)}
    rng = np.random.default_rng(0)
    variables = {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    slots = {f"{name}/adam_{slot}": tensor for name, tensor in variables.items() for slot in "mv"}
    return variables | slots | {"global_step": np.array(7)}


@pytest.fixture
def release(tmp_path, vocabulary):
    directory = tmp_path / "uncased_L-2_H-12_A-3"
    directory.mkdir()
    (directory / "bert_config.json").write_text(json.dumps(FIELDS))
    (directory / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    return directory


def _save(directory, variables, name="bert_model.ckpt"):
    tf = pytest.importorskip("tensorflow")
    tf.raw_ops.SaveV2(
        prefix=str(directory / name),
        tensor_names=list(variables),
        shape_and_slices=[""] * len(variables),
        tensors=[tf.constant(tensor) for tensor in variables.values()],
    )


def test_a_release_is_read(release, vocabulary):
    variables = _variables()
    _save(release, variables)
    config, read_vocabulary, weights = read_preset(release)
    assert read_vocabulary == vocabulary
    assert config["encoder"]["activation"] == "gelu_approximate"
    assert (config["encoder"]["dropout"], config["encoder"]["attention_dropout"]) == (0.3, 0.2)
    assert config["tokenizer"]["lowercase"] is True and config["task"] is None
    missing, heads = check_weights(encoder_names(config["encoder"]), weights)
    assert missing == []
    assert heads == [
        "cls.predictions.bias",
        "cls.predictions.transform.LayerNorm.bias",
        "cls.predictions.transform.LayerNorm.weight",
        "cls.predictions.transform.dense.bias",
        "cls.predictions.transform.dense.weight",
        "cls.seq_relationship.bias",
        "cls.seq_relationship.weight",
    ]
    pairs = {
        "encoder.layer.1.output.dense.weight": variables["bert/encoder/layer_1/output/dense/kernel"].T,
        "encoder.layer.0.attention.self.key.bias": variables["bert/encoder/layer_0/attention/self/key/bias"],
        "embeddings.LayerNorm.weight": variables["bert/embeddings/LayerNorm/gamma"],
        "pooler.dense.weight": variables["bert/pooler/dense/kernel"].T,
        "cls.seq_relationship.weight": variables["cls/seq_relationship/output_weights"],
    }
    for name, tensor in pairs.items():
        np.testing.assert_array_equal(weights[name], tensor, err_msg=name)


def test_fine_tuned_heads_and_other_checkpoint_names_are_read(release):
    classifier = {"output_weights": np.ones((3, 12), "float32"), "output_bias": np.ones(3, "float32")}
    spans = {f"cls/squad/{name}": tensor[:2] for name, tensor in classifier.items()}
    _save(release, _variables() | classifier | spans, "model.ckpt-343")
    weights = read_preset(release)[2]
    assert weights["classifier.weight"].shape == (3, 12) and weights["classifier.bias"].shape == (3,)
    assert weights["qa_outputs.weight"].shape == (2, 12) and weights["qa_outputs.bias"].shape == (2,)


def test_a_damaged_checkpoint_is_named(release):
    _save(release, _variables())
    data = release / "bert_model.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:500])
    with pytest.raises(ValueError, match="bert_model.ckpt` must be a whole TF1 checkpoint"):
        read_preset(release)


def test_missing_files_are_named(release):
    with pytest.raises(ValueError, match="must hold bert_model.ckpt.index, .* with none"):
        read_preset(release)
    assert read_preset(release, load_weights=False)[2] is None
    (release / "bert_config.json").rename(release / "other.json")
    (release / "bert_model.ckpt.index").write_text("")
    with pytest.raises(ValueError, match="must hold bert_config.json"):
        read_preset(release)


def test_a_conversion_beside_the_release_wins(release, preset, config):
    for path in preset.iterdir():
        (release / path.name).write_bytes(path.read_bytes())
    assert read_preset(release)[0] == config


@pytest.mark.parametrize(
    ("name", "cased_tokens", "lowercase"),
    [
        ("uncased_L-12_H-768_A-12", True, True),
        ("wwm_uncased_L-24_H-1024_A-16", False, True),
        ("cased_L-12_H-768_A-12", False, False),
        ("multi_cased_L-12_H-768_A-12", False, False),
        ("multilingual_L-12_H-768_A-12", True, True),
        ("chinese_L-12_H-768_A-12", True, True),
        ("downloads", True, False),
        ("downloads", False, True),
    ],
)
def test_the_case_is_told_by_the_name_then_by_the_tokens(tmp_path, vocabulary, name, cased_tokens, lowercase):
    directory = tmp_path / name
    directory.mkdir()
    (directory / "bert_config.json").write_text(json.dumps(FIELDS))
    tokens = vocabulary + ["<S>"] + ["The"] * cased_tokens
    (directory / "vocab.txt").write_text("\n".join(tokens), encoding="utf-8")
    assert read_google(directory, load_weights=False)[0]["tokenizer"]["lowercase"] is lowercase
