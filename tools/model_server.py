"""A model behind TF Serving's two interfaces, in this process."""

import pathlib

from served_model import ServedModel
from serving_grpc import start_grpc
from serving_requests import Answers
from serving_rest import RestServer

# Requests that are answered at a time, by each interface. The graph itself uses all cores for one.
THREADS = 8


class Server:
    """Serves while it is entered; loads, warms up and listens before that returns.

    Args:
        directory: str or path. A version of a model, or the directory of its versions.
        name: str, optional. What clients call the model. Default: the name of the directory of versions.
        host: str, default "127.0.0.1". The address to listen at.
        grpc_port: int, default 0, a free one.
        rest_port: int, default 0, a free one.
        most_bytes: int, default 64 MiB. Of a request.
        warm_up: bool, default True. Answers the requests that stand beside the model first.

    Raises:
        ValueError: there is no model to serve, or it does not answer its warm-up requests.
        OSError: a port is taken.

    Example:
        with Server("serving/sentiment") as server:
            print(server.grpc_address, server.rest_address)
    """

    def __init__(
        self,
        directory: str | pathlib.Path,
        *,
        name: str | None = None,
        host: str = "127.0.0.1",
        grpc_port: int = 0,
        rest_port: int = 0,
        most_bytes: int = 64 << 20,
        warm_up: bool = True,
    ):
        self.model = ServedModel(directory, name)
        try:
            answers = Answers(self.model)
            self.warmed_up = answers.warm_up() if warm_up else 0
            self._grpc, port = start_grpc(answers, host, grpc_port, most_bytes, THREADS)
            try:
                self._rest = RestServer(answers, host, rest_port, most_bytes, THREADS)
            except OSError:
                self._grpc.stop(None).wait()
                raise
        except (ValueError, OSError):
            self.model.close()
            raise
        self.grpc_address = f"{host}:{port}"
        self.rest_address = f"http://{host}:{self._rest.server_port}/v1/models/{self.model.name}"

    def stop(self):
        """Answers what was asked, and ends."""
        self._grpc.stop(grace=10).wait()
        self._rest.stop()
        self.model.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
