"""The token classifier that tests are made with: small, its weights far from 0."""

import keras

import keras_bert
from tests.classifiers import with_large_weights

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", "##k", "##l", "中", "国", ".", "'"]
TAGS = ["B-x", "O", "I-x", "B-größe", "I-größe"]
TEXTS = ["a bk, c. 中国 d's", "", " ", "h" * 300, "A B c d e f g h " * 9 + "中国", "e"]
WORDS = [["a", "bkl", "U.S", "中国"], [], ["\u200b", "c"], ["d", "e"] * 20]


def make_tagger(texts=True, num_layers=2, labels=TAGS, **arguments):
    """A `BertTokenClassifier`, the same one each time. Without `texts` it has no preprocessor."""
    keras.utils.set_random_seed(0)
    encoder = keras_bert.BertEncoder(
        vocabulary_size=len(VOCABULARY),
        num_layers=num_layers,
        num_heads=3,
        hidden_dim=12,
        intermediate_dim=20,
        max_sequence_length=18,
        dropout=0.0,
        attention_dropout=0.0,
    )
    preprocessor = keras_bert.BertPreprocessor(keras_bert.BertTokenizer(VOCABULARY), sequence_length=14)
    tagger = keras_bert.BertTokenClassifier(encoder, preprocessor if texts else None, labels, **arguments)
    return with_large_weights(tagger)
