"""The encoder that tests are made with: small, all sizes different, weights far from 0, and every way to pad."""

import numpy as np

import keras_bert
from keras_bert.models.weights import assign_weights, encoder_weights
from tests.reference import random_weights

SIZES = {
    "vocabulary_size": 11,
    "num_layers": 2,
    "num_heads": 3,
    "hidden_dim": 12,
    "intermediate_dim": 20,
    "max_sequence_length": 9,
    "num_segments": 4,
}
MASK = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1],  # full
        [1, 1, 1, 1, 0, 0, 0],  # padded, as usual
        [0, 0, 0, 0, 0, 0, 0],  # padding only
        [1, 1, 2, 2, 2, 3, 0],  # three examples
        [0, 0, 1, 1, 1, 0, 0],  # padded on both sides
        [1, 1, 0, 1, 1, 0, 0],  # a hole
        [0, 5, 5, 0, 3, 3, 3],  # values in any order, padding between them
    ],
    "int32",
)


def batch(mask=MASK, seed=1, vocabulary_size=11, num_segments=4):
    """An encoder's inputs with random tokens, also where there is padding."""
    rng = np.random.default_rng(seed)
    return {
        "token_ids": rng.integers(0, vocabulary_size, np.shape(mask), "int32"),
        "segment_ids": rng.integers(0, num_segments, np.shape(mask), "int32"),
        "padding_mask": np.asarray(mask),
    }


def make_encoder(seed=0, scale=0.4, norm=1.0, **arguments):
    """A `BertEncoder` with the weights that `reference.random_weights` gives."""
    encoder = keras_bert.BertEncoder(**SIZES | arguments)
    sizes = {name: encoder.arguments[name] for name in SIZES}
    assign_weights(encoder_weights(encoder), random_weights(sizes, seed, scale, norm))
    return encoder


def values(outputs):
    """The outputs as float32 arrays."""
    return {name: np.asarray(output).astype("float32") for name, output in outputs.items()}


def assert_close(actual, expected, atol=1e-5):
    assert set(actual) <= set(expected)
    for name, output in values(actual).items():
        np.testing.assert_allclose(output, expected[name], rtol=0, atol=atol, err_msg=name)
