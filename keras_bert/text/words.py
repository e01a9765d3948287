"""Words of a text, as people tag them, and where they stand in it."""

import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.text.normalization import CHINESE, PUNCTUATION
from keras_bert.text.offsets import character_offsets

_LETTER = rf"[^\s\p{{Z}}\p{{C}}{PUNCTUATION}{CHINESE}]"
# A Chinese character; letters and digits, also around one sign (don't, U.S, 3.14); a sign.
_WORD = rf"[{CHINESE}]|{_LETTER}+(?:[{PUNCTUATION}]{_LETTER}+)*|[{PUNCTUATION}]"


def split_words(texts):
    """Cuts texts into words: at white space, around Chinese characters, and signs off their begin and end.

    Args:
        texts: string tensor `(B,)`. Bytes that are no UTF-8 are dropped before they are counted.

    Returns:
        Three ragged tensors `(B, (words))`: strings, and int32 starts and ends in characters.

    Example:
    >>> words, starts, _ = split_words(tf.constant(["Don't go to (U.S.) 北京"]))
    >>> [word.decode() for word in words[0].numpy()]
    ["Don't", 'go', 'to', '(', 'U.S', '.', ')', '北', '京']
    """
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
    texts = tf.strings.regex_replace(texts, r"\x00", " ")  # at which TF-Text would stop
    parts, starts, ends = tf_text.regex_split_with_offsets(texts, _WORD, _WORD)
    is_word = parts.with_values(tf.strings.regex_full_match(parts.flat_values, _WORD))
    words = tf.ragged.boolean_mask(parts, is_word)
    rows = words.value_rowids()
    bytes_of = (tf.ragged.boolean_mask(part, is_word).flat_values for part in (starts, ends))
    offsets = character_offsets(texts, rows, *(tf.cast(part, tf.int32) for part in bytes_of))
    return words, *(words.with_values(part) for part in offsets)
