"""The masked language model that tests are made with: small, its weights far from 0."""

import keras
import numpy as np

import keras_bert
from tests.classifiers import with_large_weights

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = [*SPECIAL, *"abcdefgh", "##k", "##l", "中", "国", ".", "'", "[", "]", "sep"]
# Casing, spaces, masks side by side, none but masks, continuations, Chinese, and what is no UTF-8.
TEXTS = [
    "A  bk, [MASK] c.",
    "[MASK]",
    "中[MASK]国。[MASK]",
    "a [MASK] [MASK]  b [MASK]d",
    "é\u0301a\u3000[MASK] [SEP] h",
    "d e f [MASK]" + " g" * 300,
    "[MASK]" * 12,
]
# As many masks as a row of 14 tokens holds, none, one behind it, and what looks like one.
ODD = ["", "no mask", "[MASK]" * 60, "a\0[MASK]\0b", "[mask] [MASK", "x " * 40 + "[MASK]", "d [MASK] " + "h" * 100_000]
PLAIN = ["a bk, c. 中国 d's", "e", "A B c d e f g h " * 9 + "中国", "h g", "bk a c"]


def make_masked_lm(texts=True, num_layers=2, seed=0, sequence_length=14, **arguments):
    """A `BertMaskedLM`, the same one each time. Without `texts` it has no preprocessor."""
    keras.utils.set_random_seed(0)
    encoder = keras_bert.BertEncoder(
        vocabulary_size=len(VOCABULARY) + 2,  # more rows than tokens
        num_layers=num_layers,
        num_heads=3,
        hidden_dim=12,
        intermediate_dim=20,
        max_sequence_length=18,
        dropout=0.0,
        attention_dropout=0.0,
    )
    tokenizer = keras_bert.BertTokenizer(VOCABULARY)
    preprocessor = keras_bert.BertPreprocessor(tokenizer, sequence_length=sequence_length)
    return with_large_weights(keras_bert.BertMaskedLM(encoder, preprocessor if texts else None, seed=seed, **arguments))


def assert_fillings(found, records, atol):
    """What a SavedModel gave is what `predict` gives; nothing where a text has no mask."""
    assert found["num_masks"] == [len(masks) for masks in records]
    for row, masks in enumerate(records):
        for name in ("token", "filled", "score"):
            expected = [[filling[name] for filling in mask] for mask in masks]
            given = found[name][row]
            if name == "score":
                np.testing.assert_allclose(np.ravel(given[: len(masks)]), np.ravel(expected), atol=atol)
            else:
                assert given[: len(masks)] == expected
            empty = {value for mask in given[len(masks) :] for value in mask}
            assert empty <= {0.0 if name == "score" else ""}
