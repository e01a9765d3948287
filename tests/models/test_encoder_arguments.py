"""What the encoder can be made with, what it is then made of, and what it refuses."""

import inspect

import keras
import numpy as np
import pytest

import keras_bert
from tests.encoders import SIZES, batch, make_encoder

# ---- Sizes


@pytest.mark.parametrize(("size", "parameters"), [("base", 109_482_240), ("large", 335_141_888)])
def test_it_has_as_many_parameters_as_bert(size, parameters):
    with keras.StatelessScope(initialize_variables=False):  # shapes without gigabytes
        encoder = keras_bert.BertEncoder(**keras_bert.SIZES[size])
        assert encoder.count_params() == parameters
        assert len(encoder.trainable_variables) == 5 + 16 * encoder.arguments["num_layers"] + 2
    keras.utils.clear_session(free_memory=False)


def test_defaults_are_bert_base():
    parameters = inspect.signature(keras_bert.BertEncoder.__init__).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    assert defaults | {"self": None, "kwargs": None} == {
        "self": None,
        "vocabulary_size": 30522,
        "num_layers": 12,
        "num_heads": 12,
        "hidden_dim": 768,
        "intermediate_dim": 3072,
        "max_sequence_length": 512,
        "num_segments": 2,
        "dropout": 0.1,
        "attention_dropout": None,
        "activation": "gelu",
        "layer_norm_epsilon": 1e-12,
        "unpadding": None,
        "rematerialize": False,
        "dtype": None,
        "kwargs": None,
    }
    assert keras_bert.SIZES["base"].items() <= defaults.items()


def test_sizes_are_the_published_ones():
    table = {size: tuple(sizes.values()) for size, sizes in keras_bert.SIZES.items()}
    assert table == {
        "tiny": (2, 2, 128, 512),
        "mini": (4, 4, 256, 1024),
        "small": (4, 8, 512, 2048),
        "medium": (8, 8, 512, 2048),
        "base": (12, 12, 768, 3072),
        "large": (24, 16, 1024, 4096),
    }
    assert list(keras_bert.SIZES["tiny"]) == ["num_layers", "num_heads", "hidden_dim", "intermediate_dim"]


def test_attention_dropout_follows_dropout_unless_given():
    assert keras_bert.BertEncoder(**SIZES, dropout=0.3).blocks[1].attention_dropout == 0.3
    block = keras_bert.BertEncoder(**SIZES, dropout=0.3, attention_dropout=0.0).blocks[1]
    assert (block.dropout, block.attention_dropout) == (0.3, 0.0)


def test_new_weights_are_those_of_bert():
    keras.utils.set_random_seed(0)
    encoder = keras_bert.BertEncoder(**SIZES | {"hidden_dim": 120, "vocabulary_size": 101})
    for variable in encoder.trainable_variables:
        value = variable.numpy()
        if variable.path.endswith(("kernel", "embeddings")):
            assert 0.012 < value.std() < 0.024, variable.path  # 0.02, cut at two deviations: 0.0176
            assert abs(value).max() <= 0.04, variable.path
        else:
            np.testing.assert_array_equal(value, float(variable.path.endswith("gamma")), variable.path)


# ---- Errors


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("size", [0, 2.0, "3"])
def test_a_size_that_is_no_whole_number_is_refused(name, size):
    rule = f"`{name}` must be a whole number, at least 1. Received: {name}={size!r}."
    with pytest.raises(ValueError, match=rule.replace("(", r"\(")):
        keras_bert.BertEncoder(**SIZES | {name: size})


def test_heads_that_do_not_divide_the_width_are_refused():
    rule = "must be a multiple of `num_heads`. Received: hidden_dim=13, num_heads=3. Use a hidden_dim of 15"
    with pytest.raises(ValueError, match=rule):
        keras_bert.BertEncoder(**SIZES | {"hidden_dim": 13})


@pytest.mark.parametrize("name", ["dropout", "attention_dropout"])
@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_wrong_dropout_is_refused(name, rate):
    with pytest.raises(ValueError, match=f"`rate` must be at least 0 and below 1. Received: rate={rate}"):
        keras_bert.BertEncoder(**SIZES, **{name: rate})


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="`activation` must be .* Received: activation='gelo'. Use 'gelu'"):
        keras_bert.BertEncoder(**SIZES, activation="gelo")


def test_a_sequence_longer_than_the_position_table_is_refused():
    encoder = make_encoder()
    rule = "not be longer than the position table. Received: 10 tokens, max_sequence_length=9. Use a preprocessor"
    with pytest.raises(ValueError, match=rule):
        encoder(batch(np.ones((2, 10), "int32")))
    encoder(batch(np.ones((2, 9), "int32")))
