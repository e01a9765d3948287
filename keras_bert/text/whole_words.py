"""Words that are found in a text as they stand, and become one token each."""

import re
from collections.abc import Sequence

import tensorflow as tf
import tensorflow_text as tf_text


class WholeWords:
    """Cuts texts at the words that stay whole, the longest first.

    A word that begins or ends in an ASCII letter or digit is not found inside a longer ASCII word; others, as Chinese
    ones, are found anywhere.

    Args:
        words: sequence of str, none of them empty.
        ids: sequence of int, their ids.

    Example:
    >>> parts, starts, ids = WholeWords(["[E1]"], [7]).cut(tf.constant(["an [E1]"]))
    >>> parts.to_list(), starts.numpy().tolist(), ids.numpy().tolist()
    ([[b'an ', b'[E1]']], [0, 3], [-1, 7])
    """

    def __init__(self, words: Sequence[str], ids: Sequence[int]):
        self._pattern = "|".join(_pattern_of(word) for word in sorted(words, key=len, reverse=True))
        # In the order of their hashes: a search in it costs about the same for ten words as for ten thousand.
        with tf.init_scope():
            hashes = _hash(tf.constant(words, tf.string)).numpy()
        order = hashes.argsort()
        self._hashes = hashes[order]
        self._words = [words[i] for i in order]
        self._ids = [ids[i] for i in order]

    def __len__(self) -> int:
        return len(self._words)

    def cut(self, texts):
        """Cuts texts into the words and what stands between them.

        Args:
            texts: string tensor `(B,)`.

        Returns:
            Ragged string tensor `(B, (parts))`, and of each part in one line two int32 tensors `(all parts,)`: where
            it begins in its text, in bytes; the id of the word that it is, or -1.
        """
        if not self._words:
            parts = tf.RaggedTensor.from_tensor(texts[:, tf.newaxis])
            return parts, tf.zeros_like(texts, tf.int32), tf.fill(tf.shape(texts), -1)
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
        # TF-Text takes a text for finished at a NUL; this character is deleted later as well, and as long.
        texts = tf.strings.regex_replace(texts, r"\x00", "\x01")
        parts, starts, _ = tf_text.regex_split_with_offsets(texts, self._pattern, self._pattern)
        flat = parts.flat_values
        place = tf.minimum(tf.searchsorted(self._hashes, _hash(flat)), len(self._words) - 1)
        is_word = tf.gather(self._words, place) == flat
        ids = tf.where(is_word, tf.gather(self._ids, place), -1)
        return parts, tf.cast(starts.flat_values, tf.int32), ids


def _hash(texts):
    return tf.strings.to_hash_bucket_fast(texts, 2**63 - 1)


def _pattern_of(word):
    before = r"\b" if re.match(r"[A-Za-z0-9_]", word) else ""
    after = r"\b" if re.search(r"[A-Za-z0-9_]$", word) else ""
    return before + re.escape(word) + after
