"""What the encoder promises of its inputs and outputs, checked against NumPy where numbers matter."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from tests.encoders import MASK, SIZES, assert_close, batch, make_encoder, values
from tests.reference import ACTIVATIONS, bert, random_weights


@pytest.fixture(scope="module")
def encoder():
    return make_encoder(dropout=0.3)


@pytest.fixture(scope="module")
def expected():
    return bert(random_weights(SIZES, scale=0.4), batch(), num_heads=3)


# ---- Numbers


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("unpadding", [None, False])
def test_it_computes_what_the_paper_says(activation, unpadding):
    encoder = make_encoder(activation=activation, layer_norm_epsilon=1e-3, unpadding=unpadding)
    weights = random_weights(SIZES, scale=0.4)
    assert_close(encoder(batch()), bert(weights, batch(), 3, activation, epsilon=1e-3))


def test_every_input_and_setting_matters(expected):
    weights = random_weights(SIZES, scale=0.4)
    for name in ("token_ids", "segment_ids", "padding_mask"):
        changed = batch() | {name: batch(seed=2)["token_ids"] % 4}
        assert abs(bert(weights, changed, 3)["sequence_output"] - expected["sequence_output"]).max() > 0.1
    for changed in ({"activation": "gelu_approximate"}, {"epsilon": 1e-3}, {"num_heads": 4}):
        other = bert(weights, batch(), **{"num_heads": 3} | changed)
        assert abs(other["sequence_output"] - expected["sequence_output"]).max() > 5e-5


def test_padding_is_exactly_0_and_rows_of_padding_are_finite(encoder):
    outputs = values(encoder(batch()))
    assert (outputs["sequence_output"][MASK == 0] == 0).all()
    assert (abs(outputs["sequence_output"][MASK != 0]).max(-1) > 0.1).all()
    bias = encoder.pooler.dense.bias.numpy()
    np.testing.assert_allclose(outputs["pooled_output"][2], np.tanh(bias), atol=1e-6)
    only_padding = values(encoder(batch(np.zeros((2, 5), "int32"))))
    assert (only_padding["sequence_output"] == 0).all()
    assert np.isfinite(only_padding["pooled_output"]).all()


def test_what_stands_at_padding_does_not_matter(encoder):
    other = batch(seed=2)
    other = {name: np.where(MASK == 0, other[name], batch()[name]) for name in other}
    assert_close(encoder(other), values(encoder(batch())), atol=0)


def test_more_padding_changes_nothing(encoder):
    longer = {name: np.pad(array, ((0, 1), (0, 2))) for name, array in batch().items()}
    outputs = values(encoder(longer))
    assert outputs["sequence_output"].shape == (8, 9, 12)
    assert_close(
        {
            "sequence_output": outputs["sequence_output"][:7, :7],
            "pooled_output": outputs["pooled_output"][:7],
        },
        values(encoder(batch())),
    )


def test_positions_count_from_where_an_example_begins(encoder):
    inputs = batch(np.array([[0, 0, 0, 1, 1, 1, 1]]))
    moved = {name: np.roll(array, -3, axis=1) for name, array in inputs.items()}
    left, right = (values(encoder(x))["sequence_output"] for x in (inputs, moved))
    np.testing.assert_allclose(left[:, 3:], right[:, :4], atol=1e-6)


@pytest.mark.parametrize("rows", [1, 3])
def test_an_empty_batch_gives_empty_outputs(encoder, rows):
    empty = {name: array[:0] for name, array in batch().items()}
    shapes = {"sequence_output": (0, 7, 12), "pooled_output": (0, 12)}
    assert {name: output.shape for name, output in encoder(empty).items()} == shapes
    signature = [{name: tf.TensorSpec((None, None), "int32") for name in empty}]
    function = tf.function(lambda inputs: encoder(inputs), input_signature=signature)
    assert {name: output.shape for name, output in function(empty).items()} == shapes
    some = {name: array[:rows] for name, array in batch().items()}
    assert_close(function(some), values(encoder(some)))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64", "float32"])
def test_a_mask_of_any_type_is_the_same(encoder, dtype):
    inputs = batch(MASK[:2])
    other = inputs | {"padding_mask": inputs["padding_mask"].astype(dtype)}
    assert_close(encoder(other), values(encoder(inputs)), atol=0)


def test_a_bool_mask_passes_through_a_graph_and_predict(encoder):
    inputs = batch(MASK[:2])
    as_bool = inputs | {"padding_mask": inputs["padding_mask"] > 0}
    expected = values(encoder(inputs))
    assert_close(tf.function(lambda inputs: encoder(inputs))(as_bool), expected)
    assert_close(encoder.predict(as_bool, verbose=0), expected)


# ---- Packing


@pytest.mark.parametrize("unpadding", [None, False])
@pytest.mark.parametrize("first_value", [1, 4])
def test_a_packed_row_gives_each_example_what_it_gives_alone(unpadding, first_value):
    encoder = make_encoder(unpadding=unpadding)
    lengths = [[3, 1, 4, 1], [2, 6], [9], [1, 2]]
    mask = np.zeros((4, 9), "int32")
    for row, row_lengths in enumerate(lengths):
        ids = np.repeat(np.arange(len(row_lengths)) + first_value, row_lengths)
        mask[row, : len(ids)] = ids
    inputs = batch(mask)
    packed = values(encoder(inputs))
    for row, row_lengths in enumerate(lengths):
        for k, (end, length) in enumerate(zip(np.cumsum(row_lengths), row_lengths)):
            place = slice(end - length, end)
            alone = {name: array[row : row + 1, place] for name, array in inputs.items()}
            alone = values(encoder(alone | {"padding_mask": np.ones((1, length), "int32")}))
            found = packed["sequence_output"][row, place]
            np.testing.assert_allclose(found, alone["sequence_output"][0], rtol=0, atol=1e-5)
            if k == 0:
                found = packed["pooled_output"][row]
                np.testing.assert_allclose(found, alone["pooled_output"][0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("unpadding", [None, False])
def test_no_gradient_crosses_from_one_example_to_another(unpadding):
    encoder = make_encoder(unpadding=unpadding)
    inputs = batch(np.array([[1, 1, 2, 2, 2, 3, 0]])) | {"token_ids": np.arange(7)[None]}
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(inputs)["sequence_output"][:, 2:5] ** 3)
    table = tape.gradient(loss, encoder.embeddings.token_embedding.embeddings)
    moved = np.abs(tf.convert_to_tensor(table).numpy()).max(axis=1) > 0
    assert np.flatnonzero(moved).tolist() == [2, 3, 4]


# ---- Training


def test_dropout_acts_in_training_only(encoder):
    inputs = batch()
    first, second = (values(encoder(inputs, training=True)) for _ in range(2))
    for name in first:
        assert abs(first[name] - second[name])[MASK[:, 0] != 0].max() > 0.1
    assert (first["sequence_output"][MASK == 0] == 0).all()
    assert_close(encoder(inputs, training=False), values(encoder(inputs)), atol=0)
    still = make_encoder(dropout=0.0)
    assert_close(still(inputs, training=True), values(still(inputs)), atol=0)


@pytest.mark.parametrize(("dropout", "attention_dropout"), [(0.3, 0.0), (0.0, 0.3)])
def test_either_dropout_acts_alone(dropout, attention_dropout):
    encoder = make_encoder(dropout=dropout, attention_dropout=attention_dropout)
    outputs = (values(encoder(batch(), training=True))["sequence_output"] for _ in range(2))
    assert abs(np.subtract(*outputs)).max() > 0.1


def test_a_seed_fixes_training():
    def run(seed):
        keras.utils.set_random_seed(seed)
        encoder = keras_bert.BertEncoder(**SIZES)
        return [values(encoder(batch(), training=True))["sequence_output"] for _ in range(2)]

    np.testing.assert_array_equal(run(3), run(3))
    assert abs(np.subtract(run(3), run(4))).max() > 0.1


def test_it_learns_what_each_row_holds():
    keras.utils.set_random_seed(0)
    encoder = keras_bert.BertEncoder(**SIZES | {"num_layers": 1}, dropout=0.0)
    optimizer = keras.optimizers.Adam(3e-2)
    goal = np.repeat([[0.9], [-0.9]], 12, axis=1)
    losses = []
    for _ in range(20):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((encoder(batch(MASK[:2]), training=True)["pooled_output"] - goal) ** 2)
        losses.append(float(loss))
        optimizer.apply(tape.gradient(loss, encoder.trainable_weights), encoder.trainable_weights)
    assert losses[0] > 0.7 and losses[-1] < 0.1
