"""Texts that are longer than a row, in overlapping windows."""

from typing import NamedTuple

import tensorflow as tf

from keras_bert.text.packing import pack_segments
from keras_bert.text.preprocessor import BertPreprocessor


class Windows(NamedTuple):
    """Rows of windows, and what leads from a place in a window back to the text.

    Attributes:
        inputs: dict of int32 tensors `(W, T)`, the encoder's.
        examples: int32 tensor `(W,)`, the example that a window belongs to.
        in_text: bool tensor `(W, T)`. Where the text's tokens are.
        is_best: bool tensor `(W, T)`. Of these, where no other window sees more of the text around the token.
        tokens: int32 tensor `(W, T)`. Which token it is, of all texts in one line; 0 for what is no token of a text.
    """

    inputs: dict
    examples: tf.Tensor
    in_text: tf.Tensor
    is_best: tf.Tensor
    tokens: tf.Tensor


def cut_windows(
    preprocessor: BertPreprocessor, ids, other_ids, *, stride: int, text_first: bool, padding: str | None = None
) -> Windows:
    """Lays texts out in rows, beside another segment, in the graph.

    A text that does not fit into one row is cut into windows, each `stride` tokens after the one before.

    Args:
        preprocessor: `BertPreprocessor`. Its `sequence_length` is the longest row.
        ids: ragged int32 tensor `(B, (T))`, the texts.
        other_ids: ragged int32 tensor `(B, (T))`, short, whole in every window; or None.
        stride: int. Tokens from the begin of a window to the begin of the next.
        text_first: bool. Whether a row is [CLS] text [SEP] other [SEP], or the other way round.
        padding: str, optional. In the place of the preprocessor's own.

    Returns:
        `Windows`; every text has at least one.
    """
    vocabulary = preprocessor.tokenizer.vocabulary
    lengths = _row_lengths(ids)
    other_lengths = 0 * lengths if other_ids is None else _row_lengths(other_ids)
    room = preprocessor.sequence_length - (2 if other_ids is None else 3) - other_lengths
    stride = tf.minimum(stride, room)
    counts = 1 + (tf.maximum(lengths - room, 0) + stride - 1) // stride

    examples = tf.repeat(tf.range(tf.size(counts)), counts)  # (W,)
    number = tf.range(tf.size(examples)) - tf.gather(tf.cumsum(counts, exclusive=True), examples)
    first = number * tf.gather(stride, examples)
    last = tf.minimum(first + tf.gather(room, examples), tf.gather(lengths, examples))
    base = tf.gather(tf.cast(ids.row_starts(), tf.int32), examples)
    segments = [tf.gather(ids.flat_values, tf.ragged.range(base + first, base + last))]
    if other_ids is not None:
        segments.insert(1 if text_first else 0, tf.gather(other_ids, examples))
    inputs = pack_segments(
        tuple(segments),
        cls_id=vocabulary.cls_id,
        sep_id=vocabulary.sep_id,
        pad_id=vocabulary.pad_id,
        sequence_length=preprocessor.sequence_length,
        padding=padding or preprocessor.padding,
    )

    column = tf.range(tf.shape(inputs["token_ids"])[1])[tf.newaxis]
    begin = tf.ones_like(first) if text_first else tf.gather(other_lengths, examples) + 2
    offset, length = column - begin[:, tf.newaxis], (last - first)[:, tf.newaxis]
    in_text = (offset >= 0) & (offset < length)
    tokens = tf.where(in_text, (base + first)[:, tf.newaxis] + offset, 0)
    is_best = _sees_most(tokens, in_text, offset, length, tf.size(ids.flat_values))
    return Windows(inputs, examples, in_text, is_best, tokens)


def _sees_most(tokens, in_text, offset, length, count):
    """Tells of each token in a window whether none of the other windows, or of equal ones an earlier, sees more."""
    # The original: the lesser of what is left and right, and a hundredth of the window's length.
    score = tf.where(in_text, 100 * tf.minimum(offset, length - 1 - offset) + length, -1)
    token, shape = tf.reshape(tokens, [-1]), tf.shape(tokens)
    best = tf.math.unsorted_segment_max(tf.reshape(score, [-1]), token, count + 1)
    is_best = in_text & (score == tf.gather(best, tokens))
    row = tf.range(shape[0])[:, tf.newaxis] + tf.zeros_like(tokens)
    chosen = tf.reshape(tf.where(is_best, row, tf.int32.max), [-1])
    chosen = tf.math.unsorted_segment_min(chosen, token, count + 1)
    return is_best & (row == tf.gather(chosen, tokens))


def _row_lengths(ragged):
    return tf.cast(ragged.row_lengths(), tf.int32)
