"""What tests of the server ask it with, and the model of plain TensorFlow that they ask."""

import contextlib
import http.client
import importlib
import json
import pathlib
import urllib.parse

import pytest
import tensorflow as tf

grpc = pytest.importorskip("grpc")
APIS = "tensorflow_serving.apis"
predict_pb2 = pytest.importorskip(f"{APIS}.predict_pb2", reason="needs the extra `serving`")
classification_pb2 = importlib.import_module(f"{APIS}.classification_pb2")
get_model_metadata_pb2 = importlib.import_module(f"{APIS}.get_model_metadata_pb2")
get_model_status_pb2 = importlib.import_module(f"{APIS}.get_model_status_pb2")
inference_pb2 = importlib.import_module(f"{APIS}.inference_pb2")
model_service_pb2_grpc = importlib.import_module(f"{APIS}.model_service_pb2_grpc")
prediction_log_pb2 = importlib.import_module(f"{APIS}.prediction_log_pb2")
prediction_service_pb2_grpc = importlib.import_module(f"{APIS}.prediction_service_pb2_grpc")
regression_pb2 = importlib.import_module(f"{APIS}.regression_pb2")

TOOLS = pathlib.Path(__file__).parents[1] / "tools"


def tool(name):
    """A module of tools/."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        return importlib.import_module(name)


@contextlib.contextmanager
def served(directory, **arguments):
    """A client of a server in this process."""
    server = tool("model_server").Server(directory, **arguments)
    with server, Client(server.grpc_address, server.rest_address) as client:
        yield client


class Client:
    """Asks by gRPC and by REST; what it gives is of lists and of text or bytes."""

    def __init__(self, grpc_address, rest_address):
        self.grpc_address = grpc_address
        self.rest_address = urllib.parse.urlsplit(rest_address)
        self.name = self.rest_address.path.rpartition("/")[2]
        self.channel = grpc.insecure_channel(
            grpc_address,
            options=[(f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")],
        )
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def spec(self, message, version=None, **spec):
        message.model_spec.name = spec.pop("name", self.name)
        if version is not None:
            message.model_spec.version.value = version
        for key, value in spec.items():
            setattr(message.model_spec, key, value)
        return message

    def predict(self, inputs, output_filter=(), **spec):
        """Inputs are tensors, or lists of texts."""
        request = self.spec(predict_pb2.PredictRequest(output_filter=output_filter), **spec)
        for name, values in inputs.items():
            is_proto = isinstance(values, tf.compat.v1.make_tensor_proto([0]).__class__)
            request.inputs[name].CopyFrom(values if is_proto else tf.make_tensor_proto(values, tf.string))
        response = self.stub.Predict(request, timeout=60)
        self.answered = response.model_spec
        return {name: tf.make_ndarray(tensor).tolist() for name, tensor in response.outputs.items()}

    def examples(self, kind, examples, context=None, **spec):
        """A request of examples: dicts of name to list of bytes."""
        request = self.spec(kind(), **spec)
        holder = request.input.example_list
        if context is not None:
            holder = request.input.example_list_with_context
            holder.context.CopyFrom(example_of(context))
        holder.examples.extend(map(example_of, examples))
        return request

    def classify(self, examples, **more):
        response = self.stub.Classify(self.examples(classification_pb2.ClassificationRequest, examples, **more))
        return [[(each.label, each.score) for each in row.classes] for row in response.result.classifications]

    def regress(self, examples, **more):
        response = self.stub.Regress(self.examples(regression_pb2.RegressionRequest, examples, **more))
        return [each.value for each in response.result.regressions]

    def rest(self, body=None, path=":predict", headers=()):
        """Status and JSON. A body is an object, or bytes; without one it is GET."""
        connection = http.client.HTTPConnection(self.rest_address.netloc, timeout=60)
        with contextlib.closing(connection):
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            path = path if path.startswith("/v1") else self.rest_address.path + path
            connection.request("GET" if body is None else "POST", path, data, dict(headers))
            response = connection.getresponse()
            assert response.headers["Content-Type"] == "application/json"
            return response.status, json.loads(response.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()


def example_of(features):
    example = tf.train.Example()
    for name, values in features.items():
        example.features.feature[name].bytes_list.value.extend(values)
    return example


class Plain(tf.Module):
    """Answers that a reader can work out, of every type that a tensor may have."""

    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(0.1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name) for name in ("text", "text_pair")])
    def joined(self, text, text_pair):
        joined = tf.strings.join([text, text_pair], "+")
        length = tf.strings.length(joined)
        odd = tf.constant([0.2, float("nan"), float("-inf")])
        odd = tf.broadcast_to(odd, [tf.size(text), 3])
        return {"joined": joined, "joined_bytes": joined, "length": length, "odd": odd}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def echo(self, text):
        return {"echo": text}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "pairs"), tf.TensorSpec([], tf.bool, "negate")])
    def product(self, pairs, negate):
        product = self.weight * tf.reduce_prod(pairs, axis=1)
        return {"product": tf.where(negate, -product, product)}

    def length_of(self, examples):
        text = tf.io.parse_example(examples, {"text": tf.io.FixedLenFeature([], tf.string)})["text"]
        return self.weight * tf.cast(tf.strings.length(text), tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def classify(self, inputs):
        scores = tf.stack([self.length_of(inputs), -self.length_of(inputs)], axis=1)
        classes = tf.constant(["größer".encode(), b"\xff"])
        return {"classes": tf.broadcast_to(classes, tf.shape(scores)), "scores": scores}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def regress(self, inputs):
        return {"outputs": self.length_of(inputs)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def regress_column(self, inputs):
        return {"outputs": self.length_of(inputs)[:, tf.newaxis]}


def save_plain(directory):
    """Writes that model."""
    module = Plain()
    methods = ("echo", "product", "classify", "regress", "regress_column")
    functions = {name: getattr(module, name) for name in methods} | {"serving_default": module.joined}
    tf.saved_model.save(module, str(directory), signatures=functions)
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(str(directory))
    for name in ("classify", "regress", "regress_column"):
        updater.replace_method_name(name, f"tensorflow/serving/{name.partition('_')[0]}")
    updater.save()
