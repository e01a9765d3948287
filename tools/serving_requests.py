"""TF Serving's requests and what a model answers to them, as protocol buffers."""

import itertools

import numpy as np
import tensorflow as tf
from google.protobuf import message
from served_model import DEFAULT_SIGNATURE, WARM_UP, RequestError, ServedModel, shown
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    input_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
)

# As many TF Serving replays.
MOST_WARM_UP_REQUESTS = 1000


class Answers:
    """What a server says, whichever way it is asked.

    Args:
        model: `ServedModel`.

    Raises:
        RequestError: by every method, where a request gets no answer.
    """

    def __init__(self, model: ServedModel):
        self.model = model

    def signature(self, spec: model_pb2.ModelSpec):
        """Returns the `SignatureDef` that a request names."""
        self._check(spec)
        return self.model.signature(spec.signature_name)

    def predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        signature = self.signature(request.model_spec)
        inputs = {name: array_of(name, tensor) for name, tensor in request.inputs.items()}
        outputs = self.model.ask(signature, inputs, request.output_filter)
        response = predict_pb2.PredictResponse(model_spec=self._spec(request.model_spec))
        for name, array in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(array))
        return response

    def classify(self, request: classification_pb2.ClassificationRequest) -> classification_pb2.ClassificationResponse:
        outputs, count = self._ask_examples(request, "classify")
        scores = rows_of("scores", outputs.get("scores"), count)
        classes = rows_of("classes", outputs.get("classes"), count)
        response = classification_pb2.ClassificationResponse(model_spec=self._spec(request.model_spec))
        for names, values in zip(classes, scores):
            answers = response.result.classifications.add()
            for name, value in itertools.zip_longest(names, values):
                # A label is text in the protocol, while a tensor holds any bytes.
                answers.classes.add(label=(name or b"").decode("utf-8", "replace"), score=value or 0.0)
        return response

    def regress(self, request: regression_pb2.RegressionRequest) -> regression_pb2.RegressionResponse:
        outputs, count = self._ask_examples(request, "regress")
        response = regression_pb2.RegressionResponse(model_spec=self._spec(request.model_spec))
        for (value,) in rows_of("outputs", np.reshape(outputs.get("outputs", []), [-1, 1]), count):
            response.result.regressions.add(value=value)
        return response

    def metadata(self, request: get_model_metadata_pb2.GetModelMetadataRequest):
        self._check(request.model_spec)
        if set(request.metadata_field) != {"signature_def"}:
            raise RequestError(
                'The metadata_field must be "signature_def", all that there is. Received: '
                f"{', '.join(map(shown, request.metadata_field[:5])) or 'none'}. Ask for that."
            )
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in self.model.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=self._spec(None))
        response.metadata["signature_def"].Pack(signatures)
        return response

    def status(self, request: get_model_status_pb2.GetModelStatusRequest):
        self._check(request.model_spec)
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(
            version=self.model.version, state=get_model_status_pb2.ModelVersionStatus.AVAILABLE
        ).status.SetInParent()
        return response

    def warm_up(self) -> int:
        """Answers the requests that stand beside the model, and says how many.

        Raises:
            ValueError: one is not answered. TF Serving does not serve such a model either.
        """
        file = self.model.directory / WARM_UP
        if not file.is_file():
            return 0
        count = 0
        try:
            for record in tf.data.TFRecordDataset(str(file)).take(MOST_WARM_UP_REQUESTS).as_numpy_iterator():
                log = prediction_log_pb2.PredictionLog.FromString(record)
                kind = log.WhichOneof("log_type")
                ask = {"predict_log": self.predict, "classify_log": self.classify, "regress_log": self.regress}
                if kind not in ask:
                    raise RequestError(f"a {kind or 'log of no type'}")
                request = getattr(log, kind).request
                # Recorded for a model of any name and version.
                request.model_spec.CopyFrom(
                    model_pb2.ModelSpec(name=self.model.name, signature_name=request.model_spec.signature_name)
                )
                ask[kind](request)
                count += 1
        except (RequestError, tf.errors.OpError, message.DecodeError, ValueError) as error:
            raise ValueError(
                f"Every warm-up request must be answered. Received: {file}, whose request {count + 1} is not: {error} "
                "Write the file again, or start with --no-warmup."
            ) from error
        return count

    def _ask_examples(self, request, method):
        """Asks a signature of the method; returns its outputs and the count of examples."""
        signature = self.signature(request.model_spec)
        method_name = f"tensorflow/serving/{method}"
        if signature.method_name != method_name:
            fitting = [name for name, each in self.model.signatures.items() if each.method_name == method_name]
            raise RequestError(
                f"The signature must be of method {method_name}. Received: signature_name="
                f"{shown(request.model_spec.signature_name or DEFAULT_SIGNATURE)}, of method {signature.method_name}. "
                f"Use {' or '.join(sorted(fitting)) or 'predict: the model has no such signature'}."
            )
        examples = serialized_examples(request.input)
        return self.model.ask(signature, {"inputs": np.array(examples, object)}), len(examples)

    def _check(self, spec):
        """Refuses another model, or another version."""
        model = self.model
        choice = spec.WhichOneof("version_choice")
        is_version = choice is None or (choice == "version" and spec.version.value == model.version)
        if spec.name != model.name or not is_version:
            asked = [f"name={shown(spec.name)}"]
            if choice is not None:
                asked.append(f"{choice}={spec.version.value if choice == 'version' else shown(spec.version_label)}")
            raise RequestError(
                f"The model must be the one that is served. Received: {', '.join(asked)}. "
                f"Ask for {model.name}, version {model.version} or none.",
                tf.errors.NOT_FOUND,
            )

    def _spec(self, asked):
        spec = model_pb2.ModelSpec(name=self.model.name)
        spec.version.value = self.model.version
        if asked is not None:
            spec.signature_name = asked.signature_name or DEFAULT_SIGNATURE
        return spec


