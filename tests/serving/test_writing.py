"""Exports replace what may be replaced, appear whole or not at all, and hold what old servers know."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.serving import operations
from keras_bert.serving.saved_model import write_saved_model
from keras_bert.serving.signatures import Signature
from tests.classifiers import TEXTS, make_classifier, scores_of


def test_a_new_export_replaces_the_old_one(tmp_path):
    classifier = make_classifier()
    classifier.export(tmp_path / "1")
    classifier.logits_layer.bias.assign([3.0, -3.0])
    classifier.export(tmp_path / "1")
    loaded = tf.saved_model.load(tmp_path / "1")
    found = loaded.signatures["serving_default"](text=tf.constant(TEXTS))
    np.testing.assert_allclose(found["probabilities"], scores_of(classifier, TEXTS), atol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_a_directory_of_other_files_is_not_replaced(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="thesis.txt. Write to another directory"):
        make_classifier().export(tmp_path / "1")
    assert [path.name for path in tmp_path.rglob("*")] == ["1", "thesis.txt"]


@pytest.fixture
def small_model(tmp_path):
    """Writes a model of one addition, whose answer is the variable."""
    variable = tf.Variable(2.0)

    def write(value, answer=lambda texts: {"value": variable + 0.0}):
        variable.assign(value)
        (tmp_path / "new").mkdir()
        write_saved_model(tmp_path / "new", {"serving_default": Signature(answer, ["text"])}, [variable])
        return tf.saved_model.load(tmp_path / "new").signatures["serving_default"](text=tf.constant(["a"]))

    return write


def test_any_function_of_strings_is_written(small_model):
    assert float(small_model(3.0)["value"]) == 3.0


def test_a_failed_export_leaves_the_old_one_and_nothing_else(tmp_path, monkeypatch):
    classifier = make_classifier()
    classifier.export(tmp_path / "1")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def fail(module, directory, **kwargs):
        pathlib.Path(directory, "saved_model.pb").write_text("half a graph")
        raise OSError("No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        classifier.export(tmp_path / "1")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def forget(monkeypatch, *names):
    known = {name: of for name, of in operations.server_operations().items() if name not in names}
    monkeypatch.setattr(operations, "server_operations", lambda server: known)


def test_an_operation_that_old_servers_do_not_know_is_named(tmp_path, monkeypatch):
    forget(monkeypatch, "Softmax", "Tanh")
    with pytest.raises(
        ValueError, match=r"knows since 2.12.*Received: Softmax, Tanh. Rewrite what makes them"
    ):
        make_classifier().export(tmp_path / "1")
    assert list(tmp_path.iterdir()) == []


def test_operations_are_found_in_inner_functions(monkeypatch):
    @tf.function(input_signature=[tf.TensorSpec([None])])
    def graph(x):
        return tf.cond(tf.size(x) > 1, lambda: tf.math.erfinv(x), lambda: tf.math.betainc(x, x, x))

    graph = graph.get_concrete_function().graph.as_graph_def()
    assert operations.unknown_operations(graph) == []
    forget(monkeypatch, "Erfinv", "Betainc")
    assert operations.unknown_operations(graph) == ["Betainc", "Erfinv"]


def test_an_attribute_that_old_servers_do_not_know_is_named():
    node = tf.compat.v1.NodeDef(op="Relu")
    node.attr["T"].type = tf.float32.as_datatype_enum
    node.attr["_note"].b = True
    graph = tf.compat.v1.GraphDef(node=[node])
    assert operations.unknown_operations(graph) == []
    node.attr["leak"].f = 0.5
    assert operations.unknown_operations(tf.compat.v1.GraphDef(node=[node])) == ["Relu.leak"]


def test_a_packer_that_old_servers_do_not_know_is_refused_by_name(tmp_path):
    """KerasHub's packs pairs with it: its exports do not load before 2.20."""

    def answer(texts):
        values = tf.RaggedTensor.from_row_lengths(tf.strings.length(texts), tf.ones_like(texts, tf.int64))
        trimmed = tf_text.RoundRobinTrimmer(5).trim([values, values])
        return {"value": trimmed[0].to_tensor()}

    (tmp_path / "new").mkdir()
    with pytest.raises(ValueError, match=r"Received: TFText>RoundRobinTrim. Rewrite"):
        write_saved_model(tmp_path / "new", {"serving_default": Signature(answer, ["text"])}, [])
    assert operations.unknown_operations(operations.read_graph(tmp_path / "new"), "2.20") == []


def test_the_old_servers_lack_what_is_newer_than_they_are():
    old, new = (operations.server_operations(server) for server in operations.SERVERS)
    assert len(old) > 1000
    assert "TFText>RoundRobinTrim" in set(new) - set(old)
    assert old["MatMul"] < new["MatMul"]
