"""Which function an activation's name stands for."""

import keras
import numpy as np
import pytest

from keras_bert.layers.activation import activation_function, gelu_approximate
from tests.reference import ACTIVATIONS

X = np.linspace(-6, 6, 1001).astype("float32")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_name_stands_for_its_function(name):
    np.testing.assert_allclose(
        activation_function(name)(X), ACTIVATIONS[name](X.astype("float64")), atol=2e-6
    )


def test_the_two_gelus_differ():
    difference = abs(activation_function("gelu")(X) - activation_function("gelu_approximate")(X))
    assert 3e-4 < np.max(difference) < 5e-4


def test_the_approximate_gelu_can_be_saved():
    config = keras.saving.serialize_keras_object(gelu_approximate)
    assert keras.saving.deserialize_keras_object(config) is gelu_approximate


@pytest.mark.parametrize("name", ["gelo", "", None, np.tanh])
def test_an_unknown_name_is_refused(name):
    rule = "`activation` must be the name of a Keras activation or 'gelu_approximate'. Received: activation="
    with pytest.raises(ValueError, match=rule) as caught:
        activation_function(name)
    assert f"activation={name!r}. Use 'gelu', BERT's own." in str(caught.value)
