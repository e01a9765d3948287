"""Words and tags from tf.data give what lists of them give."""

import pytest
import tensorflow as tf

from tests.taggers import make_tagger


def words_in_graph(words, tags, *rest):
    ragged = (tf.ragged.constant(part, ragged_rank=1) for part in (words, tags))
    return tf.data.Dataset.from_tensor_slices((*ragged, *rest))


def test_a_dataset_of_words_gives_what_lists_give():
    tagger = make_tagger()
    words = [["a", "b"], ["c"] * 40, ["d", "e", "中国"]]
    tags = [["B-x", "I-x"], ["O"] * 40, ["O", "B-größe", "I-größe"]]
    weights, others = [1.0, 0.5, 2.0], ["f", "g h", ""]
    expected = tagger.evaluate(words, tags, sample_weight=weights, verbose=0, return_dict=True)
    dataset = words_in_graph(words, tags, weights)
    assert tagger.evaluate(dataset, verbose=0, return_dict=True) == pytest.approx(expected, abs=1e-6)
    assert tagger.evaluate(dataset.ragged_batch(2), verbose=0, return_dict=True) == pytest.approx(expected, abs=1e-6)
    expected = tagger.evaluate((words, others), tags, verbose=0, return_dict=True)
    pairs = tf.data.Dataset.zip(words_in_graph(words, tags), tf.data.Dataset.from_tensor_slices(others))
    pairs = pairs.map(lambda example, other: ((example[0], other), example[1]))
    assert tagger.evaluate(pairs, verbose=0, return_dict=True) == pytest.approx(expected, abs=1e-6)
    history = tagger.fit(pairs, epochs=2, batch_size=2, verbose=0).history
    assert tagger.pairs and history["loss"][1] < history["loss"][0]


@pytest.mark.parametrize(
    ("dataset", "error", "message"),
    [
        (tf.data.Dataset.from_tensor_slices((["a"], [["O"]])), ValueError, r"must give \(words, tags\) of a text"),
        (tf.data.Dataset.from_tensor_slices([["a"]]), ValueError, r"must give \(words, tags\) of a text"),
        (words_in_graph([["a"]], [["Z"]]), tf.errors.InvalidArgumentError, r"must be one of B-x, O.*Z"),
        (words_in_graph([["a", "b"]], [["O"]]), tf.errors.InvalidArgumentError, "Each word must have a tag"),
    ],
)
def test_datasets_of_other_things_are_refused(dataset, error, message):
    with pytest.raises(error, match=f"(?s){message}"):
        make_tagger(num_layers=1).fit(dataset, verbose=0)
