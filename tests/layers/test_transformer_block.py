"""A block by itself: who attends to whom, where dropout acts, and what it promises."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.layers.gathering import pad, unpad
from keras_bert.layers.transformer_block import TransformerBlock
from keras_bert.layers.unpadding import Unpadding
from tests.encoders import MASK
from tests.reference import ACTIVATIONS

REAL = MASK != 0
SAME = (MASK[:, :, None] == MASK[:, None, :]) & REAL[:, :, None]


def hidden_of(layout, seed=0):
    x = np.random.default_rng(seed).normal(size=(49, 12)).astype("float32")
    return tf.constant(x[unpad(np.arange(49).reshape(7, 7), layout).numpy()])


def built(layout, **arguments):
    block = TransformerBlock(**{"num_heads": 3, "intermediate_dim": 20} | arguments)
    block(hidden_of(layout), layout)
    rng = np.random.default_rng(3)
    for weight in block.weights:
        if "seed" not in weight.path:
            weight.assign(rng.normal(size=weight.shape) * 0.5)
    return block


@pytest.mark.parametrize("unpadding", [True, False])
@pytest.mark.parametrize("activation", ["gelu", "gelu_approximate"])
def test_it_computes_what_the_paper_says(unpadding, activation):
    layout = Unpadding(3, unpadding)(MASK)
    block = built(layout, activation=activation, layer_norm_epsilon=0.1)
    hidden = hidden_of(layout)
    output, scores = (x.numpy() for x in block(hidden, layout, return_attention_scores=True))

    def dense(layer, x):
        return x @ layer.kernel.numpy().astype("float64") + layer.bias.numpy()

    def norm(layer, x):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 0.1)
        return x * layer.gamma.numpy() + layer.beta.numpy()

    places = unpad(np.arange(49).reshape(7, 7), layout).numpy()
    examples = {(row, value) for row in range(7) for value in MASK[row] if value}
    assert len(examples) == 9
    for row, value in examples:
        inside = np.flatnonzero(MASK[row] == value)
        rows = np.searchsorted(places, row * 7 + inside)
        x = hidden.numpy()[rows].astype("float64")
        mixed = []
        for head in range(3):
            q, k, v = (
                dense(layer, x)[:, head * 4 : head * 4 + 4] for layer in (block.query, block.key, block.value)
            )
            weights = np.exp(q @ k.T / 2)
            weights /= weights.sum(-1, keepdims=True)
            np.testing.assert_allclose(scores[row, head][np.ix_(inside, inside)], weights, atol=1e-5)
            mixed.append(weights @ v)
        x = norm(block.attention_norm, x + dense(block.attention_output, np.concatenate(mixed, -1)))
        widened = ACTIVATIONS[activation](dense(block.intermediate, x))
        x = norm(block.output_norm, x + dense(block.output_dense, widened))
        np.testing.assert_allclose(output[rows], x, atol=1e-5)


@pytest.mark.parametrize("unpadding", [True, False])
def test_attention_stays_inside_an_example_and_sums_to_1(unpadding):
    layout = Unpadding(3, unpadding)(MASK)
    _, scores = built(layout)(hidden_of(layout), layout, return_attention_scores=True)
    scores = scores.numpy()
    assert scores.shape == (7, 3, 7, 7)
    assert np.isfinite(scores).all()
    other = np.broadcast_to((~SAME & REAL[:, :, None])[:, None], scores.shape)
    assert (scores[other] == 0).all()
    assert (scores[np.broadcast_to(SAME[:, None], scores.shape)] > 0).all()
    np.testing.assert_allclose(scores.sum(-1), 1, atol=1e-5)


def test_each_dropout_has_its_place():
    layout = Unpadding(3)(MASK)
    hidden = hidden_of(layout)
    quiet = built(layout, dropout=0.0, attention_dropout=0.0)
    expected, scores = quiet(hidden, layout, training=True, return_attention_scores=True)
    np.testing.assert_array_equal(quiet(hidden, layout), expected)
    # All but nothing dropped from both parts' outputs: what is left is the two norms of the input.
    deaf = built(layout, dropout=0.999, attention_dropout=0.0)
    only_norms = deaf.output_norm(deaf.attention_norm(hidden)).numpy()
    output = deaf(hidden, layout, training=True).numpy()
    assert (abs(output - only_norms).max(-1) < 1e-4).mean() > 0.8
    np.testing.assert_allclose(deaf(hidden, layout), expected, atol=1e-6)
    # Attention dropout changes the mix, and not the scores that are shown.
    blind = built(layout, dropout=0.0, attention_dropout=0.5)
    output, shown = blind(hidden, layout, training=True, return_attention_scores=True)
    np.testing.assert_allclose(shown, scores, atol=1e-6)
    assert abs(output - expected).numpy().max() > 0.1


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_the_promised_shapes_and_types_are_the_real_ones(dtype):
    block, unpadding = TransformerBlock(3, 20, dtype=dtype), Unpadding(3, dtype=dtype)
    symbolic_layout = unpadding(keras.Input((None,), dtype="int32"))
    symbolic_hidden = keras.KerasTensor((None, 12), block.compute_dtype)
    layout = unpadding(MASK)
    for asked, some in itertools.product((False, True), repeat=2):
        how = {"return_attention_scores": asked}
        symbolic = block(symbolic_hidden, symbolic_layout, **how, positions=keras.Input((5,)) if some else None)
        real = block(hidden_of(layout), layout, **how, positions=np.zeros((7, 5), "int32") if some else None)
        assert isinstance(real, tuple) == asked
        assert keras.tree.flatten(symbolic)[0].shape == (None, 12)
        for promised, given in zip(keras.tree.flatten(symbolic), keras.tree.flatten(real), strict=True):
            assert promised.dtype == given.dtype
            assert tf.TensorShape(promised.shape).is_compatible_with(given.shape)


@pytest.mark.parametrize("unpadding", [True, False])
def test_some_positions_alone_are_what_they_are_among_the_others(unpadding):
    layout = Unpadding(3, unpadding)(MASK)
    block = built(layout)
    hidden = hidden_of(layout)
    positions = np.random.default_rng(4).integers(0, 7, (7, 5))  # in any order, some twice
    how = {"layout": layout, "return_attention_scores": True}
    output, scores = (x.numpy() for x in block(hidden, **how))
    some, some_scores = (x.numpy() for x in block(hidden, **how, positions=positions))
    rows = np.arange(7)[:, None]
    np.testing.assert_allclose(some.reshape(7, 5, 12), pad(output, layout).numpy()[rows, positions], atol=1e-5)
    real = MASK[rows, positions] != 0
    assert 5 < real.sum() < 30
    assert np.all(some.reshape(7, 5, 12)[~real] == 0)
    expected = scores.transpose(0, 2, 1, 3)[rows, positions]  # (B, P, heads, T)
    np.testing.assert_allclose(some_scores.transpose(0, 2, 1, 3)[real], expected[real], atol=1e-6)


def test_the_config_holds_every_argument():
    arguments = {
        "num_heads": 4,
        "intermediate_dim": 21,
        "dropout": 0.35,
        "attention_dropout": 0.45,
        "activation": "gelu_approximate",
        "layer_norm_epsilon": 1e-3,
        "name": "other",
        "trainable": False,
    }
    layout = Unpadding(4, dtype="mixed_bfloat16")(MASK)
    block = built(layout, **arguments, dtype="mixed_bfloat16")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(block))
    assert again.get_config() == block.get_config()
    assert arguments.items() <= again.get_config().items()
    again(hidden_of(layout), layout)
    again.set_weights(block.get_weights())
    outputs = (tf.cast(each(hidden_of(layout), layout), "float32") for each in (block, again))
    np.testing.assert_array_equal(*outputs)
