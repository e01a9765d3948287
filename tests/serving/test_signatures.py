"""Signatures as TF Serving's clients expect them, and refusals that name the input."""

import numpy as np
import pytest
import tensorflow as tf

from tests.choosers import make_chooser
from tests.classifiers import TEXTS, make_classifier
from tests.labelers import make_labeler
from tests.questions import MODELS, OTHERS
from tests.served import Served, examples_of


@pytest.fixture(scope="module")
def classifiers():
    return {name: make_classifier(**settings) for name, settings in MODELS.items()}


@pytest.fixture(scope="module")
def served(classifiers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("signatures")
    for name, classifier in classifiers.items():
        classifier.export(folder / name)
    return {name: Served(folder / name) for name in classifiers}


@pytest.mark.parametrize("name", ["single_label", "multi_label"])
def test_classify_gives_every_class_and_its_probability(served, classifiers, name):
    signature = served[name].signatures["classify"]
    assert signature.method_name == "tensorflow/serving/classify"
    assert signature.inputs["inputs"].dtype == tf.string.as_datatype_enum
    found = served[name].ask("classify", inputs=examples_of(text=TEXTS))
    classifier = classifiers[name]
    expected = [[label.encode() for label in classifier.labels]] * len(TEXTS)
    assert found["classes"].tolist() == expected
    np.testing.assert_allclose(found["scores"], classifier.predict(TEXTS, verbose=0), atol=1e-5)
    assert found["scores"].dtype == np.float32


def test_regress_gives_a_value_a_pair(served, classifiers):
    signature = served["regression"].signatures["regress"]
    assert signature.method_name == "tensorflow/serving/regress"
    pairs = {"text": TEXTS, "text_pair": OTHERS[: len(TEXTS)]}
    found = served["regression"].ask("regress", inputs=examples_of(**pairs))
    expected = classifiers["regression"].predict(tuple(pairs.values()), verbose=0)[:, 0]
    np.testing.assert_allclose(found["outputs"], expected, atol=1e-5)


def test_an_example_without_the_text_is_refused_by_name(served):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Feature: text .* is required"):
        served["single_label"].ask("classify", inputs=examples_of(body=["a film"]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Could not parse example input, value: 'no example'"):
        served["single_label"].ask("classify", inputs=[b"no example"])


def test_strings_are_asked_by_predict(served):
    for each in served.values():
        assert each.signatures["serving_default"].method_name == "tensorflow/serving/predict"


@pytest.mark.parametrize("bad", ["a film", [["a film"]]])
def test_what_is_no_batch_is_refused_by_name(served, bad):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"tensor \w*text\w* .* not compatible with .* \[\?\]"):
        served["single_label"].ask(text=bad)


def test_batches_of_unequal_size_are_refused_by_name(served, tmp_path):
    with pytest.raises(tf.errors.InvalidArgumentError, match="`text` and `text_pair` must have as many rows"):
        served["regression"].ask(text=["a", "b"], text_pair=["c"])
    make_labeler().export(tmp_path / "labeler")
    make_chooser().export(tmp_path / "chooser")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"`question` and `context` must have as many rows"):
        Served(tmp_path / "labeler").ask(question=["a"], context=["b", "c"])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"`context` and `question` and `choices` must have"):
        Served(tmp_path / "chooser").ask(context=["a"], question=["b"], choices=[["c", "d"], ["e", "f"]])


def test_the_two_signatures_share_one_graph(served, classifiers):
    library = served["single_label"].session.graph.as_graph_def().library
    count = sum(node.op == "MatMul" for function in library.function for node in function.node_def)
    assert count == 6 * len(classifiers["single_label"].encoder.blocks) + 2
