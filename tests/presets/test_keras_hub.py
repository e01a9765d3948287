"""KerasHub's backbones in Hugging Face's names."""

import numpy as np
import pytest

from keras_bert.presets.keras_hub import from_backbone
from keras_bert.presets.names import check_weights, encoder_names
from keras_bert.presets.read import read_preset


@pytest.fixture(scope="module")
def keras_hub():
    return pytest.importorskip("keras_hub")


@pytest.fixture(scope="module")
def backbone(keras_hub):
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=11,
        num_layers=2,
        num_heads=3,
        hidden_dim=12,
        intermediate_dim=20,
        dropout=0.3,
        max_sequence_length=7,
        num_segments=5,
    )
    rng = np.random.default_rng(0)
    for variable in backbone.weights:
        variable.assign(rng.normal(size=variable.shape))
    return backbone


def _attention(x, weights, heads):
    """Self-attention of the first block, from Hugging Face's shapes: y = x W^T + b."""

    def dense(x, name):
        return (
            x @ weights[f"encoder.layer.0.attention.{name}.weight"].T
            + weights[f"encoder.layer.0.attention.{name}.bias"]
        )

    q, k, v = (
        dense(x, f"self.{name}").reshape(len(x), heads, -1).transpose(1, 0, 2)
        for name in ("query", "key", "value")
    )
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    context = (scores / scores.sum(-1, keepdims=True)) @ v
    return dense(context.transpose(1, 0, 2).reshape(len(x), -1), "output.dense")


def test_every_weight_has_its_name_and_shape(backbone):
    config, vocabulary, weights = from_backbone(backbone)
    assert vocabulary is None
    assert config["encoder"] == {
        "vocabulary_size": 11,
        "num_layers": 2,
        "num_heads": 3,
        "hidden_dim": 12,
        "intermediate_dim": 20,
        "max_sequence_length": 7,
        "num_segments": 5,
        "dropout": 0.3,
        "attention_dropout": 0.3,
        "activation": "gelu_approximate",
        "layer_norm_epsilon": 1e-12,
    }
    assert check_weights(encoder_names(config["encoder"]), weights) == ([], [])


def test_kernels_compute_what_the_backbone_computes(backbone):
    weights = from_backbone(backbone)[2]
    block = backbone.get_layer("transformer_layer_0")
    x = np.random.default_rng(1).normal(size=(4, 12)).astype("float32")
    after_norm = np.asarray(block(x[None]))[0]
    y = x + _attention(x, weights, heads=3)

    def norm(y, name):
        y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + 1e-12)
        return y * weights[f"encoder.layer.0.{name}.weight"] + weights[f"encoder.layer.0.{name}.bias"]

    y = norm(y, "attention.output.LayerNorm")
    hidden = y @ weights["encoder.layer.0.intermediate.dense.weight"].T
    hidden += weights["encoder.layer.0.intermediate.dense.bias"]
    hidden *= 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden**3)))
    y += hidden @ weights["encoder.layer.0.output.dense.weight"].T
    y += weights["encoder.layer.0.output.dense.bias"]
    np.testing.assert_allclose(norm(y, "output.LayerNorm"), after_norm, atol=2e-5)


def test_a_directory_of_keras_hub_is_read(keras_hub, backbone, vocabulary, tmp_path, assert_equal_weights):
    tokenizer = keras_hub.models.BertTokenizer(vocabulary=vocabulary, lowercase=True)
    for part in (backbone, tokenizer):
        part.save_to_preset(str(tmp_path / "preset"))
    config, read_vocabulary, weights = read_preset(tmp_path / "preset")
    assert read_vocabulary == [token.strip() for token in vocabulary]  # KerasHub strips them
    assert config["tokenizer"] == {
        "lowercase": True,
        "strip_accents": None,
        "special_tokens_in_text": False,
        "never_split": [],
    }
    assert_equal_weights(weights, from_backbone(backbone)[2])
    assert read_preset(tmp_path / "preset", load_weights=False)[2] is None


def test_names_and_kaggle_addresses_go_to_keras_hub(keras_hub, backbone, vocabulary, monkeypatch):
    tokenizer = keras_hub.models.BertTokenizer(vocabulary=vocabulary, lowercase=False)
    asked = []
    for cls, result in (
        (keras_hub.models.BertBackbone, backbone),
        (keras_hub.models.BertTokenizer, tokenizer),
    ):
        monkeypatch.setattr(
            cls, "from_preset", lambda name, result=result, **kw: asked.append((name, kw)) or result
        )
    assert read_preset("bert_base_en", load_weights=False)[0]["tokenizer"]["lowercase"] is False
    assert read_preset("kaggle://keras/bert/keras/bert_base_en")[2]
    assert asked == [
        ("bert_base_en", {"load_weights": False}),
        ("bert_base_en", {}),
        ("kaggle://keras/bert/keras/bert_base_en", {"load_weights": True}),
        ("kaggle://keras/bert/keras/bert_base_en", {}),
    ]


def test_an_unknown_name_is_refused_with_the_known_ones(keras_hub):
    with pytest.raises(ValueError, match="bert_base_en_uncased.*Received: 'bert_of_nobody', which is none"):
        read_preset("bert_of_nobody")
