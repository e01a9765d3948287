"""From a tag's probabilities for each word to valid sequences of tags and to entities, in the graph."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

_NEVER = -1e9


def tag_rules(tags: Sequence[str], marks: dict[str, str] | None) -> tuple:
    """Tells which sequences of tags a scheme allows.

    Args:
        tags: sequence of str, `C` tags.
        marks: dict of `begin`, `inside`, `end` and `single` to the prefix that means it, `""` for none; None for tags
            that stand for themselves.

    Returns:
        Three bool arrays: may begin a text `(C,)`, may follow another `(C, C)`, from the first to the second, may end
        a text `(C,)`.
    """
    if marks is None:
        return np.ones(len(tags), bool), np.ones((len(tags), len(tags)), bool), np.ones(len(tags), bool)
    parts = [tag.partition("-")[::2] if tag != "O" else ("O", "") for tag in tags]
    goes_on = {marks["inside"], marks["end"]} - {""}
    # Where a scheme marks ends, what has begun must end.
    is_open = [marks["end"] != "" and mark in {marks["begin"], marks["inside"]} for mark, _ in parts]
    first = np.array([mark not in goes_on for mark, _ in parts])
    follows = np.zeros((len(tags), len(tags)), bool)
    for i, (mark, label) in enumerate(parts):
        for j, (following, other) in enumerate(parts):
            continues = following in goes_on and label == other and mark in {marks["begin"], marks["inside"]}
            follows[i, j] = continues or (following not in goes_on and not is_open[i])
    return first, follows, ~np.array(is_open)


def best_tags(log_probabilities, lengths, rules: tuple):
    """Finds the most probable sequence of tags that the rules allow (Viterbi).

    Args:
        log_probabilities: float tensor `(B, N, C)`.
        lengths: int tensor `(B,)`. Words of each text.
        rules: three bool arrays, as `tag_rules` gives them.

    Returns:
        int32 tensor `(B, N)`; 0 behind the text.
    """
    first, follows, last = (tf.where(rule, 0.0, _NEVER) for rule in rules)
    lengths = tf.cast(lengths, tf.int32)
    shape = tf.shape(log_probabilities)
    rows, count, classes = shape[0], shape[1], log_probabilities.shape[-1]
    by_word = tf.transpose(log_probabilities, [1, 0, 2])  # (N, B, C)
    unchanged = tf.broadcast_to(tf.range(classes), [rows, classes])

    def forward(n, scores, came_from):
        ways = scores[:, :, tf.newaxis] + follows
        is_word = (n < lengths)[:, tf.newaxis]
        best = tf.argmax(ways, axis=1, output_type=tf.int32)
        scores = tf.where(is_word, tf.reduce_max(ways, axis=1) + by_word[n], scores)
        return n + 1, scores, came_from.write(n, tf.where(is_word, best, unchanged))

    def backward(n, tag, tags):
        tags = tags.write(n, tag)
        return n - 1, tf.gather(came_from.read(n), tag, batch_dims=1), tags

    start = tf.concat([by_word, tf.zeros([1, rows, classes])], 0)[0] + first
    came_from = tf.TensorArray(tf.int32, tf.maximum(count, 1), element_shape=(None, classes), clear_after_read=False)
    came_from = came_from.write(0, unchanged)
    _, scores, came_from = tf.while_loop(lambda n, *_: n < count, forward, (1, start, came_from))
    tags = tf.TensorArray(tf.int32, tf.maximum(count, 1), element_shape=(None,))
    tag = tf.argmax(scores + last, axis=1, output_type=tf.int32)
    _, _, tags = tf.while_loop(lambda n, *_: n >= 0, backward, (tf.maximum(count, 1) - 1, tag, tags))
    tags = tf.transpose(tags.stack())[:, :count]
    return tf.where(tf.sequence_mask(lengths, count), tags, 0)


def word_tags(logits, is_said, words, rules: tuple, outside: int) -> tuple:
    """Gives every word its tag.

    Args:
        logits: float tensor `(words, C)`, of all words in one line.
        is_said: bool tensor `(words,)`. Of the others nothing is known.
        words: ragged tensor `(B, (N))`; its values are not read.
        rules: three bool arrays, as `tag_rules` gives them.
        outside: int. The tag of a word of which nothing is known, where it is allowed.

    Returns:
        Two tensors `(words,)`: int32 tags, and the probability of each.
    """
    logs = tf.nn.log_softmax(logits)
    nothing = tf.one_hot(outside, logits.shape[-1], 0.0, -1e3)
    known = tf.where(is_said[:, tf.newaxis], logs, nothing)
    lengths = tf.cast(words.row_lengths(), tf.int32)
    dense = words.with_values(known).to_tensor(shape=[None, None, logits.shape[-1]])  # (B, N, C)
    tags = best_tags(dense, lengths, rules)
    tags = tf.boolean_mask(tags, tf.sequence_mask(lengths, tf.shape(tags)[1]))
    chosen = tf.gather(tf.exp(logs), tags, batch_dims=1)
    return tags, tf.where(is_said, chosen, 0.0)


def entities(tags, probabilities, words, begins, stops, names: Sequence[str], marks: dict[str, str] | None) -> dict:
    """Joins the words of each entity.

    Args:
        tags: int32 tensor `(words,)`, a valid sequence for each text.
        probabilities: float tensor `(words,)`.
        words: ragged tensor `(B, (N))`; its values are not read.
        begins: int32 tensor `(words,)`. Where each word begins.
        stops: int32 tensor `(words,)`. Where it ends.
        names: sequence of str, `C` tags.
        marks: dict, as `tag_rules` takes it; None: every word is one.

    Returns:
        dict of ragged tensors `(B, (E))`: `label`, `start`, `end`, and `score`, the mean of the words' probabilities.
    """
    if marks is None:
        is_in = opens = np.ones(len(names), bool)
        labels = list(names)
    else:
        is_in = np.array([name != "O" for name in names])
        opens = np.array([name.partition("-")[0] in {marks["begin"], marks["single"]} for name in names])
        labels = [name.partition("-")[2] for name in names]
    is_in, opens = tf.gather(tf.constant(is_in), tags), tf.gather(tf.constant(opens), tags)
    number = tf.cumsum(tf.cast(opens, tf.int32)) - 1
    count = tf.reduce_sum(tf.cast(opens, tf.int32))
    members, part = tf.boolean_mask(number, is_in), tf.where(is_in)[:, 0]
    row = tf.boolean_mask(tf.cast(words.value_rowids(), tf.int64), opens)
    found = {
        "label": tf.gather(tf.constant(labels), tf.boolean_mask(tags, opens)),
        "start": tf.boolean_mask(begins, opens),
        "end": tf.math.unsorted_segment_max(tf.gather(stops, part), members, count),
        "score": tf.math.unsorted_segment_mean(tf.gather(probabilities, part), members, count),
    }
    rows = words.nrows()
    return {name: tf.RaggedTensor.from_value_rowids(value, row, rows) for name, value in found.items()}


def entity_answers(texts, found: dict) -> dict:
    """Lays the entities of texts out as a server gives them.

    Args:
        texts: string tensor `(B,)`.
        found: dict, as `entities` gives it, with places in characters.

    Returns:
        dict: `entity` and `entity_label` string `(B, E)`, `entity_start`, `entity_end`, `entity_score` `(B, E)`,
        filled up with `""` and 0, and `num_entities` `(B,)`.
    """
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
    start, end = found["start"], found["end"]
    text = tf.gather(texts, start.value_rowids())
    text = tf.strings.substr(text, start.flat_values, end.flat_values - start.flat_values, unit="UTF8_CHAR")
    dense = {f"entity_{name}": value.to_tensor() for name, value in found.items()}
    return {
        "entity": start.with_values(text).to_tensor(),
        **dense,
        "num_entities": tf.cast(start.row_lengths(), tf.int32),
    }
