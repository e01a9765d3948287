"""Where a piece of the normalized text stands in the text that the user wrote."""

import tensorflow as tf

from keras_bert.text.normalization import clean, fold, space_chinese


def source_offsets(texts, rows, starts, ends, lowercase: bool, strip_accents: bool):
    """Maps byte offsets in normalized texts back to the texts themselves.

    Each character is normalized alone; how many bytes it leaves tells where its bytes are in the normalized text.

    Args:
        texts: string tensor `(B,)`, valid UTF-8.
        rows: int tensor `(pieces,)`, the text of each piece of the batch.
        starts: int tensor `(pieces,)`, byte offsets into the normalized texts.
        ends: int tensor `(pieces,)`, the same, exclusive.
        lowercase: bool.
        strip_accents: bool.

    Returns:
        Two int32 tensors `(pieces,)`: byte offsets into `texts`. A combining mark that was taken off belongs to the
        character before it.
    """
    characters, begins = tf.strings.unicode_split_with_offsets(texts, "UTF-8")  # (B, (characters))
    cleaned = clean(characters.flat_values)
    folded = fold(space_chinese(cleaned), lowercase, strip_accents)
    lengths = tf.strings.length(folded)
    # The normalized texts of the batch in one line of bytes: where each character ends there, where each row begins.
    after = tf.cumsum(lengths)
    base = tf.gather(tf.gather(tf.concat([[0], after], 0), characters.row_starts()), rows)

    # A character ends where the next one begins that is no mark, at the latest where its text ends.
    is_mark = (tf.strings.length(cleaned) > 0) & (lengths == 0)
    is_first = begins.flat_values == 0
    begin = tf.cast(begins.flat_values, tf.int32)
    end = begin + tf.strings.length(characters.flat_values)
    group = tf.cumsum(tf.cast(~is_mark | is_first, tf.int32))
    end = tf.gather(tf.math.segment_max(end, group), group)

    first = tf.searchsorted(after, tf.cast(starts, tf.int32) + base, side="right")
    last = tf.searchsorted(after, tf.cast(ends, tf.int32) + base - 1, side="right")
    return tf.gather(begin, first), tf.gather(end, last)


def character_offsets(texts, rows, *byte_offsets):
    """Turns byte offsets into offsets in characters.

    Args:
        texts: string tensor `(B,)`, valid UTF-8.
        rows: int tensor `(pieces,)`, the text of each piece of the batch.
        *byte_offsets: int32 tensors `(pieces,)`.

    Returns:
        As many int32 tensors `(pieces,)`.
    """
    _, begins = tf.strings.unicode_split_with_offsets(texts, "UTF-8")
    # Rows are laid end to end, each one byte longer than its text, so that an end of text is nobody's begin.
    bases = tf.cumsum(tf.strings.length(texts) + 1, exclusive=True)
    line = tf.cast(begins.flat_values, tf.int32) + tf.gather(bases, begins.value_rowids())
    base = tf.gather(bases, rows)
    first = tf.gather(tf.cast(begins.row_starts(), tf.int32), rows)
    return tuple(tf.searchsorted(line, offsets + base) - first for offsets in byte_offsets)
