"""Documents to pairs of segments: which sentences an example of pre-training is made of."""

from typing import NamedTuple

import tensorflow as tf

NEXT_SENTENCE = ("nsp", "sop", "none")


class Documents(NamedTuple):
    """Some documents as flat tensors: `S` sentences of `D` documents, one after another.

    `sentence_starts` is int `(S + 1,)`, where each sentence's tokens begin, and the end of the last; `document_starts`
    int `(D + 1,)`, the number of each document's first sentence, and `S`.
    """

    sentence_starts: tf.Tensor
    document_starts: tf.Tensor


class Pairs(NamedTuple):
    """Examples as ranges of tokens, int `(E,)` each; without next sentences `second_size` is 0.

    `label` is 0 where the second segment followed the first, 1 where it did not.
    """

    first_begin: tf.Tensor
    first_size: tf.Tensor
    second_begin: tf.Tensor
    second_size: tf.Tensor
    label: tf.Tensor


def draw_pairs(
    documents: Documents,
    seed,
    *,
    size: int,
    next_sentence: str = "nsp",
    short_sequence_probability: float = 0.1,
) -> Pairs:
    """Cuts documents into runs of sentences and each run into two segments, of which half get another second one.

    As the original, but that an example always has a positive and a negative form, so that exactly half of them follow
    on average: a run has two sentences at least, a last sentence alone is taken with the one before it, and documents
    of one sentence are second segments only. Second segments that do not follow come from another document. Too long
    pairs lose tokens at the ends of the longer segment. A pure function of its arguments.

    Args:
        documents: `Documents`.
        seed: int tensor `(2,)`.
        size: int. Tokens of a pair at most, special tokens not counted.
        next_sentence: str, default "nsp". "sop": the second segment always follows, and half of the pairs are
            swapped; "none": one segment of as many whole sentences as fit.
        short_sequence_probability: float, default 0.1. Share of the runs that aim at a random smaller size.

    Returns:
        `Pairs`.

    Raises:
        ValueError: an unknown `next_sentence`.

    Example:
    >>> documents = Documents(tf.constant([0, 4, 9, 12, 20]), tf.constant([0, 2, 4]))
    >>> draw_pairs(documents, [0, 1], size=20, next_sentence="none", short_sequence_probability=0.0).first_size.numpy()
    array([ 9, 11], dtype=int32)

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), A.2; Lan et al., 2019
        (https://arxiv.org/abs/1909.11942) for "sop".
    """
    if next_sentence not in NEXT_SENTENCE:
        known = ", ".join(NEXT_SENTENCE)
        raise ValueError(
            f"`next_sentence` must be one of {known}. Received: next_sentence={next_sentence!r}."
        )
    starts, bounds = (tf.cast(tensor, tf.int32) for tensor in documents)
    # What is drawn at a sentence counts for the run that begins there.
    draws = tf.random.stateless_uniform((6, tf.size(starts)), seed)
    shorter = tf.cast(2 + tf.floor(draws[1] * float(size - 1)), tf.int32)
    targets = tf.where(draws[0] < short_sequence_probability, shorter, size)
    begin, cut, end, negative = _runs(starts, bounds, targets, draws[2], draws[3] < 0.5, next_sentence)
    draws = tf.gather(draws, begin, axis=1)
    if next_sentence == "none":
        first, second, label = (begin, end), (end, end), tf.zeros_like(begin)
    elif next_sentence == "sop":
        first = tf.where(negative, cut, begin), tf.where(negative, end, cut)
        second = tf.where(negative, begin, cut), tf.where(negative, cut, end)
        label = tf.cast(negative, tf.int32)
    else:
        aims = tf.gather(targets, begin) - (tf.gather(starts, cut) - tf.gather(starts, begin))
        other = _elsewhere(starts, bounds, begin, draws[4], aims)
        first = begin, cut
        second = tuple(tf.where(negative, *edges) for edges in zip(other, (cut, end), strict=True))
        label = tf.cast(negative, tf.int32)
    first, second = ((tf.gather(starts, low), tf.gather(starts, high)) for low, high in (first, second))
    return _fit(first, second, label, draws[5], size)


