"""TF Serving's REST interface in front of a model's answers."""

import re
import urllib.parse
from concurrent import futures
from http import HTTPStatus

import serving_json
import tensorflow as tf
from google.protobuf import json_format
from json_server import JsonHandler, JsonServer
from served_model import RequestError
from serving_requests import Answers
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    regression_pb2,
)

_GET = re.compile(r"/v1/models/([^/:]+)(?:/versions/([0-9]{1,18}))?(/metadata)?")
_POST = re.compile(r"/v1/models/([^/:]+)(?:/versions/([0-9]{1,18}))?:(predict|classify|regress)")
_STATUSES = {
    tf.errors.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    tf.errors.NOT_FOUND: HTTPStatus.NOT_FOUND,
    tf.errors.RESOURCE_EXHAUSTED: HTTPStatus.SERVICE_UNAVAILABLE,
    tf.errors.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    tf.errors.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    tf.errors.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
}


class RestServer(JsonServer):
    """Answers requests, as many at a time as it has threads.

    Args:
        answers: `Answers`.
        host: str.
        port: int. 0 for a free one.
        most_bytes: int. Of a request's body.
        threads: int. Requests answered at a time.

    Raises:
        OSError: it cannot listen there.
    """

    def __init__(self, answers: Answers, host: str, port: int, most_bytes: int, threads: int):
        self.answers, self.most_bytes = answers, most_bytes
        self._pool = futures.ThreadPoolExecutor(threads)
        super().__init__(Handler, host, port, "REST", "--rest-port")

    def process_request(self, request, client_address):
        self._pool.submit(self.process_request_thread, request, client_address)

    def server_close(self):
        """Waits for the answers to what was asked."""
        self._pool.shutdown()
        super().server_close()


class Handler(JsonHandler):
    """One request."""

    def do_GET(self):
        self.answer(self._status_or_metadata)

    def do_POST(self):
        self.answer(self._ask)

    def _status_or_metadata(self):
        name, version, wants_metadata = self._parts(_GET)
        if wants_metadata:
            request = _of_model(get_model_metadata_pb2.GetModelMetadataRequest(), name, version)
            request.metadata_field.append("signature_def")
            found = self.server.answers.metadata(request)
            signatures = get_model_metadata_pb2.SignatureDefMap()
            found.metadata["signature_def"].Unpack(signatures)
            return {"model_spec": _plain(found.model_spec), "metadata": {"signature_def": _plain(signatures)}}
        return _plain(
            self.server.answers.status(_of_model(get_model_status_pb2.GetModelStatusRequest(), name, version))
        )

    def _ask(self):
        # Read first: who still sends does not hear an error.
        body = self.read_body(self.server.most_bytes, "Send several, or raise --max-request-megabytes.")
        name, version, verb = self._parts(_POST)
        body = serving_json.read_body(body)
        answers = self.server.answers
        kinds = {
            "predict": predict_pb2.PredictRequest,
            "classify": classification_pb2.ClassificationRequest,
            "regress": regression_pb2.RegressionRequest,
        }
        request = _of_model(kinds[verb](), name, version)
        try:
            request.model_spec.signature_name = body.get("signature_name", "")
        except ValueError as error:  # a lone surrogate
            raise RequestError(f"The signature_name must be text. Received: {error}. Correct it.") from error
        if verb == "predict":
            in_rows = serving_json.read_predict(body, answers.signature(request.model_spec), request)
            return serving_json.write_predict(answers.predict(request), in_rows)
        serving_json.read_examples(body, request.input)
        if verb == "classify":
            return serving_json.write_classify(answers.classify(request))
        return serving_json.write_regress(answers.regress(request))

    def _parts(self, pattern):
        found = pattern.fullmatch(urllib.parse.unquote(self.path))
        if not found:
            raise RequestError(
                "The address must be GET /v1/models/NAME[/versions/N][/metadata] or POST "
                f"/v1/models/NAME[/versions/N]:(predict|classify|regress). Received: {self.command} {self.path[:100]}. "
                "Correct it.",
                tf.errors.NOT_FOUND,
            )
        return found.groups()

    def status_of(self, error):
        """Says what a refusal is called, in the way of TF Serving."""
        if isinstance(error, RequestError):
            return _STATUSES.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
        return super().status_of(error)


def _of_model(request, name: str, version: str | None):
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = int(version)
    return request


def _plain(message) -> dict:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
