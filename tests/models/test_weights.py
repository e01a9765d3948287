"""A checkpoint's names lead to the right variables, in the checkpoint's shapes."""

import logging

import numpy as np
import pytest

import keras_bert
from keras_bert.models.weights import assign_weights, dense_weights, encoder_weights, weight_values
from keras_bert.presets.names import encoder_names
from tests.encoders import SIZES
from tests.reference import random_weights


@pytest.fixture
def encoder():
    return keras_bert.BertEncoder(**SIZES)


@pytest.fixture
def weights():
    return random_weights(SIZES, seed=3)


def snapshot(encoder):
    return {variable.path: variable.numpy() for variable in encoder.trainable_variables}


def test_every_variable_has_one_name_and_the_checkpoints_shape(encoder):
    named = encoder_weights(encoder)
    assert {name: weight.shape for name, weight in named.items()} == encoder_names(SIZES)
    variables = [id(getattr(weight.layer, weight.attribute)) for weight in named.values()]
    # A kernel is given out anew each time, its path tells which it is.
    paths = [getattr(weight.layer, weight.attribute).path for weight in named.values()]
    assert len(variables) == len(set(paths)) == len(encoder.trainable_variables)
    assert set(paths) == {variable.path for variable in encoder.trainable_variables}


def test_assigned_weights_are_read_back_bit_for_bit(encoder, weights):
    named = encoder_weights(encoder)
    assign_weights(named, weights)
    values = weight_values(named)
    assert values.keys() == weights.keys()
    for name, array in values.items():
        np.testing.assert_array_equal(array, weights[name], err_msg=name)
        assert array.dtype == np.float32
        assert array.flags.c_contiguous


def test_kernels_are_turned_and_nothing_else(encoder, weights):
    assign_weights(encoder_weights(encoder), weights)
    block = encoder.blocks[1]
    for layer, name in (
        (block.query, "encoder.layer.1.attention.self.query"),
        (block.intermediate, "encoder.layer.1.intermediate.dense"),
        (block.output_dense, "encoder.layer.1.output.dense"),
        (encoder.pooler.dense, "pooler.dense"),
    ):
        np.testing.assert_array_equal(layer.kernel, weights[f"{name}.weight"].T)
        np.testing.assert_array_equal(layer.bias, weights[f"{name}.bias"])
    table = encoder.embeddings.segment_embedding.embeddings
    np.testing.assert_array_equal(table, weights["embeddings.token_type_embeddings.weight"])
    np.testing.assert_array_equal(block.output_norm.gamma, weights["encoder.layer.1.output.LayerNorm.weight"])
    np.testing.assert_array_equal(block.output_norm.beta, weights["encoder.layer.1.output.LayerNorm.bias"])


def test_a_kernel_with_lora_is_read_merged(encoder):
    dense = encoder.blocks[0].query
    before = dense.kernel.numpy()
    dense.enable_lora(2)
    a, b = np.random.default_rng(0).normal(size=(12, 2)), np.random.default_rng(1).normal(size=(2, 12))
    dense.lora_kernel_a.assign(a)
    dense.lora_kernel_b.assign(b)
    value = dense_weights("query", dense)["query.weight"].value()
    np.testing.assert_allclose(value, (before + a @ b).T, atol=1e-5)


def test_missing_weights_are_named_and_nothing_is_assigned(encoder, weights):
    before = snapshot(encoder)
    del weights["encoder.layer.1.output.LayerNorm.bias"]
    del weights["pooler.dense.bias"]
    rule = (
        r"The weights must fit the configuration. Received tensors: 2 missing \(encoder.layer.1.output.LayerNorm.bias, "
        r"pooler.dense.bias\)"
    )
    with pytest.raises(ValueError, match=rule):
        assign_weights(encoder_weights(encoder), weights)
    for path, array in snapshot(encoder).items():
        np.testing.assert_array_equal(array, before[path])


def test_weights_of_another_shape_are_named_and_nothing_is_assigned(encoder, weights):
    before = snapshot(encoder)
    weights["encoder.layer.0.intermediate.dense.weight"] = np.zeros((12, 20), "float32")
    rule = (
        r"1 of another shape \(encoder.layer.0.intermediate.dense.weight: \(12, 20\) instead of \(20, 12\)\)"
    )
    with pytest.raises(ValueError, match=rule):
        assign_weights(encoder_weights(encoder), weights)
    for path, array in snapshot(encoder).items():
        np.testing.assert_array_equal(array, before[path])


def test_optional_weights_may_be_missing_and_stay_as_they_were(encoder, weights, caplog):
    before = snapshot(encoder)
    without = {name: array for name, array in weights.items() if not name.startswith("pooler.")}
    with caplog.at_level(logging.WARNING, "keras_bert"):
        assign_weights(encoder_weights(encoder), without, optional=("pooler.",))
    assert caplog.messages == [
        "Not in the preset, so new and random, to be trained: pooler.dense.bias, pooler.dense.weight."
    ]
    for path, array in snapshot(encoder).items():
        assert (array == before[path]).all() == path.startswith("pooler/"), path


def test_left_over_weights_are_named(encoder, weights, caplog):
    extra = {"classifier.weight": np.zeros((2, 12)), "cls.predictions.bias": np.zeros(11)}
    with caplog.at_level(logging.WARNING, "keras_bert"):
        assign_weights(encoder_weights(encoder), weights | extra)
    assert caplog.messages == ["In the preset and not used here: classifier.weight, cls.predictions.bias."]


def test_what_fits_is_loaded_without_a_word(encoder, weights, caplog):
    with caplog.at_level(logging.DEBUG, "keras_bert"):
        assign_weights(encoder_weights(encoder), weights)
    assert [record for record in caplog.records if record.name == "keras_bert"] == []
