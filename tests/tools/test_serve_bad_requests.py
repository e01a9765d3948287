"""Nothing that a client sends breaks the server: an answer, or an error that says what was wrong; then the next one."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.classifiers import make_classifier
from tests.servers import (
    TOOLS,
    Client,
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    grpc,
    inference_pb2,
    model_service_pb2_grpc,
    save_plain,
    served,
)

MOST_MEGABYTES = 24
TEXTS = ["", " \t", "a\0b", b"\xff a\xfe", "é" * 300, "中文 film", "[SEP] a [CLS]", "a film " * 1000]


@pytest.fixture(scope="module")
def plain_server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("served") / "plain" / "3"
    save_plain(directory)
    with served(directory, most_bytes=MOST_MEGABYTES << 20) as client:
        yield client


@pytest.fixture
def plain(plain_server):
    """The server, which must still answer when the test is over."""
    yield plain_server
    assert plain_server.predict({"text": ["x"]}, signature_name="echo") == {"echo": [b"x"]}
    assert plain_server.rest({"signature_name": "echo", "instances": ["x"]}) == (200, {"predictions": ["x"]})


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    directory = tmp_path_factory.mktemp("served") / "classifier"
    make_classifier().export(directory / "1")
    return directory


@pytest.fixture(scope="module")
def classifier(exported):
    with served(exported) as client:
        yield client


@contextlib.contextmanager
def grpc_error(code, match):
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert caught.value.code() == code, caught.value.details()
    assert re.search(match, caught.value.details()), caught.value.details()


def tensor(values, dtype=tf.string):
    return tf.make_tensor_proto(values, dtype)


def promised(size, values=(b"a",)):
    """A tensor of few values that says it has many."""
    proto = tensor(list(values))
    proto.tensor_shape.dim[0].size = size
    return proto


def of_content(content, dtype=tf.float32):
    """A tensor whose bytes are not as many as its shape needs."""
    proto = tf.make_tensor_proto(np.ones([1, 2], "float32"))
    proto.tensor_content, proto.dtype = content, dtype.as_datatype_enum
    return proto


PAIR = {"text": ["a", "b"], "text_pair": ["c", "d"]}
BAD_TENSORS = {
    "a scalar": (PAIR | {"text": tensor("a")}, "", "`text` must be a batch.*a scalar"),
    "two scalars": ({"text": tensor("a"), "text_pair": tensor("b")}, "", "`text.*` must be a batch.*a scalar"),
    "a table": (PAIR | {"text": [["a", "b"]]}, "", r"`text` must be a batch.*shape \(1, 2\)"),
    "numbers": (PAIR | {"text": tensor([1, 2], tf.int32)}, "", "`text` must be of type string.*int32"),
    "missing": ({"text": ["a"]}, "", "must be text, text_pair.*missing 'text_pair'"),
    "nothing": ({}, "", "missing 'text', 'text_pair'"),
    "one too many": (PAIR | {"x": ["a", "b"]}, "", "unknown 'x'"),
    "unequal": (PAIR | {"text_pair": ["c"]}, "", "as many rows.*text 2, text_pair 1"),
    "an unequal empty one": (PAIR | {"text_pair": []}, "", "as many rows.*text 2, text_pair 0"),
    "terabytes that are promised": (PAIR | {"text": promised(1 << 40)}, "", "`text` must be a tensor that has a value"),
    "a negative size": (PAIR | {"text": promised(-7)}, "", "`text` must be a tensor that has a value"),
    "an unknown size": (PAIR | {"text": promised(-1)}, "", "`text` must be a tensor that has a value"),
    "too many values": ({"text": promised(1, [b"a", b"b"])}, "echo", "`text` must be a tensor that has a value"),
    "of no type": (PAIR | {"text": tf.compat.v1.make_tensor_proto([0]).__class__()}, "", "`text` must be a tensor"),
    "a float too few": (
        {"pairs": of_content(b"\0" * 4), "negate": tensor(True, tf.bool)},
        "product",
        "`pairs` must be a tensor",
    ),
    "strings as content": ({"text": of_content(b"\0" * 8, tf.string)}, "echo", "`text` must be a tensor"),
    "a resource": ({"text": of_content(b"\0" * 8, tf.resource)}, "echo", "`text` must be a tensor.*type resource"),
    "another width": (
        {"pairs": tensor([[1, 2, 3]], tf.float32), "negate": tensor(True, tf.bool)},
        "product",
        r"`pairs` must be a batch, of shape \(any, 2\).*\(1, 3\)",
    ),
    "no signature of that name": (PAIR, "nonsense", "must be one of the model's.*'nonsense'.*classify, echo"),
    "a very long name": (PAIR, "x" * 100_000, "must be one of the model's"),
    "a name of line breaks": (PAIR, "中\n\r" * 100, "must be one of the model's"),
    "not an example": ({"inputs": ["é" * 9]}, "classify", "Could not parse example"),
    "neither example nor UTF-8": ({"inputs": [b"\xff" * 9]}, "classify", "Could not parse example"),
    "a bomb of an example": ({"inputs": [b"\xff" * 10_000_000]}, "classify", "Could not parse example"),
}


@pytest.mark.parametrize("case", BAD_TENSORS)
def test_a_bad_tensor_is_refused_by_its_name(plain, case):
    inputs, signature_name, match = BAD_TENSORS[case]
    with grpc_error(grpc.StatusCode.INVALID_ARGUMENT, match):
        plain.predict(inputs, signature_name=signature_name)


def test_an_unknown_output_is_refused(plain):
    with grpc_error(grpc.StatusCode.INVALID_ARGUMENT, "outputs asked for.*'nonsense'.*joined, joined_bytes"):
        plain.predict(PAIR, ["joined", "nonsense"])


@pytest.mark.parametrize(
    "spec", [{"name": "x" * 2000}, {"name": ""}, {"version": 4}, {"version": 0}, {"version_label": "stable"}]
)
def test_another_model_or_version_is_not_found(plain, spec):
    not_found = "must be the one that is served.*Ask for plain, version 3"
    asks = (
        lambda: plain.predict(PAIR, **spec),
        lambda: plain.classify([{}], **spec),
        lambda: plain.regress([{}], **spec),
        lambda: plain.models.GetModelStatus(plain.spec(get_model_status_pb2.GetModelStatusRequest(), **spec)),
        lambda: plain.stub.GetModelMetadata(
            plain.spec(get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]), **spec)
        ),
    )
    for ask in asks:
        with grpc_error(grpc.StatusCode.NOT_FOUND, not_found):
            ask()


@pytest.mark.parametrize("kind", ["classify", "regress"])
def test_bad_examples_are_refused(plain, kind):
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    ask = getattr(plain, kind)
    with grpc_error(invalid, "There must be examples"):
        ask([], signature_name=kind)
    with grpc_error(invalid, "There must be examples"):
        plain.stub.Classify(plain.spec(classification_pb2.ClassificationRequest(), signature_name="classify"))
    with grpc_error(invalid, "must be able to read its inputs.*text"):
        ask([{"other": [b"a"]}], signature_name=kind)
    with grpc_error(invalid, "must be able to read its inputs.*text"):
        ask([{"text": [b"a", b"b"]}], signature_name=kind)
    with grpc_error(invalid, f"must be of method tensorflow/serving/{kind}.*serving_default.*Use {kind}"):
        ask([{"text": [b"a"]}])
    for body, match in (
        ({}, "must hold .examples."),
        ({"examples": []}, "must hold .examples."),
        ({"examples": {"text": "a"}}, "must hold .examples."),
        ({"examples": ["a"]}, "must be an object"),
        ({"examples": [{"text": "a"}], "context": 1}, "must be an object"),
        ({"examples": [{"text": None}]}, "Feature 'text' must hold"),
        ({"examples": [{"text": [["a"]]}]}, "Feature 'text' must hold"),
        ({"examples": [{"text": ["a", 1]}]}, "Feature 'text' must hold"),
        ({"examples": [{"text": 1 << 70}]}, "Feature 'text' must hold"),
        ({"examples": [{"text": {"b64": "!"}}]}, "must be base64"),
        ({"examples": [{"text": 1}]}, "must be able to read its inputs"),
        ({"examples": [{}]}, "must be able to read its inputs"),
    ):
        status, found = plain.rest(body | {"signature_name": kind}, f":{kind}")
        assert status == 400
        assert re.search(match, found["error"]), found


def test_what_is_not_served_says_so(plain):
    with grpc_error(grpc.StatusCode.UNIMPLEMENTED, "one task at a time"):
        plain.stub.MultiInference(inference_pb2.MultiInferenceRequest())
    management = model_service_pb2_grpc.tensorflow__serving_dot_apis_dot_model__management__pb2
    with grpc_error(grpc.StatusCode.UNIMPLEMENTED, "One model is served"):
        plain.models.HandleReloadConfigRequest(management.ReloadConfigRequest())
    request = plain.spec(get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["x"]))
    with grpc_error(grpc.StatusCode.INVALID_ARGUMENT, 'must be "signature_def".*x'):
        plain.stub.GetModelMetadata(request)


ROW = {"text": "a", "text_pair": "b"}
ECHO = {"signature_name": "echo"}
PRODUCT = {"signature_name": "product"}
BAD_BODIES = {
    "nothing": (b"", "must be JSON"),
    "half": (b'{"instances": [', "must be JSON"),
    "bytes": (b"\xff\x00\xfe", "must be JSON"),
    "half a surrogate as a name": (b'{"signature_name": "\\ud800", "instances": [1]}', "must be text"),
    "half a surrogate": (b'{"signature_name": "echo", "instances": ["\\ud800"]}', "`text` must be of type string"),
    "too deep": (b"[" * 100_000, "must be JSON"),
    "deep": (b'{"signature_name": "echo", "inputs": %s%s}' % (b"[" * 500, b"]" * 500), "`text` must be"),
    "a number of 5000 digits": (b'{"instances": %s}' % (b"9" * 5000), "must be JSON"),
    "a list": ([ROW], "must be a JSON object"),
    "a number as a name": ({"signature_name": 3, "instances": [ROW]}, "signature_name must be text"),
    "no signature of that name": ({"signature_name": "x", "instances": [ROW]}, "must be one of the model's"),
    "neither": ({"x": [ROW]}, 'must hold "instances" or "inputs".*neither'),
    "both": ({"instances": [ROW], "inputs": ROW}, "both"),
    "no rows": ({"instances": []}, '"instances" must be a list of rows'),
    "no list": ({"instances": ROW}, '"instances" must be a list of rows'),
    "rows without names": ({"instances": ["a"]}, "must have names"),
    "columns without names": ({"inputs": ["a"]}, "must have names"),
    "missing in each row": ({"instances": [{"text": "a"}]}, "missing 'text_pair'"),
    "missing in one row": ({"instances": [ROW, {"text": "a"}]}, "same inputs.*row 1"),
    "one too many": ({"instances": [ROW | {"x": 1}]}, "unknown 'x'"),
    "missing": ({"inputs": {"text": ["a"]}}, "missing 'text_pair'"),
    "unequal": ({"inputs": {"text": ["a"], "text_pair": []}}, "as many rows.*text 1, text_pair 0"),
    "a scalar": ({"inputs": {"text": "a", "text_pair": "b"}}, "must be a batch.*a scalar"),
    "a table": ({"inputs": {"text": [["a"]], "text_pair": ["b"]}}, "`text` must be a batch"),
    "rows of lists": (ECHO | {"instances": [["a"]]}, "`text` must be a batch"),
    "numbers": (ECHO | {"instances": [1]}, "`text` must be of type string.*1"),
    "null": (ECHO | {"instances": [None]}, "`text` must be of type string.*None"),
    "a text among lists": (PRODUCT | {"inputs": {"pairs": [[1, 2], 3], "negate": True}}, "rows of one length"),
    "a short row": (PRODUCT | {"inputs": {"pairs": [[1, 2], [3]], "negate": True}}, "rows of one length"),
    "a text": (PRODUCT | {"inputs": {"pairs": [["a", 2]], "negate": True}}, "`pairs` must be of type float32"),
    "a truth": (PRODUCT | {"inputs": {"pairs": [[True, 2]], "negate": True}}, "`pairs` must be of type float32"),
    "a huge number": (PRODUCT | {"inputs": {"pairs": [[10**400, 2]], "negate": True}}, "must be of type float32"),
    "no truth": (PRODUCT | {"inputs": {"pairs": [[1, 2]], "negate": 1}}, "`negate` must be of type bool"),
    "not base64": (ECHO | {"instances": [{"b64": "!"}]}, "must be base64"),
    "a number as base64": (ECHO | {"instances": [{"b64": 7}]}, "must be base64"),
    "no rows in the answer": (PRODUCT | {"inputs": {"pairs": [1, 2], "negate": True}}, "`pairs` must be a batch"),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_bad_body_is_refused_in_words(plain, case):
    body, match = BAD_BODIES[case]
    status, found = plain.rest(body)
    assert status == 400
    assert re.search(match, found["error"]), found


@pytest.mark.parametrize(
    "path",
    [
        *("/versions/4:predict", "/versions/99999999999999999999:predict", ":explain", "/x", "/metadata"),
        *("/v1/models/x:predict", "/v1/models/:predict", "/v1"),
    ],
)
def test_a_bad_address_is_not_found(plain, path):
    status, found = plain.rest({"instances": [ROW]}, path)
    assert status == 404
    assert "must be" in found["error"]


@pytest.mark.parametrize("path", ["/versions/4", "/versions/4/metadata", "/v1/models/x", "/v1/models", "/v1/%ff"])
def test_the_state_of_what_is_not_served_is_not_found(plain, path):
    status, found = plain.rest(path=path)
    assert status == 404
    assert "must be" in found["error"]


def test_what_is_too_long_is_refused_and_what_is_not_is_answered(plain):
    size = MOST_MEGABYTES << 20
    with grpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max"):
        plain.predict({"text": ["x" * size]}, signature_name="echo")
    status, found = plain.rest(b" " * (size + 1))
    assert status == 413
    assert f"at most {size} bytes" in found["error"]
    long = "中" * (10 * 2**20 // 3)
    assert plain.predict({"text": [long]}, signature_name="echo") == {"echo": [long.encode()]}
    assert plain.rest(ECHO | {"instances": [long]}) == (200, {"predictions": [long]})


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"POST /v1/models/plain:predict HTTP/1.1\r\n\r\n", b"411"),
        (b"POST /v1/models/plain:predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"411"),
        (b"PUT /v1/models/plain HTTP/1.1\r\n\r\n", b"501"),
        (b"\xff\xfe\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"POST /v1/models/plain:predict HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{", None),
        (b"", None),
    ],
)
def test_what_is_hardly_http_does_no_harm(plain, sent, expected):
    with socket.create_connection((plain.rest_address.hostname, plain.rest_address.port), timeout=30) as connection:
        connection.sendall(sent)
        if expected is not None:
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
            assert expected in answer.splitlines()[0] or b'{"error": ' in answer
            assert b'{"error": ' in answer


def test_bytes_that_are_no_grpc_message_do_no_harm(plain):
    ask = plain.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with pytest.raises(grpc.RpcError):
        ask(b"\xff\xfe\xff")
    with grpc_error(grpc.StatusCode.UNIMPLEMENTED, ""):
        plain.channel.unary_unary("/tensorflow.serving.PredictionService/Nonsense")(b"")


def random_texts(rng, count):
    return [rng.bytes(rng.integers(0, 60)) for _ in range(count)]


def assert_answered(client, texts, by_rest):
    """Every text has a label and probabilities that are some."""
    if by_rest:
        body = b'{"inputs": {"text": [%s]}}' % b", ".join(map(encoded, texts))
        status, found = client.rest(body)
        assert status == 200, (found, texts)
        found = found["outputs"]
    else:
        found = client.predict({"text": texts})
    assert len(found["label"]) == len(texts)
    if texts:
        np.testing.assert_allclose(np.sum(found["probabilities"], axis=1), 1, atol=1e-5)
    return found["probabilities"]


def encoded(text):
    """JSON of bytes, which may be no UTF-8."""
    if isinstance(text, str):
        return json.dumps(text).encode()
    return json.dumps(text.decode("utf-8", "surrogateescape"), ensure_ascii=False).encode("utf-8", "surrogateescape")


def test_odd_texts_are_answered(classifier):
    for texts in ([], *([text] for text in TEXTS), TEXTS, ["a film " * (10 * 2**20 // 7)]):
        by_grpc = assert_answered(classifier, texts, by_rest=False)
        by_rest = assert_answered(classifier, texts, by_rest=True)
        np.testing.assert_allclose(by_rest, by_grpc, atol=1e-6)


def test_random_bytes_are_answered(classifier):
    rng = np.random.default_rng(3)
    for place in range(40):
        assert_answered(classifier, random_texts(rng, 10), by_rest=place % 2)


def resident(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is read from /proc")
def test_a_hundred_thousand_random_texts_are_answered_in_the_same_memory(exported):
    command = [sys.executable, str(TOOLS / "serve.py"), str(exported), "--grpc-port", "0", "--rest-port", "0"]
    rng = np.random.default_rng(4)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            addresses = re.search(r"gRPC: (\S+)\. REST: (\S+)\n", process.stdout.readline()).groups()
            sizes = []
            with Client(*addresses) as client:
                for _ in range(11):  # the first warms up
                    for place in range(1000):
                        assert_answered(client, random_texts(rng, 10), by_rest=place % 2)
                    sizes.append(resident(process))
        finally:
            process.terminate()
            process.communicate(timeout=60)
    print(f"Memory after each 10,000 texts, in MB: {[size // 1024 for size in sizes]}")
    assert sizes[-1] <= 1.02 * sizes[0]
    assert process.returncode == 0
