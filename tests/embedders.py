"""The embedder that tests are made with: small, its weights far from 0."""

import keras

import keras_bert
from tests.classifiers import VOCABULARY, make_preprocessor, with_large_weights

FIRST = ["a fine film", "good", "no", "it is not a good story of the long day", "bore"]
SECOND = ["a good film", "fine story", "not it", "a bad film", "the long long day of films"]
SCORES = [0.9, 0.6, -0.5, 0.0, 0.25]


def make_embedder(pooling="mean", normalize=True, *, num_layers=2, texts=True, **arguments):
    """A `BertEmbedder`, the same one each time. Without `texts` it has no preprocessor."""
    keras.utils.set_random_seed(0)
    encoder = keras_bert.BertEncoder(
        vocabulary_size=len(VOCABULARY),
        num_layers=num_layers,
        num_heads=3,
        hidden_dim=12,
        intermediate_dim=20,
        max_sequence_length=16,
        dropout=0.0,
        attention_dropout=0.0,
    )
    preprocessor = make_preprocessor() if texts else None
    return with_large_weights(keras_bert.BertEmbedder(encoder, preprocessor, pooling, normalize, **arguments))
