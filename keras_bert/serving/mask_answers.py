"""From a masked-LM head's logits to tokens, their probabilities and filled texts, in the graph."""

from collections.abc import Sequence

import tensorflow as tf


def best_tokens(logits, top_k: int, count: int) -> dict:
    """Finds the tokens that are most probable at each position.

    Args:
        logits: float tensor `(B, P, V)`.
        top_k: int, K.
        count: int. Tokens that have a name: the table may have more rows than the vocabulary.

    Returns:
        dict: `ids` int32 and `scores` float, their probabilities, both `(B, P, K)`, best first.
    """
    total = tf.reduce_logsumexp(logits, axis=-1, keepdims=True)
    best, ids = tf.math.top_k(logits[:, :, :count], top_k)
    return {"ids": ids, "scores": tf.exp(best - total)}


def token_log_probabilities(logits, ids):
    """Gives the logarithm of the probability of a token at each position.

    Args:
        logits: float tensor `(B, P, V)`.
        ids: int tensor `(B, P)`.

    Returns:
        Float tensor `(B, P)`.
    """
    return tf.gather(logits, ids, batch_dims=2) - tf.reduce_logsumexp(logits, axis=-1)


def filled_texts(texts, starts, ends, tokens):
    """Puts tokens in the places of masks; what is around a mask stays as it was written.

    A token that goes on with a word ("##s") joins the word before, without the space between.

    Args:
        texts: string tensor `(B,)`, valid UTF-8.
        starts: ragged int32 tensor `(B, (P))`. The byte at which each mask begins.
        ends: ragged int32 tensor `(B, (P))`. Where it ends.
        tokens: string tensor `(masks, K)`, of the masks of all texts in one line.

    Returns:
        String tensor `(masks, K)`: the text of each mask with that mask filled.
    """
    texts = tf.gather(texts, starts.value_rowids())
    before = tf.strings.substr(texts, tf.zeros_like(starts.flat_values), starts.flat_values)
    after = tf.strings.substr(texts, ends.flat_values, tf.strings.length(texts) - ends.flat_values)
    goes_on = tf.strings.regex_full_match(tokens, "##.+")
    joined = tf.strings.regex_replace(before, r"[\s\p{Z}]+\z", "")
    before = tf.where(goes_on, joined[:, tf.newaxis], before[:, tf.newaxis])
    words = tf.where(goes_on, tf.strings.regex_replace(tokens, "^##", ""), tokens)
    return tf.strings.join([before, words, tf.broadcast_to(after[:, tf.newaxis], tf.shape(tokens))])


def mask_answers(masked, ids, scores, vocabulary: Sequence[str]) -> dict:
    """Lays what was found out as a server gives it.

    Args:
        masked: `MaskedTexts`.
        ids: int32 tensor `(B, P, K)`.
        scores: float tensor `(B, P, K)`.
        vocabulary: sequence of str, the tokens.

    Returns:
        dict: `token` and `filled` string, `score` float, all `(B, masks, K)`, filled up with `""` and 0, and
        `num_masks` `(B,)`. A text without [MASK] has none; one behind what a row holds does not count.
    """
    counts = masked.starts.row_lengths()
    is_mask = tf.sequence_mask(counts, tf.shape(ids)[1])
    tokens = tf.gather(tf.constant(vocabulary), tf.boolean_mask(ids, is_mask))  # (masks, K)
    found = {
        "token": tokens,
        "score": tf.boolean_mask(scores, is_mask),
        "filled": filled_texts(masked.texts, masked.starts, masked.ends, tokens),
    }
    dense = {name: masked.starts.with_values(part).to_tensor() for name, part in found.items()}
    return {**dense, "num_masks": tf.cast(counts, tf.int32)}
