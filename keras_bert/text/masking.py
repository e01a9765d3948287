"""Hiding tokens, so that a model learns to guess them: drawn anew for every step, from a seed."""

import tensorflow as tf

from keras_bert.text.vocabulary import Vocabulary

UNITS = ("token", "whole_word", "span")
_SPAN_END = 0.2  # of a word's being the first of a new span: the geometric distribution of SpanBERT
_LONGEST_SPAN = 10  # words


def mask_tokens(
    inputs: dict,
    seed,
    *,
    mask_token_id: int,
    random_tokens,
    special_token_ids,
    max_predictions: int,
    mask_rate: float = 0.15,
    unit: str = "token",
) -> dict:
    """Hides a share of the tokens of each row: 80 % become [MASK], 10 % a random token, 10 % stay as they are.

    Whole units are chosen at random until the share is reached; the last one is taken with the probability that makes
    the share right on average. A pure function of its arguments: the same seed hides the same tokens.

    Args:
        inputs: dict of int tensors `(B, T)`: `token_ids`, `padding_mask`, and, but for `unit="token"`, `word_starts`:
            1 where a word begins.
        seed: int tensor `(2,)`.
        mask_token_id: int.
        random_tokens: int tensor `(R,)`. The ids that stand in for a hidden token.
        special_token_ids: int tensor `(S,)`. Never hidden: [CLS], [SEP].
        max_predictions: int, P. Hidden tokens of a row at most.
        mask_rate: float, default 0.15. The share of the tokens that may be hidden.
        unit: str, default "token": tokens one by one; "whole_word": all pieces of a word; "span": runs of words of
            geometric length, ten at most, that stop at special tokens.

    Returns:
        dict: the inputs with new `token_ids`, without `word_starts`, and `mask_positions`, `mask_ids` (what stood
        there), both int `(B, P)`, and `mask_weights` `(B, P)`, 1 for predictions and 0 for filling.

    Raises:
        ValueError: an unknown unit, or a rate that is no share.

    Example:
    >>> ids = tf.constant([[2, 7, 8, 9, 3, 0]])
    >>> how = {"mask_token_id": 4, "random_tokens": [7, 8, 9], "special_token_ids": [2, 3], "max_predictions": 2}
    >>> masked = mask_tokens({"token_ids": ids, "padding_mask": [[1, 1, 1, 1, 1, 0]]}, [0, 1], **how, mask_rate=0.5)
    >>> masked["mask_ids"].shape
    TensorShape([1, 2])

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), section 3.1; Joshi et al., 2019
        (https://arxiv.org/abs/1907.10529) for spans.
    """
    if unit not in UNITS:
        raise ValueError(f"`unit` must be one of {', '.join(UNITS)}. Received: unit={unit!r}.")
    if not 0 < mask_rate < 1:
        raise ValueError(
            f"`mask_rate` must be between 0 and 1. Received: mask_rate={mask_rate}. BERT's is 0.15."
        )
    seeds = tf.unstack(tf.random.split(seed, 5))
    token_ids = tf.cast(inputs["token_ids"], tf.int32)
    is_special = tf.reduce_any(token_ids[:, :, tf.newaxis] == tf.cast(special_token_ids, tf.int32), axis=-1)
    may_hide = tf.cast(inputs["padding_mask"], tf.bool) & ~is_special
    if unit == "token":
        units = tf.broadcast_to(tf.range(tf.shape(token_ids)[1]), tf.shape(token_ids))
    else:
        units = _units(
            tf.cast(inputs["word_starts"], tf.bool), may_hide, seeds[0] if unit == "span" else None
        )
    chosen = _choose(units, may_hide, seeds[1:3], mask_rate, max_predictions)
    positions, weights = chosen_positions(chosen, max_predictions)
    hidden = tf.gather(token_ids, positions, batch_dims=1)
    shown = _stand_ins(hidden, seeds[3:], mask_token_id, tf.cast(random_tokens, tf.int32))
    rest = {name: tensor for name, tensor in inputs.items() if name != "word_starts"}
    return {
        **rest,
        "token_ids": token_ids + _scatter((shown - hidden) * weights, positions, tf.shape(token_ids)),
        "mask_positions": positions,
        "mask_ids": hidden * weights,
        "mask_weights": tf.cast(weights, tf.float32),
    }


