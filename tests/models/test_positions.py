"""The encoder that computes `pooled_output` alone gives what the whole encoder gives."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.models.encoder import BertEncoder
from keras_bert.models.positions import pooled_encoder
from keras_bert.models.weights import encoder_weights, weight_values
from tests.encoders import MASK, batch, make_encoder
from tests.reference import bert


@pytest.mark.parametrize("unpadding", [True, False])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_it_computes_what_the_paper_says(unpadding, num_layers):
    encoder = make_encoder(unpadding=unpadding, num_layers=num_layers)
    expected = bert(weight_values(encoder_weights(encoder)), batch(), 3)["pooled_output"]
    np.testing.assert_allclose(pooled_encoder(encoder)(batch()), expected, atol=1e-5)
    assert np.ptp(expected[MASK[:, 0] != 0], axis=0).max() > 0.5


@pytest.mark.parametrize("unpadding", [True, False])
@pytest.mark.parametrize("jit_compile", [True, False])
def test_outputs_and_gradients_are_the_whole_encoders(unpadding, jit_compile):
    if jit_compile and unpadding:
        unpadding = None  # XLA has no shapes that depend on values
    encoder = make_encoder(unpadding=unpadding)
    pooled = pooled_encoder(encoder)
    wanted = np.random.default_rng(5).normal(size=(7, 12))
    trained = [variable.value for variable in encoder.trainable_variables]

    def step(outputs_of):
        @tf.function(jit_compile=jit_compile)
        def run(inputs):
            with tf.GradientTape() as tape:
                outputs = outputs_of(inputs)
                loss = tf.reduce_sum(outputs * wanted)
            return outputs, [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, trained)]

        return run({name: tf.constant(array) for name, array in batch().items()})

    outputs, gradients = step(pooled)
    expected, expected_gradients = step(lambda inputs: encoder(inputs)["pooled_output"])
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    for gradient, whole, variable in zip(
        gradients, expected_gradients, encoder.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(gradient, whole, atol=2e-5, err_msg=variable.path)
        assert np.abs(whole).max() > 1e-3 or variable.path.endswith("key/bias")  # 0 in exact arithmetic


@pytest.mark.parametrize("unpadding", [True, False])
@pytest.mark.parametrize("rows", [0, 1])
def test_small_batches(rows, unpadding):
    encoder = make_encoder(unpadding=unpadding)
    inputs = batch(MASK[1 : 1 + rows])
    expected = encoder(inputs)["pooled_output"]
    np.testing.assert_allclose(pooled_encoder(encoder)(inputs), expected, atol=1e-5)


def test_dropout_acts_in_training():
    pooled = pooled_encoder(make_encoder(num_layers=1, dropout=0.0, attention_dropout=0.5))
    first, second = (pooled(batch(), training=True) for _ in range(2))
    assert np.abs(first - second).max() > 0.01


def test_the_last_block_leaves_out_all_but_the_first_positions():
    """The share of floating-point operations that is saved, as TensorFlow counts them."""
    encoder = BertEncoder(vocabulary_size=11, num_layers=3, num_heads=2, hidden_dim=64, intermediate_dim=256)
    shapes = {name: tf.TensorSpec((8, 32), tf.int32) for name in encoder.input}

    def flops(model):
        graph = tf.function(lambda inputs: model(inputs)).get_concrete_function(shapes).graph
        options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
        options["output"] = "none"
        return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops

    encoder.layout_layer.unpadding = False  # so that all shapes are known
    whole = flops(lambda inputs: encoder(inputs)["pooled_output"])
    # Of a block's arithmetic only the keys' and values' share, 1 in 6 of the dense layers', is left.
    assert flops(pooled_encoder(encoder)) / whole < 1 - 0.8 / 3
