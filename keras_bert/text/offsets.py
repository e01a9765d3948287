"""Where a piece of the normalized text stands in the text that the user wrote."""

import tensorflow as tf

from keras_bert.text.normalization import clean, fold, space_chinese


def source_offsets(texts, starts, ends, lowercase: bool, strip_accents: bool):
    """Maps byte offsets in normalized texts back to the texts themselves.

    Each character is normalized alone; how many bytes it leaves tells where its bytes are in the normalized text.

    Args:
        texts: string tensor `(B,)`, valid UTF-8.
        starts: ragged int tensor `(B, (T))`, byte offsets into the normalized texts.
        ends: ragged int tensor `(B, (T))`, the same, exclusive.
        lowercase: bool.
        strip_accents: bool.

    Returns:
        Two ragged int32 tensors `(B, (T))`: byte offsets into `texts`. A combining mark that was taken off belongs
        to the character before it.
    """
    characters, begins = tf.strings.unicode_split_with_offsets(texts, "UTF-8")  # (B, (characters))
    cleaned = clean(characters.flat_values)
    folded = fold(space_chinese(cleaned), lowercase, strip_accents)
    lengths = tf.strings.length(folded)
    # The normalized texts of the batch in one line of bytes: where each character ends there, where each row begins.
    after = tf.cumsum(lengths)
    row_base = tf.gather(tf.concat([[0], after], 0), characters.row_starts())

    # A character ends where the next one begins that is no mark, at the latest where its text ends.
    is_mark = (tf.strings.length(cleaned) > 0) & (lengths == 0)
    is_first = begins.flat_values == 0
    begin = tf.cast(begins.flat_values, tf.int32)
    end = begin + tf.strings.length(characters.flat_values)
    group = tf.cumsum(tf.cast(~is_mark | is_first, tf.int32))
    end = tf.gather(tf.math.segment_max(end, group), group)

    def at(offsets, table, moved):
        line = tf.cast(offsets.flat_values, tf.int32) + tf.gather(row_base, offsets.value_rowids()) + moved
        place = tf.searchsorted(after, line, side="right")
        return offsets.with_flat_values(tf.gather(table, place))

    return at(starts, begin, 0), at(ends, end, -1)


def character_offsets(texts, byte_offsets):
    """Turns byte offsets into offsets in characters.

    Args:
        texts: string tensor `(B,)`, valid UTF-8.
        byte_offsets: ragged int tensor `(B, (T))`.

    Returns:
        Ragged int32 tensor `(B, (T))`.
    """
    _, begins = tf.strings.unicode_split_with_offsets(texts, "UTF-8")
    # Rows are laid end to end, each one byte longer than its text, so that an end of text is nobody's begin.
    bases = tf.cumsum(tf.strings.length(texts) + 1, exclusive=True)
    line = tf.cast(begins.flat_values, tf.int32) + tf.gather(bases, begins.value_rowids())
    wanted = tf.cast(byte_offsets.flat_values, tf.int32) + tf.gather(bases, byte_offsets.value_rowids())
    first = tf.gather(tf.cast(begins.row_starts(), tf.int32), byte_offsets.value_rowids())
    return byte_offsets.with_flat_values(tf.cast(tf.searchsorted(line, wanted, side="left"), tf.int32) - first)
