"""What BertClassifier says to input that cannot be used, and what it answers to input that is only odd."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.classifiers import TEXTS, VOCABULARY, make_classifier, make_preprocessor, scores_of

SLICES = tf.data.Dataset.from_tensor_slices
READY = {name: tensor.numpy() for name, tensor in make_preprocessor()(TEXTS).items()}
# Odd texts, and the ordinary ones that they read as. 12 pieces fit into a row.
ODD = {
    "nothing": ("", "[CLS] [SEP]"),
    "spaces": (" \t\r\n\u00a0\u3000 ", "[CLS] [SEP]"),
    "NUL": ("\0", "[CLS] [SEP]"),
    "NUL within a word": ("fi\0lm a\0", "[CLS] film a [SEP]"),
    "no UTF-8": (b"\xff\xfe", "[CLS] [SEP]"),
    "no UTF-8 between words": (b"a \xff film\xc3", "[CLS] a film [SEP]"),
    "lone surrogate": ("a \ud800film", "[CLS] a film [SEP]"),
    "unknown characters": ("\u4e2d\u6587 \U0001f600", "[CLS] [UNK] [UNK] [UNK] [SEP]"),
    "special tokens": ("[SEP]", "[CLS] [UNK] [UNK] [UNK] [SEP]"),
    "a megabyte of words": ("a film " * 150_000, f"[CLS] {'a film ' * 6}[SEP]"),
    "a megabyte in a word": ("a" * 1_000_000, "[CLS] [UNK] [SEP]"),
}


@pytest.fixture(scope="module")
def classifier():
    """Trained on single texts, so that two strings of a dataset are a text and a label."""
    classifier = make_classifier(pairs=False)
    classifier.compile(run_eagerly=True)
    return classifier


@pytest.fixture(scope="module")
def served(classifier, tmp_path_factory):
    path = tmp_path_factory.mktemp("odd") / "1"
    classifier.export(path)
    loaded = tf.saved_model.load(path)
    return lambda texts: loaded.signatures["serving_default"](text=tf.constant(texts))


@pytest.fixture(scope="module")
def expected(classifier):
    """The answers to rows written out in tokens."""
    rows = [[VOCABULARY.index(token) for token in tokens.split()] for _, tokens in ODD.values()]
    ids = tf.ragged.constant(rows, tf.int32)
    mask = tf.ones_like(ids)
    inputs = {"token_ids": ids, "segment_ids": tf.zeros_like(ids), "padding_mask": mask}
    logits = classifier({name: part.to_tensor() for name, part in inputs.items()})
    return classifier.activate(logits).numpy()


def test_odd_texts_are_answered_as_what_is_left_of_them(classifier, expected):
    texts = [text for text, _ in ODD.values()]
    np.testing.assert_allclose(classifier.predict(texts, verbose=0), expected, atol=1e-5)


def test_odd_texts_are_served_as_what_is_left_of_them(served, expected):
    # A client cannot send what is no Unicode as str.
    texts = [text.encode("utf-8", "ignore") if isinstance(text, str) else text for text, _ in ODD.values()]
    np.testing.assert_allclose(served(texts)["probabilities"], expected, atol=1e-5)


def test_odd_texts_are_served_one_by_one(served, expected):
    for place in (0, 2, 4):
        text = list(ODD.values())[place][0]
        np.testing.assert_allclose(served([text])["probabilities"], expected[place : place + 1], atol=1e-5)


def test_odd_texts_are_trained_on():
    classifier = make_classifier()
    classifier.compile(optimizer=keras.optimizers.SGD(0.1), run_eagerly=True)
    texts, odd = [text for text, _ in ODD.values()], (["", " "], ["", "\0"])
    loss = classifier.fit(texts, [0] * len(texts), batch_size=4, verbose=0).history["loss"]
    loss += classifier.fit(odd, [0, 1], verbose=0).history["loss"]
    assert np.isfinite(loss).all()
    assert np.isfinite(scores_of(classifier, TEXTS)).all()


NO_TEXTS = {
    "None": (None, r"`texts` must be strings. Received: None \(NoneType\)"),
    "a number": (3, r"`texts` must be strings. Received: 3 \(int\)"),
    "numbers": ([1, 2], r"Received: 1 \(int\) at index 0"),
    "an array of numbers": (np.array([1.5, 2.5]), r"Received: 1.5 \(float\) at index 0"),
    "None among texts": (["a", None], r"Received: None \(NoneType\) at index 1"),
    "a missing value of pandas": (
        np.array(["a", float("nan")], object),
        r"Received: nan \(float\) at index 1",
    ),
    "a tensor of numbers": (tf.constant([1, 2]), "Received: a tensor of int32"),
    "a table of texts": (np.array([["a", "b", "c"]]), r"Received: shape \(1, 3\)"),
    "a pair and half a pair": (
        [("a", "b"), ("a",)],
        r"Pairs must hold two texts. Received: \('a',\) at index 1",
    ),
    "a pair and a text": ([("a", "b"), "film"], "Pairs must hold two texts. Received: 'film' at index 1"),
    "pairs of different lengths": ((["a", "b"], ["a"]), "as many texts. Received: 2 and 1"),
    "three texts each": ((["a"], ["b"], ["c"]), r"one or two lists, \(a, b\). Received: 3"),
    "half an input": (
        {"token_ids": [[1]], "padding_mask": [[1]]},
        "Add segment_ids: the preprocessor makes them",
    ),
    "inputs of different shapes": (
        {"token_ids": [[1, 2]], "segment_ids": [[1]], "padding_mask": [[1]]},
        r"one shape, \(rows, tokens\). Received: .*\(1, 2\)",
    ),
    "half an input in a dataset": (SLICES({"token_ids": [[1]]}), "Add segment_ids, padding_mask"),
}


@pytest.mark.parametrize("name", NO_TEXTS)
def test_what_is_no_text_is_named(classifier, name):
    x, message = NO_TEXTS[name]
    with pytest.raises(ValueError, match=message):
        classifier.predict(x, verbose=0)
    if isinstance(x, tf.data.Dataset):
        x, y = tf.data.Dataset.zip((x, SLICES([0]))), None
    else:
        y = [0, 1]
    for use in (classifier.fit, classifier.evaluate):
        with pytest.raises(ValueError, match=message):
            use(x, y, verbose=0)
