"""A scaled loss, as float16 needs it, trains as the loss itself: in parts, clipped, on two replicas, past overflows.

Two replicas need logical CPUs of their own: this file is also what runs there.
"""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training import strategy
from tests.classifiers import INDICES, TEXTS, make_classifier, values_of

LABELS = np.array(INDICES)
# Each of them acts: the whole gradient's norm is above 1.
CLIPPINGS = [{"global_clipnorm": 0.5}, {"clipnorm": 0.1}, {"clipvalue": 0.01}, {}]


def scaled(optimizer, scale=2.0**10, growth_steps=1000):
    return keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=scale, dynamic_growth_steps=growth_steps)


def fit(classifier, optimizer, weights=None, epochs=1, **settings):
    settings = {"run_eagerly": True, "metrics": [], "gradient_accumulation_steps": 3} | settings
    classifier.compile(optimizer, **settings)
    how = {"batch_size": len(TEXTS), "epochs": epochs, "shuffle": False, "verbose": 0}
    classifier.fit(TEXTS, LABELS, sample_weight=weights, **how)
    return values_of(classifier)


def difference(ours, others):
    return max(float(abs(ours[path] - others[path]).max()) for path in others)


# In the last part, on the second replica: a loss that is finite until it is scaled.
OVERFLOW = np.array([1.0, 2.0, 1.0, 3.0, 1.0, 1.0, 3e38], "float32")
SUM = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")


@pytest.mark.parametrize("clipping", CLIPPINGS)
def test_bounds_act_on_what_was_not_scaled(clipping):
    expected = fit(make_classifier(), keras.optimizers.SGD(1.0, **clipping))
    found = fit(make_classifier(), scaled(keras.optimizers.SGD(1.0, **clipping)))
    assert difference(found, expected) < 1e-6
    assert difference(expected, values_of(make_classifier())) > 1e-3


def test_the_scale_changes_once_an_update_and_not_once_a_part():
    optimizer = scaled(keras.optimizers.SGD(0.01), scale=8.0, growth_steps=2)
    fit(make_classifier(), optimizer, epochs=5)
    assert float(optimizer.dynamic_scale.value) == 8.0 * 2**2
    assert int(optimizer.iterations.value) == 5


def test_a_part_that_overflows_leaves_the_update_out_and_halves_the_scale():
    classifier = make_classifier()
    before, optimizer = values_of(classifier), scaled(keras.optimizers.Adam(0.01, clipvalue=0.1), scale=8.0)
    assert difference(fit(classifier, optimizer, OVERFLOW, loss=SUM), before) == 0
    assert float(optimizer.dynamic_scale.value) == 4.0
    assert int(optimizer.iterations.value) == 0  # nor does a schedule go on
    assert difference(fit(classifier, optimizer, loss=SUM), before) > 1e-3
    assert float(optimizer.dynamic_scale.value) == 4.0


@pytest.mark.parametrize("how", [{"run_eagerly": True}, {"run_eagerly": False}])
def test_float16_finds_its_scale_and_trains(how):
    classifier = make_classifier().with_dtype("mixed_float16")
    before, optimizer = values_of(classifier), scaled(keras.optimizers.SGD(0.01), scale=2.0**24)
    fit(classifier, optimizer, epochs=3, **how)
    assert float(optimizer.dynamic_scale.value) == 2.0**21  # too large by far, three times
    assert difference(values_of(classifier), before) == 0
    optimizer.dynamic_scale.assign(2.0**6)
    fit(classifier, optimizer, epochs=1, **how)
    expected = fit(make_classifier(), keras.optimizers.SGD(0.01))
    moved = difference(expected, before)
    assert moved > 1e-3
    assert difference(values_of(classifier), expected) < 0.05 * moved


def test_float16_is_scaled_by_default():
    classifier = make_classifier().with_dtype("mixed_float16")
    assert isinstance(classifier.optimizer, keras.optimizers.LossScaleOptimizer)
    classifier.fit(TEXTS, LABELS, batch_size=4, verbose=0)
    assert int(classifier.optimizer.iterations.value) == 2
    assert float(classifier.optimizer.learning_rate) < 5e-5  # the schedule of this fit


# ---- Two replicas


@pytest.fixture(scope="module")
def found(root):
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, __file__], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_two_replicas_clip_what_was_not_scaled(found):
    assert found["moved"] > 1e-3
    assert max(found["clipped"]) < 1e-6


def test_an_overflow_on_one_replica_leaves_the_update_out_on_both(found):
    assert found["overflow"] == {"moved": 0.0, "scales": [512.0] * 2, "iterations": [0] * 2}


def test_two_replicas_compute_blocks_twice_with_the_same_gradients(found):
    assert found["rematerialized"] < 1e-6


def main():
    """Prints how far two replicas with a scaled loss are from one device without."""
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    mirrored = strategy("mirrored")
    start, clipped = values_of(make_classifier()), []

    def mirrored_fit(make_optimizer, weights=None, rematerialize=False, **settings):
        with mirrored.scope():
            classifier, optimizer = make_classifier().with_encoder(rematerialize=rematerialize), make_optimizer()
        settings |= {"run_eagerly": False, "gradient_accumulation_steps": 2}
        return fit(classifier, optimizer, weights, **settings), optimizer

    for clipping in CLIPPINGS[:3]:
        expected = fit(make_classifier(), keras.optimizers.SGD(1.0, **clipping))
        ours, _ = mirrored_fit(lambda clipping=clipping: scaled(keras.optimizers.SGD(1.0, **clipping)))
        clipped.append(difference(ours, expected))
    twice, _ = mirrored_fit(lambda: keras.optimizers.SGD(1.0, clipvalue=0.01), rematerialize=True)
    after, optimizer = mirrored_fit(lambda: scaled(keras.optimizers.SGD(1.0, clipvalue=0.01)), OVERFLOW, loss=SUM)
    overflow = {
        "moved": difference(after, start),
        "scales": [float(part) for part in mirrored.experimental_local_results(optimizer.dynamic_scale.value)],
        "iterations": [int(part) for part in mirrored.experimental_local_results(optimizer.iterations.value)],
    }
    print(
        json.dumps(
            {
                "moved": difference(expected, start),
                "clipped": clipped,
                "rematerialized": difference(twice, expected),
                "overflow": overflow,
            }
        )
    )


if __name__ == "__main__":
    main()
