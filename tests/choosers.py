"""The model of choices that tests are made with: small, its weights far from 0; and what it is asked."""

import keras

import keras_bert
from tests.classifiers import with_large_weights

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", "##k", "##l", "中", "国", "."]
CONTEXTS = ["a b c", "", "a bk 中国 . " * 5, "d", "h g f e d c b a" * 2]
QUESTIONS = ["e", "f g", "", "a b c d e f g h a b c d e f", "中"]
CHOICES = [
    ["a", "b c", "d"],
    ["", "中 国", "x"],
    ["a bkl", "a . b . c . d", "e"],
    ["a b", "c", "d e f g h a b c d e f g h . . ."],
    ["f", "g", "h"],
]
ANSWERS = [2, 1, 0, 1, 2]
EXAMPLES = (CONTEXTS, QUESTIONS, CHOICES)
ODD = ["", " \t", "中文 A", "a\0 b", b"\xff a\xfe", "é" * 300, "[SEP] a [CLS]", "a b c. " * 300]


def make_chooser(texts=True, num_layers=2, sequence_length=15, **arguments):
    """A `BertMultipleChoice`, the same one each time. Without `texts` it has no preprocessor."""
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
    preprocessor = keras_bert.BertPreprocessor(keras_bert.BertTokenizer(VOCABULARY), sequence_length=sequence_length)
    chooser = keras_bert.BertMultipleChoice(encoder, preprocessor if texts else None, **arguments)
    return with_large_weights(chooser)
