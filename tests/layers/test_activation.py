"""Which function an activation's name stands for."""

import keras
import numpy as np
import pytest

from keras_bert.layers.activation import activation_function, gelu, gelu_approximate
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


@pytest.mark.parametrize("function", [gelu, gelu_approximate])
def test_the_gelus_can_be_saved(function):
    config = keras.saving.serialize_keras_object(function)
    assert keras.saving.deserialize_keras_object(config) is function


@pytest.mark.parametrize(("dtype", "digits"), [("float16", 2**-11), ("bfloat16", 2**-8), ("float64", 1e-12)])
def test_gelu_is_exact_to_the_last_digit_of_its_type(dtype, digits):
    x = keras.ops.cast(X, dtype)
    exact = ACTIVATIONS["gelu"](np.asarray(keras.ops.cast(x, "float64")))
    found = activation_function("gelu")(x)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    atol = 1e-12 if dtype == "float64" else 2e-6
    np.testing.assert_allclose(keras.ops.cast(found, "float64"), exact, rtol=digits, atol=atol)


@pytest.mark.parametrize("name", ["gelo", "", None, np.tanh])
def test_an_unknown_name_is_refused(name):
    rule = "`activation` must be the name of a Keras activation or 'gelu_approximate'. Received: activation="
    with pytest.raises(ValueError, match=rule) as caught:
        activation_function(name)
    assert f"activation={name!r}. Use 'gelu', BERT's own." in str(caught.value)
