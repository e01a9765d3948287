"""A question and its context in overlapping windows, and where an answer stands in them."""

from typing import NamedTuple

import tensorflow as tf

from keras_bert.data.windows import cut_windows
from keras_bert.text.preprocessor import BertPreprocessor


class SpanWindows(NamedTuple):
    """Rows of windows, and what leads from a place in a window back to the context.

    Attributes:
        inputs: dict of int32 tensors `(W, T)`, the encoder's.
        examples: int32 tensor `(W,)`, the example that a window belongs to.
        in_context: bool tensor `(W, T)`. Where the context's tokens are.
        is_best: bool tensor `(W, T)`. Of these, where no other window sees more context around the token.
        starts: int32 tensor `(W, T)`. Where a token begins in its context, in characters.
        ends: int32 tensor `(W, T)`. Where it ends, exclusive.
    """

    inputs: dict
    examples: tf.Tensor
    in_context: tf.Tensor
    is_best: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor


def span_windows(
    preprocessor: BertPreprocessor,
    questions,
    contexts,
    *,
    doc_stride: int,
    max_question_length: int,
    padding: str | None = None,
) -> SpanWindows:
    """Lays questions and contexts out in rows [CLS] question [SEP] part of the context [SEP], in the graph.

    A context that does not fit into one row is cut into windows, each `doc_stride` tokens after the one before.

    Args:
        preprocessor: `BertPreprocessor`. Its `sequence_length` is the longest row.
        questions: string tensor `(B,)`.
        contexts: string tensor `(B,)`.
        doc_stride: int. Tokens from the begin of a window to the begin of the next.
        max_question_length: int. The rest of a longer question is cut off.
        padding: str, optional. In the place of the preprocessor's own.

    Returns:
        `SpanWindows`; every example has at least one window.

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), section 4.2, and its code, `run_squad.py`.
    """
    question_ids = preprocessor.tokenizer(questions)[:, :max_question_length]
    ids, starts, ends = preprocessor.tokenizer.tokenize_with_offsets(contexts)
    windows = cut_windows(preprocessor, ids, question_ids, stride=doc_stride, text_first=False, padding=padding)
    # A token more, so that there is one where all contexts are empty.
    starts, ends = (tf.gather(tf.pad(part.flat_values, [[0, 1]]), windows.tokens) for part in (starts, ends))
    return SpanWindows(windows.inputs, windows.examples, windows.in_text, windows.is_best, starts, ends)


def span_positions(windows: SpanWindows, answers) -> tuple:
    """Finds the tokens in which an answer begins and ends.

    Args:
        windows: `SpanWindows`.
        answers: int tensor `(B, 2)`: begin and end of the answer in the context, in characters; empty for no answer.

    Returns:
        Two int32 tensors `(W,)`: first and last token, both 0, that is [CLS], where the window does not hold all of
        the answer.
    """
    answer = tf.gather(tf.cast(answers, tf.int32), windows.examples)  # (W, 2)
    begin, end = answer[:, :1], answer[:, 1:]
    overlaps = windows.in_context & (windows.ends > begin) & (windows.starts < end) & (end > begin)
    columns = tf.range(tf.shape(overlaps)[1])[tf.newaxis]
    first = tf.reduce_min(tf.where(overlaps, columns, tf.int32.max), axis=1)
    last = tf.reduce_max(tf.where(overlaps, columns, -1), axis=1)
    # All of it is here if this window reaches as far as the window that reaches farthest, on both sides.
    begins = tf.reduce_min(tf.where(overlaps, windows.starts, tf.int32.max), axis=1)
    stops = tf.reduce_max(tf.where(overlaps, windows.ends, -1), axis=1)
    count = tf.shape(answers)[0]
    farthest = (
        tf.math.unsorted_segment_min(begins, windows.examples, count),
        tf.math.unsorted_segment_max(stops, windows.examples, count),
    )
    whole = (last >= 0) & (begins == tf.gather(farthest[0], windows.examples))
    whole &= stops == tf.gather(farthest[1], windows.examples)
    return tf.where(whole, first, 0), tf.where(whole, last, 0)
