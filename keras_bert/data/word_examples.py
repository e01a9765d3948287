"""Tagged words, or texts with their entities, to batches of windows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_bert.text.preprocessor import as_segments
from keras_bert.text.strings import string_tensor
from keras_bert.text.words import split_words


class Words(NamedTuple):
    """Texts, cut into words.

    Attributes:
        words: ragged string tensor `(n, (N))`.
        starts: ragged int32 tensor `(n, (N))`. Where each word begins: in characters of a text, or, in what came as
            words, which word it is.
        ends: ragged int32 tensor `(n, (N))`. Where it ends, exclusive.
        others: string tensor `(n,)`, the second segments; or None.
        texts: string tensor `(n,)`; or None in what came as words.
    """

    words: tf.RaggedTensor
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor
    others: tf.Tensor | None
    texts: tf.Tensor | None


def as_words(x) -> Words:
    """Cuts texts into words, or takes the words as they are.

    Args:
        x: list of str, list of lists of words, or a tuple of either and of as many other texts.

    Returns:
        `Words`.

    Raises:
        ValueError: what is no list of texts or words.
    """
    others = None
    if isinstance(x, tuple):
        if len(x) != 2:
            raise ValueError(f"A tuple must hold texts and their second segments. Received: {len(x)} parts.")
        x, others = x[0], string_tensor(x[1], "texts[1]")
    if isinstance(x, (list, np.ndarray)) and len(x) and isinstance(x[0], (list, tuple, np.ndarray)):
        bad = next((i for i, words in enumerate(x) if not all(isinstance(word, str) for word in words)), None)
        if bad is not None:
            raise ValueError(f"Words must be strings. Received: {list(x[bad])!r:.80} in row {bad}.")
        words = tf.RaggedTensor.from_row_lengths(
            tf.constant([word.encode("utf-8", "ignore") for row in x for word in row], tf.string),
            [len(row) for row in x],
        )
        starts = words.with_values(tf.range(words.flat_values.shape[0]) - _first_of_row(words))
        parts, texts = (words, starts, starts + 1), None
    else:
        (texts,) = as_segments(x)
        parts = split_words(texts)
    if others is not None and len(others) != int(parts[0].nrows()):
        raise ValueError(f"There must be as many second segments. Received: {len(others)} for {parts[0].nrows()}.")
    return Words(*parts, others, texts)


def _first_of_row(ragged):
    return tf.cast(tf.gather(ragged.row_starts(), ragged.value_rowids()), tf.int32)


def word_labels(words: Words, y: Sequence, tags: Sequence[str], marks: dict[str, str] | None) -> tf.RaggedTensor:
    """Turns tags of words, or entities of texts, into the number of each word's tag.

    Args:
        words: `Words`.
        y: for each text a list of tags, one a word; or, for what came as texts, a list of entities: (label, start,
            end) or dicts of these, in characters.
        tags: sequence of str.
        marks: dict of `begin`, `inside`, `end` and `single` to a prefix; None for tags that stand for themselves.

    Returns:
        Ragged int32 tensor `(n, (N))`.

    Raises:
        ValueError: a tag that is not known, entities that overlap or hold no word, with the row.
    """
    rows = int(words.words.nrows())
    if y is None or len(y) != rows:
        raise ValueError(f"There must be labels for each text. Received: {'none' if y is None else len(y)} for {rows}.")
    lengths, numbers = words.words.row_lengths().numpy(), {tag: i for i, tag in enumerate(tags)}
    found = []
    for row, labels in enumerate(y):
        labels = list(labels)
        if words.texts is not None and (not labels or not isinstance(labels[0], str)):
            spans = words.starts[row].numpy(), words.ends[row].numpy()
            labels = _tags_of_entities(labels, *spans, marks, row)
        if len(labels) != lengths[row]:
            raise ValueError(f"Each word must have a tag. Received: {len(labels)} for {lengths[row]} in row {row}.")
        unknown = next((label for label in labels if label not in numbers), None)
        if unknown is not None:
            known = ", ".join(tags[:20])
            raise ValueError(f"A tag must be one of {known}. Received: {unknown!r} in row {row}.")
        found.extend(numbers[label] for label in labels)
    return words.words.with_values(tf.constant(found, tf.int32))


def _tags_of_entities(entities, starts, ends, marks, row):
    if marks is None:
        raise ValueError(f"Tags without a scheme are given for each word. Received: entities in row {row}.")
    tags = ["O"] * len(starts)
    for entity in entities:
        parts = (entity["label"], entity["start"], entity["end"]) if isinstance(entity, dict) else entity
        label, start, end = parts
        held = np.flatnonzero((ends > start) & (starts < end))
        if not len(held):
            raise ValueError(f"An entity must hold a word. Received: {parts!r} in row {row}. Correct its offsets.")
        taken = [place for place in held if tags[place] != "O"]
        if taken:
            raise ValueError(
                "Entities must not overlap, nor share a word. "
                f"Received: {parts!r} in row {row}, where {tags[taken[0]]} is already. Leave one of them out."
            )
        for place in held:
            tags[place] = f"{marks['inside']}-{label}"
        tags[held[-1]] = f"{marks['end'] or marks['inside']}-{label}"
        tags[held[0]] = f"{marks['single'] if len(held) == 1 else marks['begin']}-{label}"
    return tags
