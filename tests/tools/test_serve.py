"""The server answers what the model predicts, by gRPC and by REST, in the form of TF Serving."""

import base64
import math
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.choosers import EXAMPLES, make_chooser
from tests.classifiers import TEXTS, make_classifier
from tests.embedders import make_embedder
from tests.labelers import CONTEXTS, QUESTIONS, make_labeler
from tests.masked import TEXTS as MASKED_TEXTS
from tests.masked import assert_fillings, make_masked_lm
from tests.servers import (
    TOOLS,
    Client,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    prediction_log_pb2,
    save_plain,
    served,
    tool,
)
from tests.taggers import TEXTS as TAGGED_TEXTS
from tests.taggers import make_tagger


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "plain"
    save_plain(folder / "12")
    return folder


@pytest.fixture(scope="module")
def plain(versions):
    with served(versions) as client:
        yield client


def assert_same(found, expected):
    """Numbers are float32 in one interface, the shortest decimals of it in the other."""
    assert set(found) == set(expected)
    for name, values in expected.items():
        if np.array(values).dtype.kind in "fi":
            np.testing.assert_allclose(found[name], values, rtol=1e-6, atol=0)
        else:
            assert found[name] == values, name


def decoded(values):
    if isinstance(values, list):
        return [decoded(value) for value in values]
    return values.decode() if isinstance(values, bytes) else values


def classifier_is_right(found, model, texts):
    expected = model.predict(texts, verbose=0)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)
    assert found["label"] == [model.labels[place] for place in expected.argmax(axis=1)]


def regression_is_right(found, model, texts, others):
    np.testing.assert_allclose(found["score"], model.predict((texts, others), verbose=0)[:, 0], atol=1e-5)


def labeler_is_right(found, model, questions, contexts):
    records = model.predict((questions, contexts), verbose=0)
    for name in ("answer", "start", "end"):
        assert found[name] == [record[name] for record in records]
    np.testing.assert_allclose(found["score"], [record["score"] for record in records], atol=1e-5)


def tagger_is_right(found, model, texts):
    records = model.predict(texts, verbose=0)
    assert found["num_entities"] == [len(entities) for entities in records]
    for row, entities in enumerate(records):
        for name, key in {"entity": "entity", "entity_label": "label", "entity_start": "start"}.items():
            assert found[name][row][: len(entities)] == [entity[key] for entity in entities]


def masked_lm_is_right(found, model, texts):
    assert_fillings(found, model.predict(texts, verbose=0), atol=1e-5)


def embedder_is_right(found, model, texts):
    np.testing.assert_allclose(found["embedding"], model.predict(texts, verbose=0), atol=1e-5)


def chooser_is_right(found, model, contexts, questions, choices):
    scores = model.predict((contexts, questions, choices), verbose=0)
    np.testing.assert_allclose(found["probabilities"], scores, atol=1e-5)
    assert found["answer"] == [row[place] for row, place in zip(choices, np.argmax(scores, axis=1))]


