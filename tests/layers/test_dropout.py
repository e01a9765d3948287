"""Dropout drops as many as it says, others each time, others on each replica, and the same for a seed."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.layers.dropout import Dropout

COUNT = 200_001  # odd: the last unit has a word of random bits to itself


def drop(rate, seed=0, inputs=None, layer=None):
    inputs = np.ones(COUNT, "float32") if inputs is None else inputs
    return np.asarray((layer or Dropout(rate, seed=seed))(inputs, training=True))


# ---- Rate and expectation


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.25, 0.5, 0.9, 0.999])
def test_as_many_are_dropped_as_the_rate_says(rate):
    dropped = (drop(rate) == 0).sum()
    deviation = np.sqrt(COUNT * rate * (1 - rate))
    assert abs(dropped - COUNT * rate) < 5 * deviation


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.9])
def test_the_rest_is_scaled_so_that_the_mean_stays(rate):
    output = drop(rate)
    kept = output[output != 0]
    np.testing.assert_allclose(kept, 1 / (1 - rate), rtol=2**-12)
    assert len(set(kept.tolist())) == 1
    # The scale is the inverse of the share that is kept in truth, a multiple of 2**-16.
    np.testing.assert_allclose(kept[0], 2**16 / round((1 - rate) * 2**16), rtol=1e-6)
    deviation = np.sqrt(rate / (1 - rate) / COUNT)
    assert abs(output.mean() - 1) < 5 * deviation


def test_each_unit_is_drawn_by_itself():
    output = (drop(0.5)[:-1] == 0) - 0.5
    for step in (1, 2, 3, 12, 100_000):  # neighbours, halves of one word, rows, halves of the whole
        assert abs((output[step:] * output[:-step]).mean() * 4) < 5 / np.sqrt(len(output) - step)
    layer = Dropout(0.5, seed=0)
    first, second = ((drop(0.5, layer=layer) == 0) - 0.5 for _ in range(2))
    assert abs((first * second).mean() * 4) < 5 / np.sqrt(COUNT)
    shape = (3, 5, 7, 11)
    many = np.mean([drop(0.5, seed, np.ones(shape, "float32")) == 0 for seed in range(100)], axis=0)
    assert 0.5 - 0.3 < many.min() <= many.max() < 0.5 + 0.3
    assert len(np.unique(many)) > 10


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0), (2, 3), (2, 3, 5, 7)])
def test_any_shape_is_kept(shape):
    output = drop(0.5, inputs=np.full(shape, 3.0, "float32"))
    assert output.shape == shape
    assert set(output.ravel().tolist()) <= {0.0, 6.0}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_any_float_is_kept(dtype):
    output = Dropout(0.25, seed=0, dtype=dtype)(tf.ones((100, 7), dtype), training=True)
    assert output.dtype == dtype
    output = tf.cast(output, "float32").numpy()
    np.testing.assert_allclose(output[output != 0], 4 / 3, rtol=2**-8)
    assert 0.15 < (output == 0).mean() < 0.35


@pytest.mark.parametrize("rate", [1e-7, 1 - 1e-7])
def test_rates_next_to_0_and_1_stay_finite(rate):
    output = drop(rate)
    assert np.isfinite(output).all()
    assert (output == 0).mean() == pytest.approx(rate, abs=1e-3)


def test_nothing_is_dropped_outside_training_or_at_rate_0():
    inputs = np.random.default_rng(0).normal(size=(5, 7)).astype("float32")
    np.testing.assert_array_equal(Dropout(0.5)(inputs), inputs)
    np.testing.assert_array_equal(Dropout(0.5)(inputs, training=False), inputs)
    np.testing.assert_array_equal(Dropout(0.0)(inputs, training=True), inputs)
    assert Dropout(0.0).variables == []


@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_the_gradient_is_the_mask(rate):
    inputs = tf.constant(np.random.default_rng(0).normal(size=(50, 7)).astype("float32"))
    upstream = np.random.default_rng(1).normal(size=(50, 7)).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = Dropout(rate, seed=0)(inputs, training=True)
        loss = tf.reduce_sum(output * upstream)
    gradient = tape.gradient(loss, inputs).numpy()
    assert 0 < (gradient == 0).mean() < 1
    np.testing.assert_allclose(gradient, upstream * (output.numpy() / inputs.numpy()), rtol=1e-5)


# ---- Seeds


def test_each_call_draws_anew():
    layer = Dropout(0.5, seed=0)
    eager = [drop(0.5, layer=layer) for _ in range(2)]
    function = tf.function(lambda inputs: layer(inputs, training=True))
    compiled = tf.function(lambda inputs: layer(inputs, training=True), jit_compile=True)
    ones = tf.ones(COUNT)
    masks = [*eager, *(f(ones).numpy() for f in (function, function, compiled, compiled))]
    for i, mask in enumerate(masks):
        for other in masks[:i]:
            assert 0.49 < (mask != other).mean() < 0.51


def test_twice_in_one_graph_draws_twice():
    layer = Dropout(0.5, seed=0)
    first, second = tf.function(lambda x: (layer(x, training=True), layer(x, training=True)))(tf.ones(COUNT))
    assert 0.49 < (first.numpy() != second.numpy()).mean() < 0.51


def test_a_seed_gives_the_same_masks_in_the_same_order():
    one, other = Dropout(0.5, seed=7), Dropout(0.5, seed=7)
    for _ in range(3):
        np.testing.assert_array_equal(drop(0.5, layer=one), drop(0.5, layer=other))
    assert (drop(0.5, seed=7) != drop(0.5, seed=8)).mean() > 0.49


def test_keras_global_seed_fixes_the_masks_of_layers_without_a_seed():
    def run(seed):
        keras.utils.set_random_seed(seed)
        layers = [Dropout(0.5), Dropout(0.5)]
        return [drop(0.5, layer=layer) for layer in layers for _ in range(2)]

    np.testing.assert_array_equal(run(1), run(1))
    masks = [*run(1), *run(2)]
    for i, mask in enumerate(masks):
        for other in masks[:i]:
            assert (mask != other).mean() > 0.49


REPLICAS = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
import keras_bert
from keras_bert.layers.dropout import Dropout

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
with strategy.scope():
    layer = Dropout(0.5, seed=3)
    encoder = keras_bert.BertEncoder(11, 1, 3, 12, 20, 9, dropout=0.3)
ids = np.array([[2, 5, 7, 3, 0]])
inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids > 0}

@tf.function
def step():
    return strategy.run(lambda: (
        layer(tf.ones(10_000), training=True),
        encoder(inputs, training=True)["sequence_output"],
        encoder(inputs)["sequence_output"],
    ))

masks = []
for _ in range(2):
    values = [strategy.experimental_local_results(value) for value in step()]
    assert len(values[0]) == 2
    masks += [(value.numpy() == 0) for value in values[0]]
    assert np.abs(values[1][0] - values[1][1]).max() > 0.05
    assert np.abs(values[2][0] - values[2][1]).max() == 0
for i, mask in enumerate(masks):
    assert abs(mask.mean() - 0.5) < 0.03
    for other in masks[:i]:
        assert abs((mask != other).mean() - 0.5) < 0.03
state = [v.numpy() for v in strategy.experimental_local_results(layer.seed_generator.state.value)]
np.testing.assert_array_equal(state[0], state[-1])

one = tf.distribute.MirroredStrategy(["CPU:0"])
with one.scope():
    alone = Dropout(0.5, seed=3)
mask = one.run(tf.function(lambda: alone(tf.ones(10_000), training=True)))
np.testing.assert_array_equal(mask, Dropout(0.5, seed=3)(tf.ones(10_000), training=True))
print("replicas differ")
"""


