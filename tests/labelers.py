"""The span labeler that tests are made with: small, its weights far from 0; and what SavedModels of it are asked."""

import keras
import numpy as np

import keras_bert
from tests.classifiers import with_large_weights

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", "##k", "##l", "中", "国", "."]
RNG = np.random.default_rng(4)
WORDS = [*"ABCdefgh", "ak", "bkl", "中国", "."]
CONTEXTS = [" ".join(RNG.choice(WORDS, size=size)) for size in (0, 1, 6, 9, 25, 70, 7)]
QUESTIONS = ["a b", "", "c", "h g f e d c", "中", "d", "x y"]
ODD_CONTEXTS = ["", " \t", "\u4e2d\u6587 A", "a\0 b", "é" * 300, "[SEP] a [CLS]", "a b c. " * 300, "xyz " * 9]


def make_labeler(texts=True, num_layers=2, sequence_length=17, **arguments):
    """A `BertSpanLabeler`, the same one each time. Without `texts` it has no preprocessor."""
    keras.utils.set_random_seed(0)
    encoder = keras_bert.BertEncoder(
        vocabulary_size=len(VOCABULARY),
        num_layers=num_layers,
        num_heads=3,
        hidden_dim=12,
        intermediate_dim=20,
        max_sequence_length=sequence_length + 1,
        dropout=0.0,
        attention_dropout=0.0,
    )
    tokenizer = keras_bert.BertTokenizer(VOCABULARY)
    preprocessor = keras_bert.BertPreprocessor(tokenizer, sequence_length=sequence_length)
    sizes = {"doc_stride": 5, "max_question_length": 4, "max_answer_length": 4}
    labeler = keras_bert.BertSpanLabeler(encoder, preprocessor if texts else None, **sizes | arguments)
    return with_large_weights(labeler)
