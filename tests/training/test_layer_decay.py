"""Each layer's share of the learning rate, in every task model; the updates are compared in test_optimizers.py."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.training import Lamb, layer_rate_multipliers
from tests.classifiers import INDICES, TEXTS, make_classifier, make_preprocessor
from tests.heads import ALL_MAKERS

READY = {name: tensor.numpy() for name, tensor in make_preprocessor()(TEXTS).items()}


def expected_shares(model, decay):
    """By the layers themselves: how many of them a variable's value has still to go through."""
    encoder = model.encoder
    count = len(encoder.blocks)
    shares = {id(v): decay ** (count + 1) for v in encoder.embeddings.trainable_variables}
    for place, block in enumerate(encoder.blocks):
        shares |= {id(v): decay ** (count - place) for v in block.trainable_variables}
    return [shares.get(id(v), 1.0) for v in model.trainable_variables]


@pytest.mark.parametrize("name", ALL_MAKERS)
def test_each_variable_of_a_model_has_its_layers_share(name):
    model = ALL_MAKERS[name]()
    model.compile(layer_decay=0.8)
    model.optimizer.build(model.trainable_variables)
    shares = model.optimizer._multipliers
    assert list(shares) == expected_shares(model, 0.8)
    assert len(shares) == len(model.trainable_variables)
    layers = len(model.encoder.blocks)
    assert len(set(shares)) == layers + 2 and min(shares) == 0.8 ** (layers + 1) and max(shares) == 1.0
    assert shares.count(0.8) == 16 and shares.count(min(shares)) == 5


def test_a_fit_from_a_file_goes_on_with_the_shares(tmp_path):
    """The rate of 0 parts leaves a layer where it is; one update of the first step moves each weight by its rate."""
    classifier = make_classifier(num_layers=2)
    settings = {"learning_rate": 0.01, "warmup": 0.0, "layer_decay": 0.5, "run_eagerly": True}
    classifier.compile(**settings, gradient_accumulation_steps=2)
    classifier.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.layer_decay == 0.5
    again.run_eagerly = True
    before = {v.path: v.numpy() for v in again.trainable_variables}
    again.fit(READY, INDICES, batch_size=7, verbose=0)
    moves = {v.path: np.abs(v.numpy() - before[v.path]) for v in again.trainable_variables}
    # The first update of Adam is of the size of the rate wherever the gradient is not tiny.
    for layer, share in layer_rate_multipliers(again.encoder, 0.5).items():
        assert np.median(moves[f"{layer}/norm/beta" if layer == "embeddings" else f"{layer}/output/bias"]) == (
            pytest.approx(0.01 * share, rel=0.01)
        )
    assert np.median(moves["logits/kernel"]) == pytest.approx(0.01, rel=0.05)


def test_lambs_step_is_multiplied_as_a_whole():
    values = {"embeddings": np.full((2, 3), 0.5, "float32"), "logits": np.full((3,), 0.25, "float32")}
    moves = []
    for multipliers in (None, {"embeddings": 0.25}):
        variables = []
        for layer, value in values.items():
            with keras.name_scope(layer):
                variables.append(keras.Variable(value, name="kernel" if layer == "embeddings" else "bias"))
        optimizer = Lamb(0.1, rate_multipliers=multipliers)
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
        again.apply([tf.ones(v.shape) for v in variables], variables)
        moves.append([values[layer] - v.numpy() for layer, v in zip(values, variables, strict=True)])
    np.testing.assert_allclose(moves[1][0], 0.25 * moves[0][0], rtol=1e-5)
    np.testing.assert_allclose(moves[1][1], moves[0][1])


@pytest.mark.parametrize("decay", [0, 1.5, -0.5])
def test_a_decay_that_is_none_is_refused(decay):
    classifier = make_classifier()
    with pytest.raises(ValueError, match=f"above 0 and at most 1. Received: {decay}"):
        classifier.compile(layer_decay=decay)


@pytest.mark.parametrize("setting", [{"layer_decay": 0.9}, {"ema_momentum": 0.9}])
def test_settings_of_the_automatic_optimizer_beside_another_are_refused(setting):
    classifier = make_classifier()
    with pytest.raises(ValueError, match="for the automatic optimizer. Received: .*0.9.* and another optimizer"):
        classifier.compile(keras.optimizers.SGD(0.1), **setting)


def test_adamw_takes_the_shares_of_an_encoder():
    classifier = make_classifier()
    shares = keras_bert.training.layer_rate_multipliers(classifier.encoder, 0.5)
    assert shares == {"embeddings": 0.25, "transformer_block_0": 0.5}
    optimizer = keras_bert.training.adamw(classifier.trainable_variables, rate_multipliers=shares)
    assert optimizer.get_config()["rate_multipliers"] == shares
