"""Layer normalization against its definition, and against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.layers.norm import LayerNormalization


def pair(dtype="float32", epsilon=1e-3, width=12):
    layers = [
        kind(epsilon=epsilon, dtype=dtype) for kind in (LayerNormalization, keras.layers.LayerNormalization)
    ]
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=width), rng.normal(size=width)]
    for layer in layers:
        layer.build((None, width))
        layer.set_weights(weights)
    return layers


@pytest.mark.parametrize("shape", [(5, 12), (0, 12), (5, 3, 12)])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_it_centres_and_scales_each_vector(shape, offset):
    layer, _ = pair()
    x = np.random.default_rng(0).normal(size=shape) * 3 + offset
    x[..., :1, :] = offset  # of variance 0
    centred = x - x.mean(-1, keepdims=True)
    expected = centred / np.sqrt(x.var(-1, keepdims=True) + 1e-3) * layer.gamma.numpy() + layer.beta.numpy()
    np.testing.assert_allclose(layer(x.astype("float32")), expected, atol=1e-5 if not offset else 1e-4)


def test_its_gradients_are_those_of_keras():
    x = tf.constant(np.random.default_rng(0).normal(size=(7, 12)), tf.float32)
    weights = np.random.default_rng(2).normal(size=(7, 12))
    gradients = []
    for layer in pair():
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x) * weights)
        gradients.append(tape.gradient(loss, [x, *(weight.value for weight in layer.weights)]))
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_is_summed_in_float32(dtype):
    layer, theirs = pair(dtype, width=768)
    # The squares add up to more than float16 holds.
    x = tf.cast(np.random.default_rng(0).normal(size=(3, 768)) * 300, layer.compute_dtype)
    assert layer(x).dtype == layer.compute_dtype
    np.testing.assert_allclose(tf.cast(layer(x), "float32"), tf.cast(theirs(x), "float32"), atol=0.03)
