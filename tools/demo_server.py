"""The server of a demo: one page, its script, and the answers that the page asks for."""

import json
import pathlib
import threading
import urllib.parse
from collections.abc import Sequence
from http import HTTPStatus

import demo_page
from demo_answers import answer
from demo_models import DemoModel
from json_server import HttpError, JsonHandler, JsonServer

SCRIPT = pathlib.Path(__file__).with_name("demo.js")
MOST_BYTES = 1 << 17


class DemoServer(JsonServer):
    """Serves the page of some models, from when it is made until `stop`.

    Args:
        models: sequence of `DemoModel`, whose names are all different.
        host: str.
        port: int. 0 for a free one.

    Raises:
        OSError: it cannot listen there.
    """

    def __init__(self, models: Sequence[DemoModel], host: str, port: int):
        self.models = {model.name: model for model in models}
        self.page = demo_page.page(models).encode("utf-8", "replace")
        self.script = SCRIPT.read_bytes()
        # Explanations take memory, and a model is asked by one person at a time.
        self.lock = threading.Lock()
        super().__init__(Handler, host, port, "the page", "--port")

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        return f"http://{self.server_address[0]}:{self.server_address[1]}/"


class Handler(JsonHandler):
    """One request."""

    def do_GET(self):
        headers = {
            "Content-Security-Policy": demo_page.POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        path = urllib.parse.urlsplit(self.path).path
        if path == "/":
            self.send_content(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page, headers)
        elif path == "/demo.js":
            self.send_content(HTTPStatus.OK, "text/javascript; charset=utf-8", self.server.script, headers)
        else:
            self.answer(self._not_found)

    def do_POST(self):
        self.answer(self._answer)

    def status_of(self, error):
        """Says what a refusal is called: what is wrong with a question is told by `ValueError`."""
        return HTTPStatus.BAD_REQUEST if isinstance(error, ValueError) else super().status_of(error)

    def _answer(self):
        # Read first: who still sends does not hear an error.
        body = self.read_body(MOST_BYTES, "Shorten the text.")
        if self.path != "/answer":
            self._not_found()
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"A question must be JSON in UTF-8. Received: {error}. Correct it.") from error
        tab = asked.get("tab") if isinstance(asked, dict) else None
        model = self.server.models.get(tab) if isinstance(tab, str) else None
        if model is None:
            raise ValueError(
                f"`tab` must be one of {', '.join(self.server.models)}. Received: {str(tab)[:100]!r}. "
                "Load the page again."
            )
        with self.server.lock:
            return {"html": answer(model, asked.get("question"))}

    def _not_found(self):
        raise HttpError(
            HTTPStatus.NOT_FOUND, f"There are GET / and POST /answer. Received: {self.path[:100]}. Open the first."
        )
