"""The loss of soft labels is torch's divergence and cross-entropy, values and gradients."""

import math
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training import SoftLabelLoss

RNG = np.random.default_rng(0)
TEACHER = RNG.normal(0, 3, (5, 4)).astype("float32")
STUDENT = RNG.normal(0, 3, (5, 4)).astype("float32")
PROBABILITIES = np.exp(TEACHER) / np.exp(TEACHER).sum(axis=1, keepdims=True)


def loss_and_gradient(loss, y_true, y_pred):
    y_pred = tf.constant(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(tf.constant(y_true), y_pred)
    return float(value), tape.gradient(value, y_pred).numpy()


def torch_gradient(function):
    torch = pytest.importorskip("torch", reason="needs torch, of the extra [oracles]")
    y_pred = torch.tensor(STUDENT, requires_grad=True)
    value = function(torch, y_pred)
    value.backward()
    return float(value.detach()), y_pred.grad.numpy()


@pytest.mark.parametrize("temperature", [1.0, 2.0, 0.7])
def test_it_is_the_divergence_of_torch_from_softened_logits(temperature):
    def expected(torch, y_pred):
        functional = torch.nn.functional
        teacher = functional.softmax(torch.tensor(TEACHER) / temperature, dim=1)
        student = functional.log_softmax(y_pred / temperature, dim=1)
        return temperature**2 * functional.kl_div(student, teacher, reduction="batchmean")

    value, gradient = torch_gradient(expected)
    # Of the teacher it sees probabilities alone.
    ours, our_gradient = loss_and_gradient(SoftLabelLoss(temperature), PROBABILITIES, STUDENT)
    assert ours == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(our_gradient, gradient, rtol=0, atol=1e-6)


def test_of_one_hot_rows_it_is_the_cross_entropy():
    labels = np.array([3, 0, 1, 1, 2])
    value, gradient = torch_gradient(
        lambda torch, y_pred: torch.nn.functional.cross_entropy(y_pred, torch.tensor(labels))
    )
    ours, our_gradient = loss_and_gradient(SoftLabelLoss(), np.eye(4, dtype="float32")[labels], STUDENT)
    assert ours == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(our_gradient, gradient, rtol=0, atol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_a_row_of_zeros_has_no_loss_and_no_gradient(temperature):
    y_true = PROBABILITIES.copy()
    y_true[2] = 0
    loss = SoftLabelLoss(temperature, reduction=None)
    values = loss(y_true, STUDENT).numpy()
    assert values[2] == 0 and (np.delete(values, 2) > 0.01).all()
    _, gradient = loss_and_gradient(SoftLabelLoss(temperature), y_true, STUDENT)
    assert (gradient[2] == 0).all() and (abs(np.delete(gradient, 2, axis=0)) > 1e-5).all()


def test_of_equal_answers_it_is_0_and_of_a_wrong_certainty_finite():
    assert abs(float(SoftLabelLoss(2.0)(PROBABILITIES, TEACHER))) < 1e-6
    value, gradient = loss_and_gradient(SoftLabelLoss(2.0), [[0.0, 1.0]], np.array([[200.0, -200.0]], "float32"))
    assert value == pytest.approx(4 * 200) and np.isfinite(gradient).all()


def test_it_comes_back_from_its_config():
    loss = SoftLabelLoss(2.5, reduction="sum", name="mine")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is SoftLabelLoss and again.get_config() == loss.get_config()
    assert (again.temperature, again.reduction, again.name) == (2.5, "sum", "mine")


@pytest.mark.parametrize("temperature", [0, -1.0, math.inf, math.nan, "2"])
def test_a_temperature_that_is_none_is_refused(temperature):
    message = f"`temperature` must be a finite number above 0. Received: {temperature!r}. Use 2.0"
    with pytest.raises(ValueError, match=re.escape(message)):
        SoftLabelLoss(temperature)
