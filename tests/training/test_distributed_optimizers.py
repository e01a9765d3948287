"""Optimizers on two replicas, of one machine or of two, against one device. This file is also what runs there."""

import json
import sys
import time
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.training import Lamb, TimeBudget, WarmupCosineDecay, adamw
from keras_bert.training.step import _apply_gradients
from tests.classifiers import NAMES, TEXTS, make_classifier
from tests.training.processes import configuration, free_ports, start

SHAPES = {("embeddings", "embeddings"): (7, 4), ("block", "kernel"): (4, 5), ("block", "bias"): (5,)}
STEPS = 12


def main(name, worker):
    """Prints what an optimizer of each kind makes of the same gradients, and what a budget of time sets."""
    if name == "mirrored":
        device = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    place = keras_bert.training.strategy(name)
    results = {kind: updated(place, kind) for kind in ("adamw", "lamb")}
    results["budget"] = budgeted(place, worker)
    if name != "multi_worker":
        results["fit"] = fitted(place)
    print(json.dumps({"replicas": place.num_replicas_in_sync, **results}))


def updated(place, kind):
    """Every replica has a share of the gradients; their sum is clipped. Evaluations see the average."""
    rng = np.random.default_rng(0)
    multipliers = {"embeddings": 0.25, "block": 0.5}
    with place.scope():
        variables = []
        for (layer, variable), shape in SHAPES.items():
            with keras.name_scope(layer):
                variables.append(keras.Variable(rng.normal(size=shape), name=variable))
        rate = WarmupCosineDecay(0.02, STEPS, 2)
        if kind == "adamw":
            optimizer = adamw(variables, rate, 0.1, rate_multipliers=multipliers, ema_momentum=0.7)
        else:
            optimizer = Lamb(
                rate, 0.1, rate_multipliers=multipliers, global_clipnorm=1.0, use_ema=True, ema_momentum=0.7
            )
        optimizer.build(variables)

    @tf.function
    def update(gradients):
        def of_replica(gradients):
            replica = tf.distribute.get_replica_context()
            share = tf.cast(replica.replica_id_in_sync_group + 1, tf.float32)
            share /= sum(range(replica.num_replicas_in_sync + 1))
            _apply_gradients(optimizer, [share * gradient for gradient in gradients], variables)

        place.run(of_replica, args=(gradients,))

    for _ in range(STEPS):
        update([tf.constant(rng.normal(size=v.shape), tf.float32) for v in variables])
    seen = [[v.numpy().tolist() for v in variables]]
    swap = keras.callbacks.SwapEMAWeights()
    swap.set_model(types.SimpleNamespace(optimizer=optimizer))
    for turn in (swap.on_test_begin, swap.on_test_end):
        turn()
        seen.append([v.numpy().tolist() for v in variables])
    optimizer.finalize_variable_values(variables)
    return [*seen, [v.numpy().tolist() for v in variables]]


def budgeted(place, worker):
    """The workers' clocks do not agree: one goes 8 seconds a step, one 12."""
    clock = types.SimpleNamespace(now=0.0)
    time.monotonic, real = (lambda: clock.now), time.monotonic
    try:
        with place.scope():
            model = types.SimpleNamespace(
                distribute_strategy=place, optimizer=keras.optimizers.SGD(0.5), stop_training=False
            )
        budget = TimeBudget(100, peak=8.0, warmup=0.2)
        budget.set_model(model)
        rates = []
        while not model.stop_training:
            budget.on_train_batch_begin(0)
            rates.append(float(model.optimizer.learning_rate.numpy()))
            clock.now += {None: 10, 0: 8, 1: 12}[worker]
            budget.on_train_batch_end(0)
        return rates
    finally:
        time.monotonic = real


def fitted(place):
    """A fit with all settings of the automatic optimizer."""
    with place.scope():
        classifier = make_classifier(num_layers=2)
        classifier.compile(
            learning_rate=0.002,
            schedule=WarmupCosineDecay,
            layer_decay=0.5,
            ema_momentum=0.7,
            gradient_accumulation_steps=2,
        )
    history = classifier.fit(
        TEXTS,
        NAMES,
        batch_size=4,
        epochs=2,
        validation_data=(TEXTS, NAMES),
        callbacks=[keras.callbacks.SwapEMAWeights()],
        shuffle=False,
        verbose=0,
    ).history
    return [[history["loss"], history["val_loss"]], *(v.numpy().tolist() for v in classifier.trainable_variables)]


def results(process):
    output, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors[-4000:]
    return json.loads(output.splitlines()[-1])


@pytest.fixture(scope="module")
def one(root):
    return results(start(__file__, "one", "null", PYTHONPATH=str(root)))


def assert_equal(found, expected, names):
    assert (found["replicas"], expected["replicas"]) == (2, 1)
    for name in names:
        for ours, theirs in zip(keras.tree.flatten(found[name]), keras.tree.flatten(expected[name]), strict=True):
            assert ours == pytest.approx(theirs, abs=1e-6 if name != "fit" else 1e-5), name
    for kind in ("adamw", "lamb"):
        weights, swapped, back, final = (np.concatenate([np.ravel(v) for v in seen]) for seen in expected[kind])
        np.testing.assert_allclose(back, weights, atol=1e-6)
        np.testing.assert_allclose(final, swapped, atol=1e-6)
        assert np.abs(weights - swapped).max() > 1e-3


@pytest.mark.slow
def test_two_replicas_update_as_one_device(root, one):
    mirrored = results(start(__file__, "mirrored", "null", PYTHONPATH=str(root)))
    assert_equal(mirrored, one, ["adamw", "lamb", "budget", "fit"])


@pytest.mark.slow
def test_two_workers_update_as_one_device_and_go_by_one_clock(root, one):
    assert one["budget"] == pytest.approx([0, 4, 8, 7, 6, 5, 4, 3, 2, 1])
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = [
        start(
            __file__, "multi_worker", i, PYTHONPATH=str(root),
            TF_CONFIG=configuration({"worker": workers}, "worker", i),
        )
        for i in range(2)
    ]  # fmt: skip
    for process in processes:
        assert_equal(results(process), one, ["adamw", "lamb", "budget"])


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
