"""From token ids back to texts that people read."""

import numpy as np
import tensorflow as tf

from keras_bert.text.vocabulary import Vocabulary


def detokenize(ids, vocabulary: Vocabulary):
    """Joins ids back into texts: pieces into words, no space between Chinese characters, no special tokens.

    Args:
        ids: int tensor or list `(T,)` or `(B, T)`, or a ragged one.
        vocabulary: `Vocabulary`.

    Returns:
        String tensor `()` or `(B,)`.

    Example:
    >>> vocabulary = keras_bert.Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "play", "##ing", "!"])
    >>> detokenize([2, 5, 6, 7, 3], vocabulary).numpy()
    b'playing !'
    """
    if isinstance(ids, (list, tuple)) and len(ids) and np.ndim(ids[0]) == 1:
        ids = tf.ragged.constant(ids, tf.int32, ragged_rank=1)
    if not isinstance(ids, tf.RaggedTensor):
        ids = tf.cast(tf.convert_to_tensor(ids), tf.int32)
        if ids.shape.rank == 1:
            return detokenize(ids[tf.newaxis], vocabulary)[0]
        ids = tf.RaggedTensor.from_tensor(ids)
    hidden = tf.constant([vocabulary.pad_id, vocabulary.cls_id, vocabulary.sep_id], ids.dtype)
    shown = tf.reduce_all(ids.flat_values[:, tf.newaxis] != hidden, axis=1)
    ids = tf.ragged.boolean_mask(ids, ids.with_flat_values(shown))
    pieces = tf.gather(tf.constant(vocabulary.tokens), ids.flat_values)
    texts = tf.strings.reduce_join(ids.with_flat_values(pieces), axis=-1, separator=" ")
    texts = tf.strings.regex_replace(texts, " ##", "")
    # Twice: the second pass finds the pairs that overlap the first's.
    for _ in range(2):
        texts = tf.strings.regex_replace(texts, r"(\p{Han}) (\p{Han})", r"\1\2")
    return texts
