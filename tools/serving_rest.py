"""TF Serving's REST interface in front of a model's answers."""

import http.server
import json
import logging
import re
import socketserver
import threading
import urllib.parse
from concurrent import futures
from http import HTTPStatus

import serving_json
import tensorflow as tf
from google.protobuf import json_format
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
_LOG = logging.getLogger(__name__)


class RestServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
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

    request_queue_size = 128

    def __init__(self, answers: Answers, host: str, port: int, most_bytes: int, threads: int):
        self.answers, self.most_bytes = answers, most_bytes
        try:
            super().__init__((host, port), Handler)
        except (OSError, OverflowError) as error:
            raise OSError(
                f"The port for REST must be free. Received: {host}:{port}: {error}. Give another --rest-port."
            ) from error
        self._pool = futures.ThreadPoolExecutor(threads)
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    def process_request(self, request, client_address):
        self._pool.submit(self.process_request_thread, request, client_address)

    def handle_error(self, request, client_address):
        """Logs what a connection ends with; clients that hang up are no news."""
        _LOG.debug("A connection ended early.", exc_info=True)

    def stop(self):
        """Listens no more, and waits for the answers to what was asked."""
        self.shutdown()
        self._thread.join()
        self._pool.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self):
        self._answer(self._status_or_metadata)

    def do_POST(self):
        self._answer(self._ask)

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
        body = self._body()
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

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,18}", length):
            raise _HttpError(
                HTTPStatus.LENGTH_REQUIRED,
                f"A request must say how long it is. Received: Content-Length: {length[:50]!r}. Add that header.",
            )
        most = self.server.most_bytes
        if int(length) > most:
            # Who still sends does not listen; what it sends is thrown away, up to a point.
            left = min(int(length), 4 * most)
            while left > 0 and (read := self.rfile.read(min(left, 1 << 16))):
                left -= len(read)
            raise _HttpError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"A request must have at most {most} bytes. Received: {length}. "
                "Send several, or raise --max-request-megabytes.",
            )
        return self.rfile.read(int(length))

    def _answer(self, make):
        try:
            status, found = HTTPStatus.OK, make()
        except _HttpError as error:
            status, found = error.status, {"error": str(error)}
        except RequestError as error:
            status = _STATUSES.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
            found = {"error": str(error)}
        except OSError:  # the client is gone
            raise
        except Exception as error:
            _LOG.exception("A request was not answered.")
            status, found = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": f"{type(error).__name__}: {error}"[:1000]}
        self._send(status, found)

    def _send(self, status, found):
        # NaN and Infinity are written as such, which is no standard JSON, as TF Serving does.
        body = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        # An idle connection would hold a thread.
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code, message=None, explain=None):
        """Answers what is no HTTP, or another method, in JSON too."""
        self.close_connection = True
        received = (message or HTTPStatus(code).phrase)[:200]
        self._send(HTTPStatus(code), {"error": f"Ask by HTTP's GET or POST. Received: {received}."})

    def log_message(self, format, *args):
        _LOG.debug(format, *args)


class _HttpError(Exception):
    def __init__(self, status: HTTPStatus, message: str):
        super().__init__(message)
        self.status = status


def _of_model(request, name: str, version: str | None):
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = int(version)
    return request


def _plain(message) -> dict:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
