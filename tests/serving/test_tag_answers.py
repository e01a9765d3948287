"""The best valid sequence of tags against a search of all, and entities against those of the metrics."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.metrics import tag_entities
from keras_bert.metrics.entities import SCHEMES
from keras_bert.serving.tag_answers import best_tags, entities, tag_rules, word_tags

LABELS = ("a", "b-c")


def tags_of(scheme):
    marks = dict.fromkeys(mark for mark in SCHEMES[scheme].values() if mark)
    return ["B-a", "O", *(f"{mark}-{label}" for mark in marks for label in LABELS if (mark, label) != ("B", "a"))]


def is_valid(tags, scheme):
    """Whether every tag but O is in an entity."""
    held = {word for _, start, end in tag_entities(tags, scheme) for word in range(start, end)}
    return held == {word for word, tag in enumerate(tags) if tag != "O"}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_best_valid_sequence_is_found(scheme):
    tags = tags_of(scheme)
    rng = np.random.default_rng(6)
    lengths = np.array([4, 0, 1, 3, 2, 4])
    logs = np.log(rng.dirichlet(np.full(len(tags), 0.4), size=(len(lengths), 4)) + 1e-6).astype("float32")
    rules = tag_rules(tags, SCHEMES[scheme])
    found = tf.function(lambda x, n: best_tags(x, n, rules))(logs, lengths).numpy()
    changed = 0
    for row, length in enumerate(lengths):
        ways = itertools.product(range(len(tags)), repeat=int(length))
        valid = [way for way in ways if is_valid([tags[i] for i in way], scheme)]
        best = max(valid, key=lambda way: sum(logs[row, n, i] for n, i in enumerate(way)))
        assert tuple(found[row, :length]) == best
        assert (found[row, length:] == 0).all()
        changed += best != tuple(logs[row, :length].argmax(axis=1))
    assert changed >= 2


def test_tags_without_a_scheme_stand_for_themselves():
    logits = np.random.default_rng(1).normal(size=(5, 3)).astype("float32")
    words = tf.RaggedTensor.from_row_lengths(np.zeros(5), [3, 0, 2])
    is_said = np.array([True, True, False, True, True])
    tags, scores = word_tags(logits, is_said, words, tag_rules("xyz", None), outside=1)
    assert tags.numpy().tolist() == [*logits[:2].argmax(axis=1), 1, *logits[3:].argmax(axis=1)]
    expected = np.where(is_said, np.exp(logits).max(axis=1) / np.exp(logits).sum(axis=1), 0)
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    numbers = tf.range(5)
    found = entities(tags, scores, words, numbers, numbers + 1, "xyz", None)
    assert [len(row) for row in found["start"].to_list()] == [3, 0, 2]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_entities_are_those_of_the_metrics(scheme):
    tags = tags_of(scheme)
    rng = np.random.default_rng(2)
    lengths = [7, 0, 1, 12]
    rules = tag_rules(tags, SCHEMES[scheme])
    logits = rng.normal(size=(sum(lengths), len(tags))).astype("float32") * 3
    words = tf.RaggedTensor.from_row_lengths(np.arange(20, dtype="int32"), lengths)
    chosen, scores = word_tags(logits, np.ones(20, bool), words, rules, outside=1)
    first = tf.cast(tf.gather(words.row_starts(), words.value_rowids()), tf.int32)
    places = tf.range(20) - first
    found = entities(chosen, scores, words, places, places + 1, tags, SCHEMES[scheme])
    by_row = words.with_values(chosen).to_list(), words.with_values(scores).to_list()
    count = 0
    for row, (numbers, probabilities) in enumerate(zip(*by_row, strict=True)):
        expected = tag_entities([tags[number] for number in numbers], scheme)
        columns = (found[name][row].numpy().tolist() for name in ("label", "start", "end"))
        assert [(label.decode(), *places) for label, *places in zip(*columns, strict=True)] == expected
        means = [np.mean(probabilities[start:end]) for _, start, end in expected]
        np.testing.assert_allclose(found["score"][row], means, atol=1e-6)
        count += len(expected)
    assert count >= 4