def _runs(starts, bounds, targets, places, negative, next_sentence):
    """Walks through the sentences: where each run begins, is cut in two, and ends, and whether it is a negative."""
    count = tf.size(starts) - 1
    document_of = tf.repeat(tf.range(tf.size(bounds) - 1), bounds[1:] - bounds[:-1])
    last = tf.gather(bounds, document_of + 1)  # the end of each sentence's document
    # The run that begins at a sentence ends where it has reached its target, or with the document.
    ends = tf.searchsorted(starts, starts[:-1] + targets[:-1])
    ends = tf.minimum(tf.maximum(ends, tf.range(count) + 1), last)
    if next_sentence == "none":  # nothing to cut: whole sentences, as many as fit
        ends = tf.searchsorted(starts, starts[:-1] + targets[:-1], side="right") - 1
        ends = tf.minimum(tf.maximum(ends, tf.range(count) + 1), last)
        begin = _walk(count, ends)
        return begin, tf.gather(ends, begin), tf.gather(ends, begin), tf.zeros_like(begin, tf.bool)
    first = tf.gather(bounds, document_of)
    place = tf.range(count)
    begins = tf.where(tf.equal(place + 1, last) & (place > first), place - 1, place)  # a last sentence alone
    ends = tf.where(tf.equal(last - ends, 1), last, tf.minimum(tf.maximum(ends, begins + 2), last))
    inner = tf.cast(ends - begins - 1, tf.float32)
    cuts = begins + 1 + tf.cast(tf.floor(places[:-1] * inner), tf.int32)
    cuts = tf.minimum(cuts, ends - 1)
    goes_back = negative[:-1] & tf.equal(begins, place) if next_sentence == "nsp" else tf.zeros((count,), tf.bool)
    at = _walk(count, tf.where(goes_back, cuts, ends))
    at = tf.boolean_mask(at, tf.gather(last - first, at) > 1)
    return (tf.gather(begins, at), tf.gather(cuts, at), tf.gather(ends, at), tf.gather(negative, at))


def _walk(count, following):
    """Lists the sentences that are come to from the first one: 0, following[0], following[following[0]], ..."""
    following = tf.maximum(following, tf.range(count) + 1)
    reached = tf.TensorArray(tf.int32, size=0, dynamic_size=True)
    _, _, reached = tf.while_loop(
        lambda at, steps, reached: at < count,
        lambda at, steps, reached: (following[at], steps + 1, reached.write(steps, at)),
        (tf.constant(0), tf.constant(0), reached),
    )
    return reached.stack()


def _elsewhere(starts, bounds, begin, draws, aims):
    """Draws sentences of other documents: where a run of about `aims` tokens begins and ends."""
    document_of = tf.repeat(tf.range(tf.size(bounds) - 1), bounds[1:] - bounds[:-1])
    own = tf.gather(document_of, begin)
    first = tf.gather(bounds, own)
    own_count = tf.gather(bounds, own + 1) - first
    others = tf.size(starts) - 1 - own_count
    low = tf.minimum(tf.cast(tf.floor(draws * tf.cast(others, tf.float32)), tf.int32), others - 1)
    low = tf.where(low >= first, low + own_count, low)
    high = tf.searchsorted(starts, tf.gather(starts, low) + tf.maximum(aims, 1))
    return low, tf.minimum(high, tf.gather(bounds, tf.gather(document_of, low) + 1))


def _fit(first, second, label, draws, size):
    """Takes tokens away from the longer segment, at both ends, until a pair fits."""
    sizes = [high - low for low, high in (first, second)]
    half = size // 2
    kept = [
        tf.minimum(mine, tf.maximum(size - other, half + extra * (size % 2)))
        for extra, mine, other in ((1, *sizes), (0, *sizes[::-1]))
    ]
    begins = [
        low + tf.cast(tf.floor(draws * tf.cast(mine - rest + 1, tf.float32)), tf.int32)
        for (low, _), mine, rest in zip((first, second), sizes, kept, strict=True)
    ]
    return Pairs(begins[0], kept[0], begins[1], kept[1], label)
