"""Documents of token ids to the rows that a pretrainer reads."""

import tensorflow as tf

from keras_bert.data.packed_rows import assign_rows
from keras_bert.data.sentence_pairs import Documents, draw_pairs


def build_rows(
    token_ids,
    word_starts,
    documents: Documents,
    seed,
    *,
    cls_id: int,
    sep_id: int,
    row_size: int = 128,
    max_examples: int = 8,
    next_sentence: str = "nsp",
    short_sequence_probability: float = 0.1,
) -> dict:
    """Makes examples, packs them into rows and puts the rows in random order. A pure function of its arguments.

    Args:
        token_ids: int tensor `(N,)` of all documents, without special tokens.
        word_starts: bool tensor `(N,)`. Where a word begins.
        documents: `Documents`.
        seed: int tensor `(2,)`.
        cls_id: int.
        sep_id: int.
        row_size: int, default 128. T, tokens of a row.
        max_examples: int, default 8. K, examples of a row at most.
        next_sentence: str, default "nsp". See `draw_pairs`.
        short_sequence_probability: float, default 0.1. See `draw_pairs`.

    Returns:
        dict of int32 tensors: `token_ids`, `segment_ids`, `padding_mask` (1, 2, ... for the examples of a row) and
        `word_starts`, `(R, T)`; `cls_positions`, `cls_weights` and `next_sentence_labels`, `(R, K)`.
    """
    seeds = tf.unstack(tf.random.split(seed, 2))
    special = 2 if next_sentence == "none" else 3
    pairs = draw_pairs(
        documents,
        seeds[0],
        size=row_size - special,
        next_sentence=next_sentence,
        short_sequence_probability=short_sequence_probability,
    )
    sizes = pairs.first_size + pairs.second_size + special
    row, position, place, count = assign_rows(sizes, row_size, max_examples)
    shuffled = tf.argsort(tf.random.stateless_uniform([count], seeds[1]))
    row = tf.gather(tf.argsort(shuffled), row)
    at = row * row_size + position  # of each example's [CLS] among all positions
    second_at = at + 2 + pairs.first_size
    ends = [second_at - 1] if next_sentence == "none" else [second_at - 1, second_at + pairs.second_size]

    # Where each token goes, and where it comes from: special tokens stand behind the others.
    tokens = tf.concat([tf.cast(token_ids, tf.int32), [cls_id, sep_id]], axis=0)
    starts = tf.concat([tf.cast(word_starts, tf.int32), [0, 0]], axis=0)
    cls_source, sep_source = tf.size(tokens) - 2, tf.size(tokens) - 1
    runs = [(at + 1, pairs.first_begin, pairs.first_size), (second_at, pairs.second_begin, pairs.second_size)]
    targets = [_ranges(low, size) for low, _, size in runs] + [at, *ends]
    sources = [_ranges(low, size) for _, low, size in runs] + [tf.fill(tf.shape(at), cls_source)]
    sources += [tf.fill(tf.shape(at), sep_source)] * len(ends)
    places = count * row_size
    source = _scatter(targets, [source + 1 for source in sources], places) - 1  # -1 is padding

    def spread(values, begin, size):
        return _scatter([_ranges(begin, size)], [tf.repeat(values, size)], places)

    segment = spread(tf.ones_like(at), second_at, sizes - 2 - pairs.first_size)
    is_real = source >= 0
    source = tf.maximum(source, 0)
    rows = {
        "token_ids": tf.where(is_real, tf.gather(tokens, source), 0),
        "segment_ids": segment,
        "padding_mask": spread(place + 1, at, sizes),
        "word_starts": tf.where(is_real, tf.gather(starts, source), 0),
    }
    rows = {name: tf.reshape(values, [count, row_size]) for name, values in rows.items()}
    slots = tf.stack([row, place], axis=1)
    heads = {
        "cls_positions": position,
        "cls_weights": tf.ones_like(position),
        "next_sentence_labels": pairs.label,
    }
    return rows | {
        name: tf.scatter_nd(slots, values, [count, max_examples]) for name, values in heads.items()
    }


def _ranges(begin, size):
    """Joins the ranges [begin, begin + size) of all examples."""
    return tf.ragged.range(begin, begin + size).flat_values


def _scatter(targets, values, size):
    return tf.scatter_nd(tf.concat(targets, axis=0)[:, tf.newaxis], tf.concat(values, axis=0), [size])
