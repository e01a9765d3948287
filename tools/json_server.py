"""A server that reads and writes JSON by HTTP, on Python's standard library, whatever it answers."""

import http.server
import json
import logging
import re
import socketserver
import threading
from collections.abc import Callable
from http import HTTPStatus

_LOG = logging.getLogger(__name__)


class HttpError(Exception):
    """A request that gets no answer.

    Args:
        status: `HTTPStatus`.
        message: str, in three parts.
    """

    def __init__(self, status: HTTPStatus, message: str):
        super().__init__(message)
        self.status = status


class JsonServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Listens from when it is made until `stop`.

    Args:
        handler: `JsonHandler`'s class of requests.
        host: str.
        port: int. 0 for a free one.
        name: str. What the port is for.
        flag: str. What gives another port.

    Raises:
        OSError: it cannot listen there.
    """

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, handler: type, host: str, port: int, name: str, flag: str):
        try:
            super().__init__((host, port), handler)
        except (OSError, OverflowError) as error:
            raise OSError(
                f"The port for {name} must be free. Received: {host}:{port}: {error}. Give another {flag}."
            ) from error
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    def handle_error(self, request, client_address):
        """Logs what a connection ends with; clients that hang up are no news."""
        _LOG.debug("A connection ended early.", exc_info=True)

    def stop(self):
        """Listens no more."""
        self.shutdown()
        self._thread.join()
        self.server_close()


class JsonHandler(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def read_body(self, most_bytes: int, remedy: str) -> bytes:
        """Reads what a client posted.

        Args:
            most_bytes: int. Of the body.
            remedy: str. What to do where it is longer.

        Returns:
            bytes.

        Raises:
            HttpError: its length is not said, or too long.
        """
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,18}", length):
            raise HttpError(
                HTTPStatus.LENGTH_REQUIRED,
                f"A request must say how long it is. Received: Content-Length: {length[:50]!r}. Add that header.",
            )
        if int(length) > most_bytes:
            # Who still sends does not listen; what it sends is thrown away, up to a point.
            left = min(int(length), max(4 * most_bytes, 1 << 24))
            while left > 0 and (read := self.rfile.read(min(left, 1 << 16))):
                left -= len(read)
            raise HttpError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"A request must have at most {most_bytes} bytes. Received: {length}. {remedy}",
            )
        return self.rfile.read(int(length))

    def answer(self, make: Callable):
        """Sends what `make` gives, or why it gives nothing."""
        try:
            status, found = HTTPStatus.OK, make()
        except OSError:  # the client is gone
            raise
        except Exception as error:
            status, found = self.status_of(error), {"error": str(error)}
            if status is None:
                _LOG.exception("A request was not answered.")
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                found = {"error": f"{type(error).__name__}: {error}"[:1000]}
        self.send_json(status, found)

    def status_of(self, error: Exception) -> HTTPStatus | None:
        """Says what a refusal is called; None for what is no refusal but a defect."""
        return error.status if isinstance(error, HttpError) else None

    def send_json(self, status: HTTPStatus, found):
        """Sends an object."""
        # NaN and Infinity are written as such, which is no standard JSON, as TF Serving does.
        body = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
        self.send_content(status, "application/json", body)

    def send_content(self, status: HTTPStatus, content_type: str, body: bytes, headers: dict | None = None):
        """Sends bytes, and ends the connection: an idle one would hold a thread."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code, message=None, explain=None):
        """Answers what is no HTTP, or another method, in JSON too."""
        self.close_connection = True
        received = (message or HTTPStatus(code).phrase)[:200]
        self.send_json(HTTPStatus(code), {"error": f"Ask by HTTP's GET or POST. Received: {received}."})

    def log_message(self, format, *args):
        _LOG.debug(format, *args)