def test_replicas_draw_different_masks(root):
    result = subprocess.run(
        [sys.executable, "-c", REPLICAS],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.strip().endswith("replicas differ"), result.stderr[-3000:]


# ---- Config and errors


def test_the_config_holds_every_argument():
    layer = Dropout(0.35, seed=5, name="other", dtype="mixed_bfloat16", trainable=False)
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == layer.get_config()
    assert (again.rate, again.seed, again.name, again.dtype_policy.name) == (
        0.35,
        5,
        "other",
        "mixed_bfloat16",
    )
    np.testing.assert_array_equal(
        *(tf.cast(each(tf.ones((9, 7), "bfloat16"), training=True), "float32") for each in (layer, again))
    )


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan")])
def test_a_rate_that_is_no_share_is_refused(rate):
    with pytest.raises(
        ValueError, match=f"`rate` must be at least 0 and below 1. Received: rate={rate}. Use 0.1"
    ):
        Dropout(rate)


@pytest.mark.parametrize("how", [{}, {"jit_compile": True}])
def test_gradients_pass_where_units_do_and_are_scaled_as_they_are(how):
    layer, x = Dropout(0.3), tf.reshape(tf.range(1.0, 41.0), (5, 8))

    @tf.function(**how)
    def compute(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        return y, tape.gradient(y, x, output_gradients=upstream)

    upstream = tf.reverse(x, [0])
    y, gradient = compute(x, upstream)
    assert 0 < np.count_nonzero(y) < 40
    np.testing.assert_allclose(gradient, upstream * (y / x), rtol=1e-6)


def test_a_seed_that_was_drawn_drops_the_same_units_again():
    layer, x = Dropout(0.5), tf.ones((9, 11))
    seed = layer.draw()
    first, second = (layer(x, training=True, seed=seed).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (layer(x, training=True).numpy() != first).any()
    assert Dropout(0.0).draw() is None