HEADS = {
    "classifier": (make_classifier, {}, {"text": TEXTS}, classifier_is_right),
    "span labeler": (make_labeler, {"num_layers": 1}, {"question": QUESTIONS, "context": CONTEXTS}, labeler_is_right),
    "token classifier": (make_tagger, {"num_layers": 1}, {"text": TAGGED_TEXTS}, tagger_is_right),
    "masked LM": (make_masked_lm, {"num_layers": 1}, {"text": MASKED_TEXTS}, masked_lm_is_right),
    "embedder": (make_embedder, {"num_layers": 1}, {"text": TEXTS}, embedder_is_right),
    "multiple choice": (
        make_chooser,
        {"num_layers": 1},
        dict(zip(("context", "question", "choices"), EXAMPLES)),
        chooser_is_right,
    ),
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.filterwarnings("ignore:.*questions are longer")
def test_every_head_is_asked_by_grpc_and_by_rest(tmp_path, head):
    make, arguments, inputs, is_right = HEADS[head]
    model = make(**arguments)
    model.export(tmp_path / "head" / "1")
    with served(tmp_path / "head") as client:
        by_grpc = {name: decoded(values) for name, values in client.predict(inputs).items()}
        is_right(by_grpc, model, *inputs.values())
        status, columns = client.rest({"inputs": inputs})
        assert status == 200
        only = next(iter(by_grpc)) if len(by_grpc) == 1 else None
        outputs = {only: columns["outputs"]} if only else columns["outputs"]
        assert_same(by_grpc, outputs)
        rows = [dict(zip(inputs, row)) for row in zip(*inputs.values())]
        status, found = client.rest({"instances": rows})
        assert status == 200
        predictions = [{only: row} for row in found["predictions"]] if only else found["predictions"]
        assert {name: [row[name] for row in predictions] for name in predictions[0]} == outputs
        if len(inputs) == 1:
            assert client.rest({"instances": next(iter(inputs.values()))})[1] == found


def test_rest_writes_what_is_asked_as_tf_serving_does(plain):
    asked = {"text": ["a", "中"], "text_pair": ["bc", ""]}
    status, found = plain.rest({"inputs": asked})
    assert status == 200
    outputs = found["outputs"]
    assert outputs["joined"] == ["a+bc", "中+"]
    assert outputs["joined_bytes"] == [{"b64": base64.b64encode(text.encode()).decode()} for text in outputs["joined"]]
    assert outputs["length"] == [4, 4]
    assert outputs["odd"][0][0] == 0.2  # and not 0.20000000298
    assert math.isnan(outputs["odd"][1][1])
    assert outputs["odd"][1][2] == -math.inf
    rows = [{"text": "a", "text_pair": "bc"}, {"text": {"b64": "5Lit"}, "text_pair": ""}]
    status, in_rows = plain.rest({"instances": rows, "signature_name": ""}, "/versions/12:predict")
    assert [row["joined"] for row in in_rows["predictions"]] == ["a+bc", "中+"]
    assert list(in_rows["predictions"][0]) == list(outputs)
    assert plain.rest({"signature_name": "echo", "instances": ["a", "b"]})[1] == {"predictions": ["a", "b"]}
    assert plain.rest({"signature_name": "echo", "inputs": ["a"]})[1] == {"outputs": ["a"]}
    body = {"signature_name": "product", "inputs": {"pairs": [[2, 3.5], [1, 1]], "negate": True}}
    assert plain.rest(body)[1] == {"outputs": [-0.7, -0.1]}


def test_bytes_that_are_no_text_reach_the_model_and_come_back_as_replacements(plain):
    text = b"a\xff\0b"
    by_grpc = plain.predict({"text": [text], "text_pair": [b""]})
    assert by_grpc["joined"] == [text + b"+"]
    for encoded in (b'"a\xff\\u0000b"', b'{"b64": "%s"}' % base64.b64encode(text)):
        status, found = plain.rest(b'{"instances": [{"text": %s, "text_pair": ""}]}' % encoded)
        assert status == 200
        (row,) = found["predictions"]
        assert base64.b64decode(row["joined_bytes"]["b64"]) == text + b"+"
        assert row["joined"] == "a\ufffd\0b+"


def test_grpc_names_model_version_and_signature_and_filters_outputs(plain):
    asked = {"text": ["a"], "text_pair": ["b"]}
    assert plain.predict(asked, ["length"], version=12) == {"length": [3]}
    answered = plain.answered
    assert (answered.name, answered.version.value, answered.signature_name) == ("plain", 12, "serving_default")
    assert plain.predict({"text": ["x"]}, signature_name="echo") == {"echo": [b"x"]}
    assert plain.answered.signature_name == "echo"


@pytest.mark.parametrize("context", [None, {"text": [b"abcd"]}])
def test_examples_are_classified_and_regressed(plain, context):
    examples = [{"text": [b"abc"]}, {"text": ["中".encode()]}] if context is None else [{}, {"other": [b"x"]}]
    value = 0.3 if context is None else 0.4
    (row, second) = plain.classify(examples, context=context, signature_name="classify")
    assert [label for label, _ in row] == ["größer", "\ufffd"]
    np.testing.assert_allclose([score for _, score in row], [value, -value], rtol=1e-6)
    assert row == second
    body = {"signature_name": "classify", "examples": [{"text": "abc"}, {"text": ["中"]}]}
    if context is not None:
        body |= {"context": {"text": {"b64": "YWJjZA=="}}, "examples": [{}, {"other": 1.5}]}
    status, found = plain.rest(body, ":classify")
    assert status == 200
    assert found == {"results": [[["größer", value], ["\ufffd", -value]]] * 2}
    for name in ("regress", "regress_column"):
        by_grpc = plain.regress(examples, context=context, signature_name=name)
        np.testing.assert_allclose(by_grpc, [value] * 2, rtol=1e-6)
        assert plain.rest(body | {"signature_name": name}, ":regress") == (200, {"results": [value] * 2})


def test_metadata_and_status_say_what_is_served(plain, versions):
    request = plain.spec(get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]))
    response = plain.stub.GetModelMetadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    assert response.model_spec.version.value == 12
    loaded = tf.saved_model.load(str(versions / "12")).signatures
    assert set(signatures.signature_def) == set(loaded)
    status, found = plain.rest(path="/metadata")
    assert status == 200
    assert found["model_spec"] == {"name": "plain", "version": "12", "signature_name": ""} | found["model_spec"]
    default = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    assert default["inputs"]["text"]["dtype"] == "DT_STRING"
    assert [dim["size"] for dim in default["inputs"]["text"]["tensor_shape"]["dim"]] == ["-1"]
    response = plain.models.GetModelStatus(plain.spec(get_model_status_pb2.GetModelStatusRequest()))
    (state,) = response.model_version_status
    assert (state.version, state.state, state.status.error_code) == (12, state.AVAILABLE, 0)
    expected = {"version": "12", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert plain.rest(path="") == (200, {"model_version_status": [expected]})
    assert plain.rest(path="/versions/12") == (200, {"model_version_status": [expected]})


def test_a_version_or_the_highest_of_many_is_served(tmp_path, versions):
    for version in ("2", "12", "x"):
        os.makedirs(tmp_path / "many" / version)
    for file in ("saved_model.pb", "variables"):
        os.symlink(versions / "12" / file, tmp_path / "many" / "2" / file)
        os.symlink(versions / "12" / file, tmp_path / "many" / "x" / file)
    find = tool("served_model").version_directory
    assert find(tmp_path / "many").name == "2"  # 12 is empty, "x" no number
    assert find(tmp_path / "many" / "2").name == "2"
    os.symlink(versions / "12" / "saved_model.pb", tmp_path / "many" / "12" / "saved_model.pb")
    assert find(tmp_path / "many").name == "12"
    for wrong in (tmp_path, tmp_path / "many" / "x", tmp_path / "absent"):
        with pytest.raises(ValueError, match="must stand in a directory whose name is its version"):
            find(wrong)


def warm_up_file(directory, logs):
    (directory / "assets.extra").mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(directory / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        for log in logs:
            writer.write(log if isinstance(log, bytes) else log.SerializeToString())


def test_warm_up_requests_are_answered_first(tmp_path):
    directory = tmp_path / "plain" / "1"
    save_plain(directory)
    predict, classify, regress = (prediction_log_pb2.PredictionLog() for _ in range(3))
    predict.predict_log.request.model_spec.name = "another"
    for name in ("text", "text_pair"):
        predict.predict_log.request.inputs[name].CopyFrom(tf.make_tensor_proto(["a"]))
    for log, name in ((classify.classify_log, "classify"), (regress.regress_log, "regress")):
        log.request.model_spec.signature_name = name
        log.request.input.example_list.examples.add().features.feature["text"].bytes_list.value.append(b"a")
    Server = tool("model_server").Server
    warm_up_file(directory, [predict, classify, regress])
    with Server(directory) as server:
        assert server.warmed_up == 3
    for bad in (prediction_log_pb2.PredictionLog(), b"\xff", regress_of_nothing()):
        warm_up_file(directory, [predict, bad])
        with pytest.raises(ValueError, match="Every warm-up request must be answered.*request 2 is not"):
            Server(directory)
    with Server(directory, warm_up=False) as server:
        assert server.warmed_up == 0


def regress_of_nothing():
    log = prediction_log_pb2.PredictionLog()
    log.regress_log.request.model_spec.signature_name = "regress"
    return log


def test_a_process_serves_until_it_is_told_to_stop(versions):
    command = [sys.executable, str(TOOLS / "serve.py"), str(versions), "--grpc-port", "0", "--rest-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            ready = re.fullmatch(r"Ready: plain, version 12, .* gRPC: (127\.0\.0\.1:\d+)\. REST: (http://\S+)\n", line)
            assert ready, line + process.stderr.read()
            with Client(*ready.groups()) as client:
                assert client.predict({"text": ["x"]}, signature_name="echo") == {"echo": [b"x"]}
                assert client.rest({"signature_name": "echo", "instances": ["x"]}) == (200, {"predictions": ["x"]})
            process.send_signal(signal.SIGTERM)
            rest, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert rest == "Stopped.\n", errors
    assert process.returncode == 0, errors


def test_what_cannot_be_served_is_an_error_with_a_remedy(tmp_path, versions, capsys, monkeypatch):
    serve = tool("serve")
    tool("model_server")  # which `main` imports

    def error_of(*argv):
        with pytest.raises(SystemExit):
            serve.main(list(map(str, argv)))
        return " ".join(capsys.readouterr().err.split())

    assert "must stand in a directory whose name is its version" in error_of(tmp_path)
    (tmp_path / "broken" / "1").mkdir(parents=True)
    (tmp_path / "broken" / "1" / "saved_model.pb").write_bytes(b"\xff")
    assert "must hold a SavedModel with the tag `serve`" in error_of(tmp_path / "broken")
    assert "must be at least 1 and below 2048" in error_of(versions, "--max-request-megabytes", 0)
    with served(versions) as client:
        taken = client.rest_address.port
        assert "The port for REST must be free" in error_of(versions, "--grpc-port", 0, "--rest-port", taken)
        assert "The port for gRPC must be free" in error_of(versions, "--grpc-port", taken)
    monkeypatch.syspath_prepend(str(TOOLS))  # as where it is run
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorflow_serving"]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("model_server", "serving_grpc", "serving_json", "serving_requests", "serving_rest"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    said = error_of(versions)
    assert "import of tensorflow_serving" in said
    assert 'pip install ".[serving]"' in said


def test_help_says_what_it_is_for(capsys):
    with pytest.raises(SystemExit):
        tool("serve").main(["--help"])
    assert "production is TF Serving's" in capsys.readouterr().out


def test_requests_at_the_same_time_get_their_own_answers(plain):
    calls = []
    for place in range(200):
        request = plain.spec(predict_pb2.PredictRequest(), signature_name="echo")
        request.inputs["text"].CopyFrom(tf.make_tensor_proto([f"{place}"] * (place % 7 + 1)))
        calls.append(plain.stub.Predict.future(request))
    for place, call in enumerate(calls):
        assert tf.make_ndarray(call.result().outputs["echo"]).tolist() == [b"%d" % place] * (place % 7 + 1)
