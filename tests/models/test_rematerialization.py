"""Blocks that are computed twice train as those that are computed once, in a fraction of the memory."""

import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from tests.classifiers import INDICES, TEXTS, make_classifier, values_of
from tests.encoders import MASK, batch, make_encoder
from tests.masked import TEXTS as MASKED_TEXTS
from tests.masked import make_masked_lm

DIRECTION = np.random.default_rng(0).normal(size=(7, 7, 12)).astype("float32")


def gradients(how, seed=5, **arguments):
    """The gradients of an encoder whose dropout begins with a seed, on padded and packed rows."""
    keras.utils.set_random_seed(seed)
    encoder = make_encoder(**arguments)
    variables = [variable.value for variable in encoder.trainable_variables]

    def compute(inputs):
        with tf.GradientTape() as tape:
            outputs = encoder(inputs, training=True)
            loss = tf.reduce_sum(tf.cast(outputs["sequence_output"], "float32") * DIRECTION)
            loss += tf.reduce_sum(tf.cast(outputs["pooled_output"], "float32"))
        return [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, variables)]

    if how != "eager":
        compute = tf.function(compute, jit_compile=how == "xla")
    inputs = {name: tf.constant(array) for name, array in batch().items()}
    return [gradient.numpy() for gradient in compute(inputs)]


def difference(ours, others):
    """Of the whole gradient, relative."""
    ours, others = (np.concatenate([gradient.ravel() for gradient in each]) for each in (ours, others))
    assert np.linalg.norm(others) > 1
    return np.linalg.norm(ours - others) / np.linalg.norm(others)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize(("how", "unpadding"), [("eager", None), ("graph", None), ("graph", False), ("xla", None)])
def test_gradients_are_those_of_blocks_computed_once(how, unpadding, dropout):
    arguments = {"unpadding": unpadding, "dropout": dropout}
    once = gradients(how, **arguments)
    assert difference(gradients(how, rematerialize=True, **arguments), once) <= 1e-6
    if dropout:  # and the masks count
        assert difference(gradients(how, seed=6, **arguments), once) > 1e-2


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("how", ["eager", "xla"])
def test_gradients_in_half_precision_are_those_of_blocks_computed_once(policy, how):
    arguments = {"dtype": policy, "dropout": 0.3}
    assert difference(gradients(how, rematerialize=True, **arguments), gradients(how, **arguments)) <= 1e-6


def fitted(model, x, y, prepare=None, **settings):
    """Trains a copy whose blocks are computed twice, or not."""
    weights = []
    for rematerialize in (False, True):
        keras.utils.set_random_seed(3)
        copy = model.with_encoder(rematerialize=rematerialize)
        if prepare is not None:
            prepare(copy)
        copy.compile(keras.optimizers.SGD(0.05, global_clipnorm=1.0), **settings)
        copy.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        weights.append(values_of(copy))
    assert weights[0].keys() == weights[1].keys()
    return weights


def assert_equal(once, twice, start, atol=1e-6):
    for path, value in once.items():
        np.testing.assert_allclose(twice[path], value, rtol=0, atol=atol, err_msg=path)
    assert max(abs(value - start[path]).max() for path, value in once.items() if path in start) > 1e-3


def test_a_fit_in_parts_with_dropout_gives_the_same_weights():
    model = make_classifier(num_layers=2, dropout=0.2)
    once, twice = fitted(model, TEXTS, INDICES, gradient_accumulation_steps=2)
    assert_equal(once, twice, values_of(model))


def test_a_scaled_loss_gives_the_same_weights():
    model = make_classifier(num_layers=2, dropout=0.2).with_dtype("mixed_float16")
    once, twice = fitted(model, TEXTS, INDICES, gradient_accumulation_steps=2, run_eagerly=True)
    assert_equal(once, twice, values_of(model))


def test_a_last_block_of_some_positions_gives_the_same_weights():
    model = make_masked_lm()
    once, twice = fitted(model, MASKED_TEXTS, None, run_eagerly=True)
    assert_equal(once, twice, values_of(model))


def test_matrices_of_lora_get_the_same_gradients():
    model, settings = make_classifier(num_layers=2), {"run_eagerly": True}
    once, twice = fitted(model, TEXTS, INDICES, lambda copy: copy.enable_lora(2, targets=["value"]), **settings)
    assert sum("lora" in path for path in once) == 4
    assert_equal(once, twice, {path: 0 * value for path, value in once.items() if path.endswith("lora_kernel_b")})


def test_blocks_are_computed_twice_in_training_alone():
    def graph(training, **arguments):
        encoder = make_encoder(**arguments)
        variables = [variable.value for variable in encoder.trainable_variables]

        def compute(inputs):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(encoder(inputs, training=training)["sequence_output"])
            return [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, variables[:1])]

        traced = tf.function(compute).get_concrete_function(batch()).graph
        return sum(node.type == "Erf" for node in traced.get_operations())

    assert graph(False, rematerialize=True) == graph(True) == 2
    assert graph(True, rematerialize=True) == 4


def test_it_is_a_setting_of_the_training_and_of_no_preset(tmp_path):
    encoder = make_encoder(rematerialize=True)
    encoder.save_to_preset(tmp_path)
    assert "rematerialize" not in (tmp_path / "config.json").read_text()
    assert not keras_bert.BertEncoder.from_preset(tmp_path).rematerialize
    classifier = keras_bert.BertClassifier.from_preset(tmp_path, num_classes=2, rematerialize=True)
    assert all(block.rematerialize for block in classifier.encoder.blocks)
    assert all(block.rematerialize for block in classifier.with_layers(1).encoder.blocks)
    scores = encoder.with_layer_outputs()(batch(MASK[:2]), training=True)["attention_scores"]
    assert [score.shape for score in scores] == [(2, 3, 7, 7)] * 2


PEAK = """
import json, pathlib, sys
import keras, keras_bert, tensorflow as tf
encoder = keras_bert.BertEncoder(
    1000, num_layers=12, num_heads=2, hidden_dim=128, intermediate_dim=512, rematerialize=sys.argv[1] == "True"
)
variables = encoder.trainable_variables
optimizer = keras.optimizers.SGD(0.1)
@tf.function(reduce_retracing=True)
def step(ids):
    inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids}
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(encoder(inputs, training=True)["sequence_output"] ** 2)
    optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
def megabytes(name):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024
for shape in ((1, 3), (2, 4)):  # the second trace is of any shape
    step(tf.ones(shape, tf.int32))
before = megabytes("VmRSS")
pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
step(tf.ones((4, 512), tf.int32))
print(json.dumps(megabytes("VmHWM") - before))
"""


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path("/proc/self/clear_refs").exists(), reason="reads peaks as Linux tells them")
def test_a_step_takes_less_than_half_of_the_memory(root):
    """12 layers, 512 tokens."""
    peaks = []
    for rematerialize in ("False", "True"):
        done = subprocess.run(
            [sys.executable, "-c", PEAK, rematerialize], cwd=root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        peaks.append(json.loads(done.stdout))
    assert peaks[0] > 300
    assert peaks[1] < 0.5 * peaks[0]
