"""A tiny preset with all sizes different, so that a swapped axis cannot hide."""

import json
import pathlib

import numpy as np
import pytest

from keras_bert.presets.names import encoder_names
from keras_bert.presets.write import write_preset

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared"


@pytest.fixture
def shared():
    """The folder of real models and data beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("the folder `shared` with real models and data is not there")
    return SHARED


@pytest.fixture
def vocabulary():
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", "c_d", "中", "\u2028", "é"]


@pytest.fixture
def encoder():
    return {
        "vocabulary_size": 11,
        "num_layers": 2,
        "num_heads": 3,
        "hidden_dim": 12,
        "intermediate_dim": 20,
        "max_sequence_length": 7,
        "num_segments": 5,
        "dropout": 0.15,
        "attention_dropout": 0.25,
        "activation": "gelu_approximate",
        "layer_norm_epsilon": 1e-6,
    }


@pytest.fixture
def config(encoder):
    """A classifier, with every setting off its default."""
    return {
        "encoder": encoder,
        "tokenizer": {
            "lowercase": False,
            "strip_accents": True,
            "special_tokens_in_text": True,
            "never_split": ["c_d"],
        },
        "preprocessor": {"sequence_length": 6, "truncation": "longest_first", "padding": "max"},
        "task": "classifier",
        "head": {"labels": ["no", "yes", "更多", "none"], "task": "multi_label", "dropout": 0.35},
    }


@pytest.fixture
def bare_config(config):
    return {**config, "task": None, "head": {}}


@pytest.fixture
def encoder_weights(encoder):
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=s).astype("float32") for name, s in encoder_names(encoder).items()}


@pytest.fixture
def weights(encoder_weights):
    rng = np.random.default_rng(1)
    head = {"classifier.weight": rng.normal(size=(4, 12)), "classifier.bias": rng.normal(size=4)}
    return encoder_weights | {name: tensor.astype("float32") for name, tensor in head.items()}


@pytest.fixture
def preset(tmp_path, config, vocabulary, weights):
    write_preset(tmp_path / "preset", config, vocabulary, weights)
    return tmp_path / "preset"


@pytest.fixture
def edit():
    """Changes fields of a JSON file; None removes one."""

    def change(path, **fields):
        content = json.loads(path.read_text()) if path.exists() else {}
        content.update(fields)
        path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))

    return change


@pytest.fixture
def assert_equal_weights():
    def check(actual, expected):
        assert sorted(actual) == sorted(expected)
        for name, tensor in expected.items():
            assert actual[name].dtype == np.float32
            np.testing.assert_array_equal(actual[name], tensor, err_msg=name)

    return check
