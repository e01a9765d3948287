"""The train step of a model with two outputs, one of them with a weight for each prediction of a row."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training.loss_terms import loss_terms
from keras_bert.training.step import ExactStepModel

MASK = np.array([[1, 1], [1, 0], [1, 1], [0, 0]])  # the last row only fills the batch up
Y = {
    "row": np.array([[1.0], [2.0], [3.0], [9.0]]),
    "places": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [9, 9]]),
}
WEIGHTS = {
    "row": np.array([1.0, 2.0, 0.5, 1.0]),
    "places": np.array([[1.0, 0.0], [2.0, 0.5], [0.25, 1.0], [1, 1]]),
}


class Constant(keras.layers.Layer):
    """Gives its variable for each row, whatever the row is."""

    def __init__(self, width, regularizer=None, **kwargs):
        super().__init__(**kwargs)
        self.value = self.add_weight(shape=(width,), initializer="ones", regularizer=regularizer)

    def call(self, mask):
        return keras.ops.cast(mask[:, :1] * 0, "float32") + self.value


@pytest.fixture
def dataset():
    weights = {name: weight.astype("float32") for name, weight in WEIGHTS.items()}
    y = {name: value.astype("float32") for name, value in Y.items()}
    return tf.data.Dataset.from_tensors(({"padding_mask": MASK}, y, weights))


def absolute_error(y, y_pred):
    return tf.abs(y - y_pred)  # (B, 2): not averaged over a row


def fitted(dataset, parts, row_share, regularizer=None):
    """Trains for one update of rate 1; gives the loss and the two variables."""
    mask = keras.Input((2,), dtype="int32", name="padding_mask")
    layers = {"row": Constant(1, regularizer, name="row"), "places": Constant(2, name="places")}
    model = ExactStepModel({"padding_mask": mask}, {name: layer(mask) for name, layer in layers.items()})
    losses = {
        "row": keras.losses.MeanSquaredError(reduction="mean_with_sample_weight"),
        "places": absolute_error,
    }
    model.loss_terms = loss_terms(losses, {"row": row_share})
    model.gradient_accumulation_steps = parts
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=losses, run_eagerly=True)
    loss = model.fit(dataset, verbose=0).history["loss"]
    return loss, layers["row"].value.numpy(), layers["places"].value.numpy()


# Where all variables are 1. A function's mean is over the three real rows' two places, whatever they weigh.
ROW_WEIGHTS, ROW_ERRORS = WEIGHTS["row"][:3], Y["row"][:3, 0] - 1
ROW_LOSS = (ROW_WEIGHTS * ROW_ERRORS**2).sum() / ROW_WEIGHTS.sum()
PLACES_LOSS = (WEIGHTS["places"] * (Y["places"] - 1))[:3].sum() / 6


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_outputs_add_up_by_their_shares_and_their_own_weights(dataset, parts):
    loss, row, places = fitted(dataset, parts, row_share=0.5)
    assert loss == pytest.approx([0.5 * ROW_LOSS + PLACES_LOSS], rel=1e-6)
    np.testing.assert_allclose(row, [1 + (ROW_WEIGHTS * ROW_ERRORS).sum() / ROW_WEIGHTS.sum()], rtol=1e-6)
    np.testing.assert_allclose(
        places, 1 + (WEIGHTS["places"] * np.sign(Y["places"] - 1))[:3].sum(0) / 6, rtol=1e-6
    )


def test_losses_that_layers_add_count_once(dataset):
    loss, row, _ = fitted(dataset, 2, row_share=0.0, regularizer=keras.regularizers.L2(0.25))
    assert loss == pytest.approx([PLACES_LOSS + 0.25], rel=1e-6)
    np.testing.assert_allclose(row, [1 - 2 * 0.25], rtol=1e-6)
