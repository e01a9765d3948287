"""What an operator finds beside the graph: a model card that is true, and requests that warm a server up."""

import json
import logging
import sys

import numpy as np
import pytest
import tensorflow as tf

import keras_bert
from keras_bert.serving import operator_files
from tests.classifiers import make_classifier
from tests.heads import MAKERS
from tests.labelers import make_labeler
from tests.served import Served


@pytest.fixture(scope="module", params=MAKERS)
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "1"
    model = MAKERS[request.param]()
    model.export(folder)
    return request.param, model, folder, json.loads((folder / "model_card.json").read_text("utf-8"))


def test_the_card_says_what_the_model_is(exported):
    name, model, _, card = exported
    assert card["model"] == name
    assert card["head"] == json.loads(json.dumps(model.head_config()))
    assert card["made_by"]["tensorflow"] == tf.__version__
    assert card["made_by"]["keras_bert"] == keras_bert.__version__
    assert len(card["weights_sha256"]) == 64


def test_the_card_lists_the_signatures_and_their_answers(exported):
    *_, folder, card = exported
    served = Served(folder)
    assert set(card["signatures"]) == set(served.signatures) - {"__saved_model_init_op"}
    for name, sides in card["signatures"].items():
        signature = served.signatures[name]
        for side, infos in (("inputs", signature.inputs), ("outputs", signature.outputs)):
            found = {key: tf.as_dtype(info.dtype).name for key, info in infos.items()}
            assert {key: part["dtype"] for key, part in sides[side].items()} == found
    (example,) = card["examples"]
    assert len(next(iter(example["inputs"].values()))) == 3
    for name, values in served.ask(example["signature"], **example["inputs"]).items():
        expected = example["outputs"][name]
        if values.dtype == object:
            assert tf.nest.flatten(values.tolist()) == [text.encode() for text in tf.nest.flatten(expected)]
        else:
            np.testing.assert_allclose(values, np.reshape(expected, values.shape), atol=1e-5)


def test_a_server_can_replay_the_warm_up(exported):
    log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    _, model, folder, _ = exported
    served, sizes, lengths = Served(folder), [], []
    for record in tf.data.TFRecordDataset(str(folder / "assets.extra" / "tf_serving_warmup_requests")):
        request = log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        assert request.model_spec.signature_name == "serving_default"
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        assert set(inputs) == set(served.signatures["serving_default"].inputs)
        served.ask(**inputs)
        sizes.append({len(texts) for texts in inputs.values()})
        lengths.append(sum(len(np.ravel(texts)[0].split()) for texts in inputs.values()))
    assert sizes == [{1}] * 65 + [{8}, {32}]
    assert lengths[0] < lengths[20] < lengths[63]
    assert lengths[64] >= model.preprocessor.sequence_length - len(inputs)


def test_without_its_package_the_export_is_whole_and_says_once_what_is_missing(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    operator_files._say_what_is_missing.cache_clear()
    classifier = make_classifier(num_layers=1)
    with caplog.at_level(logging.WARNING, "keras_bert"):
        for name in ("1", "2"):
            classifier.export(tmp_path / name)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "Exports hold no warm-up requests: tensorflow-serving-api is missing. Install the extra `serving` for them."
    ]
    assert (tmp_path / "2" / "model_card.json").exists()
    assert [path.name for path in (tmp_path / "2" / "assets.extra").iterdir()] == ["batching_parameters.txt"]


def test_metrics_and_weights_are_the_fitted_models(tmp_path):
    classifier = make_classifier(num_layers=1)
    classifier.export(tmp_path / "1")
    classifier.export(tmp_path / "2")
    history = classifier.fit(["a film", "a bore"], ["negative", "positive"], verbose=0).history
    classifier.export(tmp_path / "3")
    cards = [json.loads((tmp_path / name / "model_card.json").read_text("utf-8")) for name in "123"]
    assert cards[0]["metrics"] == {}
    assert cards[0]["weights_sha256"] == cards[1]["weights_sha256"] != cards[2]["weights_sha256"]
    assert cards[2]["metrics"] == {name: values[-1] for name, values in history.items()}


@pytest.mark.parametrize("maker", [make_classifier, make_labeler], ids=["classifier", "labeler"])
def test_a_bfloat16_export_is_half_as_large_and_tells_how_far_it_is(maker, tmp_path):
    model = maker()
    model.export(tmp_path / "1")
    model.export(tmp_path / "2", dtype="bfloat16")
    assert model.compute_dtype == "float32"
    card = json.loads((tmp_path / "2" / "model_card.json").read_text("utf-8"))
    assert card["compute_dtype"] == "bfloat16"
    plain, rounded = (Served(tmp_path / name) for name in "12")
    asked = card["examples"][0]["inputs"]
    answers, others = plain.ask(**asked), rounded.ask(**asked)
    apart = max(np.abs(answers[n] - others[n]).max() for n in answers if answers[n].dtype != object)
    assert card["differs_from"]["dtype"] == "float32"
    assert 0 < apart < 0.1 or maker is make_labeler
    assert card["differs_from"]["scores"] == pytest.approx(apart, rel=1e-3, abs=1e-6)
    sizes = [(tmp_path / name / "variables" / "variables.data-00000-of-00001").stat().st_size for name in "12"]
    assert sizes[1] < 0.75 * sizes[0]
