"""Texts that are a little different in every epoch: words hidden, left out or moved, to train on few examples."""

import numpy as np
import tensorflow as tf

from keras_bert.data.epochs import drawn_batches, endless, fold_seed, without_end
from keras_bert.data.inputs import check_counts, checked_features, row_count
from keras_bert.data.steps import without_autotuning
from keras_bert.text.preprocessor import BertPreprocessor

CHANGES = 3  # hidden, left out, moved


def augmented_batches(
    preprocessor: BertPreprocessor,
    texts,
    labels,
    rate: float = 0.1,
    batch_size: int = 32,
    seed: int = 0,
) -> tf.data.Dataset:
    """Makes endless batches to train on, of texts in a new order in every epoch, each time with other words changed.

    A batch is a function of the seed and of its number. What is changed and how: see `augment_tokens`.

    Args:
        preprocessor: `BertPreprocessor`, with [MASK] in its vocabulary.
        texts: list of str, or pairs, as in `fit`. Each side of a pair is changed for itself.
        labels: numbers, `(n,)` or `(n, C)`, as the model's `fit` takes them.
        rate: float, default 0.1. The probability that a word is changed.
        batch_size: int, default 32. The last batch of an epoch may be smaller.
        seed: int, default 0.

    Returns:
        `tf.data.Dataset` of (encoder inputs, labels), for `fit(batches, steps_per_epoch=...)`: an epoch has as many
        steps as there are batches of all texts.

    Raises:
        ValueError: a rate that is no share, or not a label for each text.

    Example:
    >>> batches = keras_bert.data.augmented_batches(classifier.preprocessor, texts, labels, rate=0.1)
    >>> classifier.fit(batches, steps_per_epoch=math.ceil(len(texts) / 32), epochs=3)

    Reference:
        Wei and Zou, 2019 (https://arxiv.org/abs/1901.11196), for words that are left out and moved.
    """
    if not 0 < rate < 1:
        raise ValueError(f"`rate` must be between 0 and 1. Received: rate={rate}. Use 0.1, for example.")
    check_counts(batch_size=batch_size)
    features, labels = checked_features(texts), np.asarray(labels)
    if isinstance(features, dict):
        raise ValueError("Words are changed in texts. Received: ready inputs. Pass the texts they were made from.")
    rows = row_count(features)
    if not rows or labels.ndim == 0 or len(labels) != rows:
        raise ValueError(
            "There must be a label for each of at least one text. "
            f"Received: {rows} texts and labels of shape {labels.shape}."
        )
    vocabulary = preprocessor.tokenizer.vocabulary
    begins_word = np.array([not token.startswith("##") for token in vocabulary.tokens])
    how = {"begins_word": begins_word, "rate": rate, "mask_id": vocabulary.mask_id}

    @tf.autograph.experimental.do_not_convert
    def batch_of(step, example):
        texts, labels = example
        segments = [
            augment_tokens(token_ids, fold_seed((seed, 1), step, side), **how)
            for side, token_ids in enumerate(preprocessor.tokenize(texts))
        ]
        return preprocessor.pack(tuple(segments)), labels

    def of_epoch(epoch, order_seed):
        return drawn_batches((features, labels), batch_size, epoch, order_seed)

    batches = endless(of_epoch, seed=(seed, 0)).enumerate().map(batch_of, tf.data.AUTOTUNE)
    return without_autotuning(without_end(batches).prefetch(tf.data.AUTOTUNE))


def augment_tokens(token_ids: tf.RaggedTensor, seed, *, begins_word, mask_id: int, rate: float = 0.1):
    """Changes words of texts at random: a third of those that are drawn is hidden, left out, or moved behind the next.

    Words are whole, of one word piece or several; a Chinese character is one. A text of which no word would be left,
    as one of a single word, keeps all its words. A pure function of its arguments.

    Args:
        token_ids: ragged int32 tensor `(B, (T))`, without special tokens.
        seed: int tensor `(2,)`.
        begins_word: bool array `(V,)`. Whether a token begins a word.
        mask_id: int. Stands for each piece of a hidden word.
        rate: float, default 0.1. The probability that a word is drawn.

    Returns:
        Ragged int32 tensor `(B, (T))`.

    Example:
    >>> token_ids = tf.ragged.constant([[4, 5, 6, 7]])
    >>> augment_tokens(token_ids, [0, 1], begins_word=[True] * 8, mask_id=3, rate=0.5)
    """
    tokens, rows = token_ids.flat_values, token_ids.value_rowids()
    begins = tf.gather(tf.constant(begins_word), tokens) | _differs(rows, before=True)
    words = tf.cumsum(tf.cast(begins, tf.int32)) - 1  # the word that each token is of
    rows_of_words = tf.boolean_mask(rows, begins)

    # Drawing
    draws = tf.random.stateless_uniform((2, tf.shape(rows_of_words)[0]), seed)
    change = tf.where(draws[0] < rate, tf.cast(draws[1] * CHANGES, tf.int32), CHANGES)
    hidden, left_out, moved = (change == number for number in range(CHANGES))
    stays = tf.math.unsorted_segment_max(tf.cast(~(hidden | left_out), tf.int32), rows_of_words, token_ids.nrows()) > 0
    hidden, left_out = (part & tf.gather(stays, rows_of_words) for part in (hidden, left_out))
    moved &= ~_differs(rows_of_words, before=False)  # there is a next word

    # Moving: a word's place is twice its number, and just behind the next one's if it is moved.
    places = 2 * tf.range(tf.shape(rows_of_words)[0]) + 3 * tf.cast(moved, tf.int32)
    new_places = tf.math.invert_permutation(tf.argsort(places, stable=True))
    order = tf.argsort(tf.gather(new_places, words), stable=True)

    # Hiding and leaving out
    tokens = tf.where(tf.gather(hidden, words), tf.cast(mask_id, tokens.dtype), tokens)
    kept = tf.boolean_mask(order, tf.gather(~left_out, tf.gather(words, order)))
    return tf.RaggedTensor.from_value_rowids(tf.gather(tokens, kept), tf.gather(rows, kept), token_ids.nrows())


def _differs(rows, before):
    """Tells which elements have another row than the one before them, or behind them; the outermost have."""
    differs = rows[1:] != rows[:-1]
    outermost = tf.ones_like(rows[:1], tf.bool)
    return tf.concat([outermost, differs] if before else [differs, outermost], axis=0)
