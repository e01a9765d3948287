"""Tagged words, or texts with their entities, to batches of windows."""

import operator
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
        x, others = x[0], tf.reshape(string_tensor(x[1], "texts[1]"), [-1])
        x = list(x) if isinstance(x, tuple) else x
    if isinstance(x, (list, np.ndarray)) and len(x) and isinstance(x[0], (list, tuple, np.ndarray)):
        bad = next((i for i, words in enumerate(x) if not _are_words(words)), None)
        if bad is not None:
            raise ValueError(f"Words must be a list of strings for each text. Received: {x[bad]!r:.80} in row {bad}.")
        words = tf.RaggedTensor.from_row_lengths(
            string_tensor([word for row in x for word in row]), [len(row) for row in x]
        )
        starts = words.with_values(tf.range(words.flat_values.shape[0]) - _first_of_row(words))
        parts, texts = (words, starts, starts + 1), None
    else:
        (texts,) = as_segments(x)
        parts = split_words(texts)
    if others is not None and len(others) != int(parts[0].nrows()):
        raise ValueError(f"There must be as many second segments. Received: {len(others)} for {parts[0].nrows()}.")
    return Words(*parts, others, texts)


def _are_words(words):
    return isinstance(words, (list, tuple, np.ndarray)) and all(isinstance(word, str) for word in words)


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
    if not isinstance(y, (list, tuple, np.ndarray)) or len(y) != rows:
        found = len(y) if isinstance(y, (list, tuple, np.ndarray)) else repr(y)[:40]
        raise ValueError(f"There must be labels for each text. Received: {found} for {rows}.")
    lengths, numbers = words.words.row_lengths().numpy(), {tag: i for i, tag in enumerate(tags)}
    sizes = None if words.texts is None else tf.strings.length(words.texts, unit="UTF8_CHAR").numpy()
    found = []
    for row, labels in enumerate(y):
        if not isinstance(labels, (list, tuple, np.ndarray)):
            raise ValueError(f"The labels of a text must be a list. Received: {labels!r:.80} in row {row}.")
        labels = list(labels)
        if words.texts is not None and (not labels or not isinstance(labels[0], str)):
            entities = [_entity(entity, int(sizes[row]), row) for entity in labels]
            labels = _tags_of_entities(entities, words.starts[row].numpy(), words.ends[row].numpy(), marks, row)
        if len(labels) != lengths[row]:
            raise ValueError(f"Each word must have a tag. Received: {len(labels)} for {lengths[row]} in row {row}.")
        unknown = [label for label in labels if not isinstance(label, str) or label not in numbers]
        if unknown:
            known = ", ".join(tags[:20])
            raise ValueError(f"A tag must be one of {known}. Received: {unknown[0]!r} in row {row}.")
        found.extend(numbers[label] for label in labels)
    return words.words.with_values(tf.constant(found, tf.int32))


def _entity(entity, size, row):
    try:
        label, start, end = (entity[k] for k in ("label", "start", "end")) if isinstance(entity, dict) else entity
        start, end = operator.index(start), operator.index(end)
    except (KeyError, TypeError, ValueError):
        label = None
    if not isinstance(label, str):
        raise ValueError(
            "An entity must be (label, start, end), in characters, or a dict of these. "
            f"Received: {entity!r:.80} in row {row}."
        )
    if not 0 <= start < end <= size:
        raise ValueError(
            f"An entity must be in its text. Received: {entity!r:.80} in row {row}, which has {size} characters. "
            "Correct its offsets."
        )
    return label, start, end


def _tags_of_entities(entities, starts, ends, marks, row):
    if marks is None:
        raise ValueError(f"Tags without a scheme are given for each word. Received: entities in row {row}.")
    tags = ["O"] * len(starts)
    for label, start, end in entities:
        held = np.flatnonzero((ends > start) & (starts < end))
        if not len(held):
            raise ValueError(
                f"An entity must hold a word. Received: {(label, start, end)!r} in row {row}. Correct its offsets."
            )
        taken = [place for place in held if tags[place] != "O"]
        if taken:
            raise ValueError(
                f"Entities must not overlap, nor share a word. Received: {(label, start, end)!r} in row {row}, "
                f"where {tags[taken[0]]} is already. Leave one of them out."
            )
        for place in held:
            tags[place] = f"{marks['inside']}-{label}"
        tags[held[-1]] = f"{marks['end'] or marks['inside']}-{label}"
        tags[held[0]] = f"{marks['single'] if len(held) == 1 else marks['begin']}-{label}"
    return tags


def words_of_dataset(dataset: tf.data.Dataset, tags: Sequence[str]) -> tuple[tf.data.Dataset, bool]:
    """Gives the words, tags and weights of a user's dataset, text by text.

    Args:
        dataset: `tf.data.Dataset` of (words `(N,)`, tags `(N,)`), both strings, with a sample weight or without; words
            may be a tuple of them and of a second segment. One text an element, or a ragged batch of them.
        tags: sequence of str. Those that are known.

    Returns:
        `tf.data.Dataset` of (words `(N,)`, numbers of tags `(N,)`, weight, second segment), and whether there are
        second segments.

    Raises:
        ValueError: a dataset of other things. Tags that are not known, or not as many as words, are refused when they
            are read.
    """
    spec = dataset.element_spec
    if not _gives_words(spec):
        raise ValueError(
            "A dataset must give (words, tags) of a text, two string tensors `(N,)`, or ragged batches of them; words "
            f"with a second segment are (words, other). Received: {spec}."
        )
    has_others = isinstance(spec[0], tuple)
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(list(tags), range(len(tags))), -1)
    known = ", ".join(tags[:20])

    @tf.autograph.experimental.do_not_convert
    def number(words, labels, weight=1.0):
        words, other = words if has_others else (words, "")
        found = tf.cast(table.lookup(labels), tf.int32)
        unknown = tf.boolean_mask(labels, found < 0)
        as_many = tf.debugging.Assert(
            tf.equal(tf.size(words), tf.size(labels)), ["Each word must have a tag. Received:", words, labels]
        )
        all_known = tf.debugging.Assert(
            tf.equal(tf.size(unknown), 0), [f"A tag must be one of {known}. Received:", unknown]
        )
        with tf.control_dependencies([as_many, all_known]):
            return words, tf.identity(found), tf.cast(weight, tf.float32), other

    words = spec[0][0] if has_others else spec[0]
    return (dataset.unbatch() if words.shape.rank == 2 else dataset).map(number, tf.data.AUTOTUNE), has_others


def _gives_words(spec):
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        return False
    words, other = spec[0] if isinstance(spec[0], tuple) and len(spec[0]) == 2 else (spec[0], None)
    parts = [words, spec[1]]
    if any(not isinstance(part, (tf.TensorSpec, tf.RaggedTensorSpec)) for part in parts):
        return False
    if words.shape.rank == 2 and not all(isinstance(part, tf.RaggedTensorSpec) for part in parts):
        return False
    if other is not None and (not isinstance(other, tf.TensorSpec) or other.dtype != tf.string):
        return False
    return words.shape.rank in (1, 2) and all(
        part.dtype == tf.string and part.shape.rank == words.shape.rank for part in parts
    )
