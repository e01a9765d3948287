"""Words of texts in windows, and what is said about each word."""

from typing import NamedTuple

import tensorflow as tf

from keras_bert.data.windows import cut_windows
from keras_bert.text.preprocessor import BertPreprocessor


class WordWindows(NamedTuple):
    """Rows of windows, and which word begins where in them.

    Attributes:
        inputs: dict of int32 tensors `(W, T)`, the encoder's.
        examples: int32 tensor `(W,)`, the text that a window belongs to.
        speaks: bool tensor `(W, T)`. The first token of a word, in the window that sees most around it.
        words: int32 tensor `(W, T)`. Which word it is, of all texts in one line.
    """

    inputs: dict
    examples: tf.Tensor
    speaks: tf.Tensor
    words: tf.Tensor


def word_windows(
    preprocessor: BertPreprocessor, words, others=None, *, stride: int, padding: str | None = None
) -> WordWindows:
    """Lays texts, cut into words, out in rows; long ones in overlapping windows.

    Args:
        preprocessor: `BertPreprocessor`. Its `sequence_length` is the longest row.
        words: ragged string tensor `(B, (N))`.
        others: string tensor `(B,)`, optional. A second segment, whole in every window: a predicate, for example.
        stride: int. Tokens from the begin of a window to the begin of the next.
        padding: str, optional. In the place of the preprocessor's own.

    Returns:
        `WordWindows`. A word of which the tokenizer leaves nothing does not speak anywhere.
    """
    tokenizer = preprocessor.tokenizer
    pieces = tokenizer(words.flat_values)  # (words, (pieces))
    ids = words.with_values(pieces).merge_dims(1, 2)
    other_ids = None if others is None else tokenizer(others)[:, : preprocessor.sequence_length // 2]
    windows = cut_windows(preprocessor, ids, other_ids, stride=stride, text_first=True, padding=padding)
    # A token more, so that there is one where all texts are empty.
    word = tf.pad(tf.cast(pieces.value_rowids(), tf.int32), [[0, 1]])
    is_first = word != tf.concat([[-1], word[:-1]], 0)
    speaks = windows.is_best & tf.gather(is_first, windows.tokens)
    return WordWindows(windows.inputs, windows.examples, speaks, tf.gather(word, windows.tokens))


def word_values(windows: WordWindows, values, count):
    """Brings what is said at the first token of each word into the order of the words.

    Args:
        windows: `WordWindows`.
        values: float tensor `(W, T, C)`.
        count: int tensor `()`. Words of all texts.

    Returns:
        Float tensor `(words, C)`, and a bool tensor `(words,)`: whether something is said about the word.
    """
    places = tf.where(windows.speaks)
    words = tf.gather_nd(windows.words, places)[:, tf.newaxis]
    said = tf.scatter_nd(words, tf.gather_nd(values, places), [count, values.shape[-1]])
    is_said = tf.scatter_nd(words, tf.ones_like(words[:, 0]), [count]) > 0
    return said, is_said
