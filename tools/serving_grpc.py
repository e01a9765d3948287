"""TF Serving's gRPC services in front of a model's answers."""

from concurrent import futures

import grpc
from served_model import RequestError
from serving_requests import Answers
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress and GetModelMetadata.

    Args:
        answers: `Answers`.
    """

    def __init__(self, answers: Answers):
        self._answers = answers

    def Predict(self, request, context):
        return _answer(self._answers.predict, request, context)

    def Classify(self, request, context):
        return _answer(self._answers.classify, request, context)

    def Regress(self, request, context):
        return _answer(self._answers.regress, request, context)

    def GetModelMetadata(self, request, context):
        return _answer(self._answers.metadata, request, context)

    def MultiInference(self, request, context):
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "Ask for one task at a time. Received: MultiInference.")


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus, by which clients learn that a server is ready.

    Args:
        answers: `Answers`.
    """

    def __init__(self, answers: Answers):
        self._answers = answers

    def GetModelStatus(self, request, context):
        return _answer(self._answers.status, request, context)

    def HandleReloadConfigRequest(self, request, context):
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "One model is served, until the server stops. Start another.")


def start_grpc(answers: Answers, host: str, port: int, most_bytes: int, threads: int) -> tuple[grpc.Server, int]:
    """Starts the server.

    Args:
        answers: `Answers`.
        host: str.
        port: int. 0 for a free one.
        most_bytes: int. Of a request.
        threads: int. Requests answered at a time.

    Returns:
        The server, and the port it listens at.

    Raises:
        OSError: it cannot listen there.
    """
    # An answer may be longer than its request. Without the last option two servers share a port, and nobody is told.
    options = {
        "grpc.max_receive_message_length": most_bytes,
        "grpc.max_send_message_length": -1,
        "grpc.so_reuseport": 0,
    }
    server = grpc.server(futures.ThreadPoolExecutor(threads), options=list(options.items()))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(answers), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(answers), server)
    try:
        port = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise OSError(f"The port for gRPC must be free. Received: {host}:{port}. Give another --grpc-port.") from error
    server.start()
    return server, port


def _answer(answer, request, context):
    try:
        return answer(request)
    except RequestError as error:
        context.abort(_CODES.get(error.code, grpc.StatusCode.UNKNOWN), str(error))
