"""Graphs, XLA and half precision: the same numbers as eager float32, traced once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.encoders import MASK, assert_close, batch, make_encoder, values

DIRECTIONS = {
    "sequence_output": np.random.default_rng(0).normal(size=(7, 7, 12)).astype("float32"),
    "pooled_output": np.random.default_rng(1).normal(size=(7, 12)).astype("float32"),
}


@pytest.fixture(scope="module")
def expected():
    """Outputs and gradients of the path that skips padding."""
    return with_gradients(make_encoder(dropout=0.0, unpadding=True), batch())


def with_gradients(encoder, inputs):
    with tf.GradientTape() as tape:
        outputs = encoder(inputs, training=True)
        loss = sum(tf.reduce_sum(tf.cast(outputs[name], "float32") * DIRECTIONS[name]) for name in outputs)
    variables = [variable.value for variable in encoder.trainable_variables]
    return outputs, [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, variables)]


def assert_same(actual, expected, encoder):
    assert_close(actual[0], values(expected[0]))
    assert len(actual[1]) == len(expected[1])
    for variable, ours, other in zip(encoder.trainable_variables, actual[1], expected[1], strict=True):
        norm = np.linalg.norm(other)
        assert norm > 1e-2 or variable.path.endswith("key/bias"), variable.path
        assert np.linalg.norm(ours - other) <= max(1e-5 * norm, 1e-5), variable.path


# ---- Two ways in, one result


def test_computing_padding_gives_the_same_outputs_and_gradients(expected):
    encoder = make_encoder(dropout=0.0, unpadding=False)
    assert_same(with_gradients(encoder, batch()), expected, encoder)


def test_xla_gives_the_same_outputs_and_gradients(expected):
    encoder = make_encoder(dropout=0.0)
    function = tf.function(lambda inputs: with_gradients(encoder, inputs), jit_compile=True)
    assert_same(function({name: tf.constant(array) for name, array in batch().items()}), expected, encoder)


@pytest.mark.parametrize("unpadding", [None, True, False])
def test_a_graph_of_unknown_shapes_gives_the_same_outputs_and_gradients(expected, unpadding):
    encoder = make_encoder(dropout=0.0, unpadding=unpadding)
    signature = [{name: tf.TensorSpec((None, None), "int32") for name in batch()}]
    function = tf.function(lambda inputs: with_gradients(encoder, inputs), input_signature=signature)
    assert_same(function(batch()), expected, encoder)
    other = batch(MASK[:3, :5])
    assert_close(tf.function(lambda inputs: encoder(inputs), signature)(other), values(encoder(other)))


@pytest.mark.parametrize(
    ("arguments", "jit_compile"),
    [({"unpadding": False}, False), ({}, True), ({"dtype": "mixed_bfloat16"}, False)],
)
def test_the_look_inside_is_the_same_however_it_is_computed(arguments, jit_compile):
    inputs = batch(MASK[:2]) | {"padding_mask": MASK[:2] != 0}
    inside = make_encoder(scale=0.2, **arguments).with_layer_outputs()
    inside.compile(jit_compile=jit_compile)
    ours, expected = inside.predict(inputs, verbose=0), make_encoder(scale=0.2).with_layer_outputs()(inputs)
    atol = 0.08 if "dtype" in arguments else 1e-5
    assert ours.keys() == expected.keys()
    for mine, other in zip(keras.tree.flatten(ours), keras.tree.flatten(expected), strict=True):
        mine, other = (np.asarray(x).astype("float32") for x in (mine, other))
        if mine.ndim == 4:  # scores from padding are nobody's
            mine, other = (x * (MASK[:2] != 0)[:, None, :, None] for x in (mine, other))
        np.testing.assert_allclose(mine, other, rtol=0, atol=atol)


def test_keras_own_compiled_loops_give_the_same(expected):
    encoder = make_encoder(dropout=0.0)
    encoder.compile(jit_compile=True)
    assert_close(encoder.predict(batch(), batch_size=7, verbose=0), values(expected[0]))


def test_training_under_xla_equals_training_without():
    def train(jit_compile):
        encoder = make_encoder(dropout=0.0, num_layers=1)
        outputs = {"pooled_output": encoder.output["pooled_output"]}
        model = keras.Model(encoder.input, outputs)
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit_compile)
        model.fit(batch(), DIRECTIONS["pooled_output"], batch_size=7, epochs=3, shuffle=False, verbose=0)
        return encoder.get_weights()

    for ours, other in zip(train(True), train(False), strict=True):
        np.testing.assert_allclose(ours, other, rtol=0, atol=1e-5)


def test_dropout_acts_under_xla():
    encoder = make_encoder(dropout=0.3, num_layers=1)
    function = tf.function(lambda inputs: encoder(inputs, training=True), jit_compile=True)
    inputs = {name: tf.constant(array) for name, array in batch().items()}
    first, second = (values(function(inputs))["sequence_output"] for _ in range(2))
    assert abs(first - second).max() > 0.1
    assert (first[MASK == 0] == 0).all()


# ---- No retracing

SHAPES = [(2, 7), (3, 5), (1, 1), (4, 6), (2, 3), (5, 9), (1, 8), (3, 5)]


def masks():
    for rows, length in SHAPES:
        yield (np.arange(length) <= np.arange(rows)[:, None]).astype("int32")


def test_batches_of_other_shapes_do_not_trace_again():
    encoder = make_encoder()
    traces = []

    @tf.function(input_signature=[{name: tf.TensorSpec((None, None), "int32") for name in batch()}])
    def fixed(inputs):
        traces.append("fixed")
        return encoder(inputs)

    @tf.function(reduce_retracing=True)
    def relaxed(inputs):
        traces.append("relaxed")
        return encoder(inputs)

    for mask in masks():
        inputs = {name: tf.constant(array) for name, array in batch(mask).items()}
        expected = values(encoder(inputs))
        for function in (fixed, relaxed):
            assert_close(function(inputs), expected)
    assert traces.count("fixed") == 1
    assert traces.count("relaxed") <= 2


def test_predict_does_not_trace_again():
    encoder = make_encoder()
    for mask in masks():
        assert_close(encoder.predict_on_batch(batch(mask)), values(encoder(batch(mask))))
    # The first trace is for the first shape, the second for any.
    assert encoder.predict_function.experimental_get_tracing_count() <= 2


# ---- Precision


@pytest.mark.parametrize(("policy", "atol"), [("mixed_bfloat16", 0.08), ("mixed_float16", 0.01)])
@pytest.mark.parametrize("unpadding", [None, False])
def test_half_precision_is_finite_and_close(policy, atol, unpadding):
    encoder = make_encoder(scale=0.2, dtype=policy, dropout=0.0, unpadding=unpadding)
    half = policy.removeprefix("mixed_")
    outputs, gradients = with_gradients(encoder, batch())
    assert {output.dtype.name for output in outputs.values()} == {half}
    assert {variable.dtype for variable in encoder.weights} == {"float32"}
    full, full_gradients = with_gradients(make_encoder(scale=0.2, dropout=0.0), batch())
    full = values(full)
    for name, output in values(outputs).items():
        assert np.isfinite(output).all()
        assert 1e-6 < abs(output - full[name]).max() < atol
    assert (values(outputs)["sequence_output"][MASK == 0] == 0).all()
    for variable, ours, other in zip(encoder.trainable_variables, gradients, full_gradients, strict=True):
        assert ours.dtype == "float32"
        norm = np.linalg.norm(other)
        assert np.linalg.norm(ours - other) <= max(atol * norm, atol), variable.path


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16", "float32"])
def test_no_precision_lets_examples_see_each_other(policy):
    encoder = make_encoder(scale=1.5, dtype=policy)  # sharp scores
    mask = np.array([[1, 1, 1, 2, 2, 2, 0]])
    one, other = (batch(mask, seed) for seed in (1, 2))
    other = {name: np.where(mask == 1, one[name], array) for name, array in other.items()}
    one, other = (values(encoder(inputs))["sequence_output"] for inputs in (one, other))
    np.testing.assert_array_equal(one[:, :3], other[:, :3])
    assert abs(one[:, 3:6] - other[:, 3:6]).max() > 0.01
    assert np.isfinite(one).all()


def test_a_global_policy_is_the_default():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        encoder = make_encoder()
    finally:
        keras.config.set_dtype_policy("float32")
    assert encoder.dtype_policy.name == "mixed_bfloat16"
    assert encoder(batch())["sequence_output"].dtype == "bfloat16"
    assert make_encoder(dtype="float32")(batch())["pooled_output"].dtype == "float32"
