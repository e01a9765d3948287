"""Lays one or two segments out as BERT reads them: [CLS] A [SEP] B [SEP]."""

import tensorflow as tf

TRUNCATIONS = ("longest_first", "only_first", "only_second")


def truncated_lengths(lengths, budget, truncation: str):
    """Tells how much of each of two segments stays.

    `longest_first` takes tokens one at a time from the end of the longer segment, of the second when both are equal,
    as the original does; here in closed form.

    Args:
        lengths: tuple of one or two int tensors `(B,)`.
        budget: int. Tokens there is room for.
        truncation: str. "longest_first", "only_first" or "only_second".

    Returns:
        Tuple of as many int tensors `(B,)`.
    """
    if len(lengths) == 1:
        return (tf.minimum(lengths[0], budget),)
    first, second = lengths
    if truncation == "only_first":
        second = tf.minimum(second, budget)
        return tf.minimum(first, budget - second), second
    if truncation == "only_second":
        first = tf.minimum(first, budget)
        return first, tf.minimum(second, budget - first)
    return (
        tf.minimum(first, tf.maximum(budget - second, (budget + 1) // 2)),
        tf.minimum(second, tf.maximum(budget - first, budget // 2)),
    )


def pack_segments(
    segments,
    *,
    cls_id: int,
    sep_id: int,
    pad_id: int,
    sequence_length: int,
    truncation: str = "longest_first",
    padding: str = "longest",
) -> dict:
    """Packs one or two ragged segments into rows: [CLS] A [SEP] or [CLS] A [SEP] B [SEP].

    Args:
        segments: tuple of one or two ragged int tensors `(B, (T))`.
        cls_id: int.
        sep_id: int.
        pad_id: int.
        sequence_length: int. Longest row; what does not fit is cut.
        truncation: str, default "longest_first". Or "only_first", "only_second".
        padding: str, default "longest": as wide as the longest row; "fixed": `sequence_length` wide.

    Returns:
        dict of int32 tensors `(B, T)`: `token_ids`; `segment_ids`, 1 in B and its [SEP]; `padding_mask`, 1 where real.

    Example:
    >>> segments = (tf.ragged.constant([[7, 8], [9]]),)
    >>> pack_segments(segments, cls_id=2, sep_id=3, pad_id=0, sequence_length=5)["token_ids"].numpy().tolist()
    [[2, 7, 8, 3], [2, 9, 3, 0]]
    """
    all_lengths = tuple(tf.cast(segment.row_lengths(), tf.int32) for segment in segments)
    lengths = truncated_lengths(all_lengths, sequence_length - 1 - len(segments), truncation)
    total = 1 + len(segments) + tf.add_n(lengths)  # (B,)
    width = sequence_length if padding == "fixed" else tf.reduce_max(tf.concat([total, [1 + len(segments)]], 0))
    place = tf.range(width)[tf.newaxis]  # (1, T)

    # All tokens in one line, the three special ones behind: every place of a row is one index into it.
    line = tf.concat([tf.cast(segment.flat_values, tf.int32) for segment in segments] + [[cls_id, sep_id, pad_id]], 0)
    pad_at = tf.size(line) - 1
    index = tf.where(place == 0, pad_at - 2, pad_at)
    begin, moved = 1, 0
    for segment, length in zip(segments, lengths, strict=True):
        starts = tf.cast(segment.row_starts(), tf.int32) + moved
        offset = place - tf.reshape(begin, (-1, 1))  # (B, T): place within the segment
        length = length[:, tf.newaxis]
        index = tf.where((offset >= 0) & (offset < length), starts[:, tf.newaxis] + offset, index)
        index = tf.where(offset == length, pad_at - 1, index)
        begin, moved = tf.reshape(begin + length + 1, (-1,)), moved + tf.size(segment.flat_values)
    is_real = place < total[:, tf.newaxis]
    in_second = is_real & (place > lengths[0][:, tf.newaxis] + 1) if len(segments) == 2 else tf.zeros_like(is_real)
    token_ids = tf.gather(line, index)
    if padding == "fixed":
        token_ids = tf.ensure_shape(token_ids, (None, sequence_length))
    return {
        "token_ids": token_ids,
        "segment_ids": tf.cast(in_second, tf.int32),
        "padding_mask": tf.cast(is_real, tf.int32),
    }
