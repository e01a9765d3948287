"""The ways out of the encoder."""

import keras
import numpy as np
import pytest

from keras_bert.layers.pooler import Padding, Pooler
from keras_bert.layers.unpadding import Unpadding
from tests.encoders import MASK


@pytest.mark.parametrize("shape", [(5, 12), (5, 3, 12), (0, 12)])
def test_the_pooler_is_a_dense_layer_and_tanh(shape):
    pooler = Pooler()
    first = np.random.default_rng(0).normal(size=shape).astype("float32")
    pooler(first)
    rng = np.random.default_rng(1)
    kernel, bias = rng.normal(size=(12, 12)), rng.normal(size=12)
    pooler.dense.set_weights([kernel, bias])
    np.testing.assert_allclose(pooler(first), np.tanh(first @ kernel + bias), atol=1e-5)
    assert pooler(keras.Input(shape[1:])).shape == (None, *shape[1:])


def test_padding_promises_the_shape_and_type_it_gives():
    layer, layout = Padding(dtype="mixed_bfloat16"), Unpadding(3)
    symbolic = layer(keras.KerasTensor((None, 12), "bfloat16"), layout(keras.Input((None,), dtype="int32")))
    assert symbolic.shape == (None, None, 12)
    real_layout = layout(MASK)
    real = layer(np.ones((len(real_layout["token_places"]), 12)), real_layout)
    assert real.shape == (7, 7, 12)
    assert real.dtype == symbolic.dtype == "bfloat16"


@pytest.mark.parametrize("kind", [Padding, Pooler])
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", keras.DTypePolicy("mixed_bfloat16")])
def test_the_config_holds_every_argument(kind, dtype):
    layer = kind(name="other", dtype=dtype, trainable=False)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    assert (again.name, again.dtype_policy.name, again.trainable) == ("other", "mixed_bfloat16", False)