def array_of(name: str, tensor) -> np.ndarray:
    """Reads a tensor that a client sent, and trusts nothing in it: a shape may promise terabytes."""
    given = max((len(values) for field, values in tensor.ListFields() if field.name.endswith("_val")), default=0)
    try:
        dtype = tf.as_dtype(tensor.dtype)
        if not dtype.is_numpy_compatible:
            raise TypeError(f"type {dtype.name}")
        given = max(given, len(tensor.tensor_content) // max(dtype.size, 1))
        count = tf.TensorShape(tensor.tensor_shape).num_elements()
        if count is None or not 0 <= count <= given:
            raise ValueError(f"{given} values for {'an unknown number' if count is None else count}")
        return tf.make_ndarray(tensor)
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        raise RequestError(
            f"Input `{name[:50]}` must be a tensor that has a value for each element. Received: {str(error)[:200]}. "
            "Make it with tf.make_tensor_proto, for example."
        ) from error


def serialized_examples(given: input_pb2.Input) -> list[bytes]:
    """Returns the examples of a request; what all share is put into each."""
    kind = given.WhichOneof("kind")
    examples = list(getattr(given, kind).examples) if kind else []
    if not examples:
        raise RequestError("There must be examples. Received: none. Put at least one into the request's input.")
    if kind == "example_list_with_context":
        for example in examples:
            for name, feature in given.example_list_with_context.context.features.feature.items():
                example.features.feature[name].MergeFrom(feature)
    return [example.SerializeToString() for example in examples]


def rows_of(name: str, array: np.ndarray | None, count: int) -> list[list]:
    """Returns an output `(B, C)` as lists, empty ones where it is not there."""
    if array is None:
        return [[]] * count
    if array.ndim != 2 or len(array) != count:
        raise RequestError(
            f"The signature's {name} must have a row for each of {count} examples. Received: shape {array.shape}. "
            "Export the model again.",
            tf.errors.FAILED_PRECONDITION,
        )
    return array.tolist()
