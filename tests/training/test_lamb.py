"""LAMB against Model Garden's and against the paper's formula in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training.lamb import Lamb

SETTINGS = {"learning_rate": 3e-2, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-6}


def variables():
    rng = np.random.default_rng(0)
    sizes = {"kernel": (5, 7), "embeddings": (3, 4), "bias": (7,), "gamma": (4,)}
    return {name: rng.normal(0, 0.6, size).astype("float32") for name, size in sizes.items()}


def gradients(steps=5):
    rng = np.random.default_rng(1)
    shapes = {name: value.shape for name, value in variables().items()}
    return [
        {name: rng.normal(0, 0.3, shape).astype("float32") for name, shape in shapes.items()} for _ in range(steps)
    ]


def trained(optimizer, steps=5):
    made = {name: keras.Variable(value, name=name) for name, value in variables().items()}
    for step in gradients(steps):
        optimizer.apply([tf.constant(step[name]) for name in made], list(made.values()))
    return {name: v.numpy() for name, v in made.items()}


def test_the_update_is_the_papers():
    found = trained(Lamb(decay=0.1, **SETTINGS))
    for name, expected in variables().items():
        weight, m, v = expected.astype("float64"), 0.0, 0.0
        for t, step in enumerate(gradients(), start=1):
            m = 0.8 * m + 0.2 * step[name]
            v = 0.95 * v + 0.05 * step[name].astype("float64") ** 2
            update = m / (1 - 0.8**t) / (np.sqrt(v / (1 - 0.95**t)) + 1e-6)
            ratio = 1.0
            if name in ("kernel", "embeddings"):
                update = update + 0.1 * weight
                ratio = np.linalg.norm(weight) / np.linalg.norm(update)
            weight = weight - 3e-2 * ratio * update
        np.testing.assert_allclose(found[name], weight, rtol=2e-5, atol=2e-6)


def test_the_update_is_model_gardens():
    lamb = pytest.importorskip("official.modeling.optimization.lamb", reason="tf-models-official is the oracle")
    optimizer = lamb.LAMB(weight_decay_rate=0.1, exclude_from_weight_decay=["bias", "gamma"], **SETTINGS)
    made = {name: tf.Variable(value, name=name) for name, value in variables().items()}
    for step in gradients():
        optimizer.apply_gradients([(tf.constant(step[name]), made[name]) for name in made])
    found = trained(Lamb(decay=0.1, **SETTINGS))
    for name in made:
        np.testing.assert_allclose(found[name], made[name].numpy(), rtol=2e-5, atol=2e-6)


def test_weights_of_zero_and_gradients_of_zero_stay_finite():
    weight = keras.Variable(np.zeros((2, 3), "float32"), name="kernel")
    optimizer = Lamb(0.1)
    optimizer.apply([tf.zeros((2, 3))], [weight])
    np.testing.assert_array_equal(weight.numpy(), 0)
    optimizer.apply([tf.ones((2, 3))], [weight])
    assert np.isfinite(weight.numpy()).all() and (weight.numpy() < 0).all()


def test_it_is_saved_and_made_again():
    optimizer = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(Lamb(decay=0.2, global_clipnorm=2.0, **SETTINGS))
    )
    assert isinstance(optimizer, Lamb) and (optimizer.decay, optimizer.global_clipnorm) == (0.2, 2.0)
    same = trained(Lamb(decay=0.2, global_clipnorm=2.0, **SETTINGS))
    np.testing.assert_array_equal(trained(optimizer)["kernel"], same["kernel"])


def test_keras_decay_is_refused():
    with pytest.raises(ValueError, match="inside of its trust ratio. Received: weight_decay.*Use decay="):
        Lamb(weight_decay=0.1)