def masking_options(
    vocabulary: Vocabulary,
    row_size: int,
    *,
    mask_rate: float = 0.15,
    mask_unit: str = "token",
    max_predictions: int | None = None,
) -> dict:
    """Gives the arguments of `mask_tokens` that follow from a vocabulary.

    Args:
        vocabulary: `Vocabulary`.
        row_size: int. T.
        mask_rate: float, default 0.15.
        mask_unit: str, default "token".
        max_predictions: int, optional. Default: a tenth more than `mask_rate` asks for, and a multiple of 8.

    Returns:
        dict. Any token but special ones and those called "[unused...]" may stand in for a hidden one.

    Raises:
        ValueError: a vocabulary without [MASK].
    """
    special = (vocabulary.pad_id, vocabulary.unknown_id, vocabulary.cls_id, vocabulary.sep_id, vocabulary.mask_id)
    return {
        "mask_token_id": vocabulary.mask_id,
        "random_tokens": [
            i for i, token in enumerate(vocabulary.tokens) if i not in special and not token.startswith("[unused")
        ],
        "special_token_ids": [vocabulary.cls_id, vocabulary.sep_id],
        "max_predictions": max_predictions or -8 * int(-(1.1 * mask_rate * row_size) // 8),
        "mask_rate": mask_rate,
        "unit": mask_unit,
    }


def chosen_positions(chosen, max_predictions) -> tuple:
    """Lists the chosen positions of each row in ascending order, filled up with 0, and tells which of them count.

    Args:
        chosen: bool tensor `(B, T)`.
        max_predictions: int, or int tensor `()`. P; what a row has more is left out.

    Returns:
        Two int32 tensors `(B, P)`: positions, and 1 for those that count.
    """
    length = tf.shape(chosen)[1]
    places = tf.sort(tf.where(chosen, tf.range(length), length), axis=1)
    places = tf.pad(places, [[0, 0], [0, max_predictions]], constant_values=length)[:, :max_predictions]
    counts = tf.cast(places < length, tf.int32)
    return places * counts, counts


def _units(word_starts, may_hide, seed):
    """Numbers the words of each row from 0 or, with a seed, runs of words; a special token ends both."""
    after_special = may_hide & ~tf.pad(may_hide, [[0, 0], [1, 0]])[:, :-1]
    starts = (word_starts & may_hide) | after_special
    if seed is not None:
        words = _number(starts)
        drawn = tf.random.stateless_uniform(tf.shape(starts), seed) < _SPAN_END
        runs = _number(after_special | (starts & drawn))
        place = words - _by_unit(tf.math.unsorted_segment_min, words, runs)  # of the word in its run
        starts &= after_special | drawn | (place % _LONGEST_SPAN == 0)
    return _number(starts)


def _number(starts):
    return tf.maximum(tf.cumsum(tf.cast(starts, tf.int32), axis=1) - 1, 0)


def _by_unit(combine, values, units):
    """Combines the values of a unit's tokens and gives each of them the result: int `(B, T)`."""
    rows, length = tf.unstack(tf.shape(units))
    numbers = tf.reshape(units + length * tf.range(rows)[:, tf.newaxis], [-1])
    return tf.reshape(
        tf.gather(combine(tf.reshape(values, [-1]), numbers, rows * length), numbers), [rows, length]
    )


def _choose(units, may_hide, seeds, mask_rate, max_predictions):
    """Draws whole units of each row: bool `(B, T)`."""
    rows, length = tf.unstack(tf.shape(units))
    weight = tf.cast(may_hide, tf.int32)
    sizes = _by_unit(tf.math.unsorted_segment_sum, weight, units)
    # A random key a unit. Sorted by it, the tokens of a unit stand together: `low` is where its first one comes.
    keys = tf.gather(tf.random.stateless_uniform((rows, length), seeds[0]), units, batch_dims=1)
    order = tf.argsort(tf.where(may_hide, keys, 2.0), axis=1)
    place = tf.scatter_nd(
        tf.stack([tf.broadcast_to(tf.range(rows)[:, tf.newaxis], (rows, length)), order], axis=-1),
        tf.broadcast_to(tf.range(length), (rows, length)),
        (rows, length),
    )
    low = _by_unit(tf.math.unsorted_segment_min, tf.where(may_hide, place, length), units)
    budget = mask_rate * tf.cast(tf.reduce_sum(weight, axis=1, keepdims=True), tf.float32)
    budget = tf.minimum(budget, tf.cast(max_predictions, tf.float32))
    # The unit across the border is taken with the probability of the share of it that lies inside.
    inside = (budget - tf.cast(low, tf.float32)) / tf.cast(tf.maximum(sizes, 1), tf.float32)
    drawn = inside > tf.random.stateless_uniform((rows, 1), seeds[1])
    return may_hide & drawn & (low + sizes <= max_predictions)


def _stand_ins(hidden, seeds, mask_token_id, random_tokens):
    draw = tf.random.stateless_uniform(tf.shape(hidden), seeds[0])
    index = tf.random.stateless_uniform(
        tf.shape(hidden), seeds[1], maxval=tf.size(random_tokens), dtype=tf.int32
    )
    shown = tf.where(draw < 0.9, tf.gather(random_tokens, index), hidden)
    return tf.where(draw < 0.8, mask_token_id, shown)


def _scatter(values, positions, shape):
    """Adds values at positions of a tensor of zeros."""
    rows = tf.broadcast_to(tf.range(shape[0])[:, tf.newaxis], tf.shape(positions))
    return tf.scatter_nd(tf.stack([rows, positions], axis=-1), values, shape)
