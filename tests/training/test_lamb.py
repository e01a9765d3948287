"""LAMB against Model Garden's and against NVLAMB's formula in NumPy."""

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


def test_a_hundred_updates_are_nvlambs():
    """NVLAMB: gradients divided by their global norm where that is above 1, then the paper's update.

    One matrix begins at 0, where the trust ratio is 1; another one has neither weights nor gradients.
    """
    values = {name: value / 2 for name, value in variables().items()}
    values |= {"query_kernel": np.zeros((2, 5), "float32"), "value_kernel": np.zeros((3, 2), "float32")}
    weights = {name: value.astype("float64") for name, value in values.items()}
    m, v = ({name: np.zeros_like(weight) for name, weight in weights.items()} for _ in range(2))
    made = [keras.Variable(value, name=name) for name, value in values.items()]
    optimizer = Lamb(3e-3, decay=0.1, global_clipnorm=1.0)
    optimizer.build(made)
    update = tf.function(lambda *gradients: optimizer.apply(list(gradients), made))
    rng = np.random.default_rng(2)
    worst, trusted = 0.0, []
    for t in range(1, 101):
        step = {name: rng.normal(0, 10 ** rng.uniform(-2, 0), weight.shape) for name, weight in weights.items()}
        step["value_kernel"] *= 0
        update(*[tf.constant(gradient, "float32") for gradient in step.values()])
        norm = np.sqrt(sum((gradient**2).sum() for gradient in step.values()))
        for name, gradient in step.items():
            gradient = gradient / max(1.0, norm)
            m[name] = 0.9 * m[name] + 0.1 * gradient
            v[name] = 0.999 * v[name] + 0.001 * gradient**2
            change = m[name] / (1 - 0.9**t) / (np.sqrt(v[name] / (1 - 0.999**t)) + 1e-6)
            ratio = 1.0
            if name not in ("bias", "gamma"):
                change = change + 0.1 * weights[name]
                sizes = np.linalg.norm(weights[name]), np.linalg.norm(change)
                ratio = sizes[0] / sizes[1] if min(sizes) > 0 else 1.0
                trusted.append(ratio)
            weights[name] = weights[name] - 3e-3 * ratio * change
        worst = max(worst, *(np.abs(a.numpy() - b).max() for a, b in zip(made, weights.values(), strict=True)))
    assert worst <= 1e-6
    assert min(trusted) < 0.1 and trusted.count(1.0) == 101
    assert all(np.abs(weights[name] - value).max() > 0.02 for name, value in values.items() if name[0] not in "qv")
    assert not weights["value_kernel"].any() and np.abs(weights["query_kernel"]).max() > 1e-3


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
