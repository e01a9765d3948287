"""The sum of three embeddings, normed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.layers.embeddings import BertEmbeddings
from keras_bert.layers.gathering import unpad
from keras_bert.layers.unpadding import Unpadding
from tests.encoders import MASK, batch

SIZES = {"vocabulary_size": 11, "hidden_dim": 12, "max_sequence_length": 9, "num_segments": 4}


def built(**arguments):
    layer = BertEmbeddings(**SIZES | arguments)
    inputs = batch()
    layer(inputs["token_ids"], inputs["segment_ids"], Unpadding(3)(MASK))
    rng = np.random.default_rng(0)
    for weight in layer.weights:
        if "seed" not in weight.path:
            weight.assign(rng.normal(size=weight.shape))
    return layer


@pytest.mark.parametrize("unpadding", [True, False])
def test_token_position_and_segment_are_summed_and_normed(unpadding):
    layer, inputs, layout = built(layer_norm_epsilon=0.5), batch(), Unpadding(3, unpadding)(MASK)
    tables = (layer.token_embedding, layer.position_embedding, layer.segment_embedding)
    token, position, segment = (table.embeddings.numpy() for table in tables)
    positions = np.array(
        [[0, 1, 2, 3, 4, 5, 6]] * 2 + [[0] * 7, [0, 1, 0, 1, 2, 0, 0], [0, 0, 0, 1, 2, 0, 0]]
    )
    positions = np.concatenate([positions, [[0, 1, 0, 3, 4, 0, 0], [0, 0, 1, 0, 0, 1, 2]]])
    x = token[inputs["token_ids"]] + position[positions] + segment[inputs["segment_ids"]]
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 0.5)
    expected = (x * layer.norm.gamma.numpy() + layer.norm.beta.numpy()).reshape(49, 12)
    places = unpad(np.arange(49).reshape(7, 7), layout).numpy()
    real = MASK.reshape(-1)[places] != 0
    output = layer(inputs["token_ids"], inputs["segment_ids"], layout).numpy()
    assert output.shape == (len(places), 12)
    np.testing.assert_allclose(output[real], expected[places][real], atol=1e-5)


@pytest.mark.parametrize("unpadding", [True, False])
def test_embeddings_can_be_given_in_the_place_of_the_tables(unpadding):
    layer, inputs, layout = built(), batch(), Unpadding(3, unpadding)(MASK)
    ids = inputs["token_ids"], inputs["segment_ids"], layout
    other_ids = (inputs["token_ids"] + 1) % 11
    expected = layer(other_ids, inputs["segment_ids"], layout)
    given = tf.constant(layer.token_embedding.embeddings.numpy()[other_ids])
    with tf.GradientTape() as tape:
        tape.watch(given)
        output = layer(*ids, token_embeddings=given)
        first = output[:, 0]
    np.testing.assert_allclose(output, expected, atol=1e-6)
    assert np.abs(output.numpy() - layer(*ids).numpy()).max() > 0.1
    gradient = tape.gradient(first, given).numpy()
    assert (np.abs(gradient).max(axis=-1) > 1e-3)[MASK != 0].all()


def test_dropout_comes_last_and_only_in_training():
    layer, inputs, layout = built(dropout=0.4), batch(), Unpadding(3)(MASK)
    ids = inputs["token_ids"], inputs["segment_ids"], layout
    still, dropped = layer(*ids).numpy(), layer(*ids, training=True).numpy()
    assert (still != 0).all()
    assert 0.25 < (dropped == 0).mean() < 0.55
    np.testing.assert_allclose(dropped[dropped != 0], still[dropped != 0] / 0.6, rtol=1e-3)


def test_a_sequence_longer_than_the_position_table_is_refused():
    ids = np.zeros((2, 10), "int32")
    rule = "A sequence must not be longer than the position table. Received: 10 tokens, max_sequence_length=9. Use a"
    with pytest.raises(ValueError, match=rule):
        built()(ids, ids, Unpadding(3)(ids + 1))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_the_promised_shape_and_type_are_the_real_ones(dtype):
    layer, inputs = BertEmbeddings(**SIZES, dtype=dtype), batch()
    ids = [keras.Input((None,), dtype="int32") for _ in range(3)]
    symbolic = layer(*ids[:2], Unpadding(3, dtype=dtype)(ids[2]))
    real = layer(inputs["token_ids"], inputs["segment_ids"], Unpadding(3, dtype=dtype)(MASK))
    assert real.dtype == symbolic.dtype
    assert tf.TensorShape(symbolic.shape).is_compatible_with(real.shape)


def test_the_config_holds_every_argument():
    arguments = SIZES | {
        "dropout": 0.35,
        "layer_norm_epsilon": 1e-3,
        "name": "other",
        "dtype": "mixed_bfloat16",
    }
    layer = built(**arguments)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    assert arguments.items() - {("dtype", "mixed_bfloat16")} <= again.get_config().items()
    ids = batch()["token_ids"], batch()["segment_ids"], Unpadding(3, dtype="mixed_bfloat16")(MASK)
    again(*ids)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(tf.cast(again(*ids), "float32"), tf.cast(layer(*ids), "float32"))
