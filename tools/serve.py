"""Serves a SavedModel that keras_bert exported, by gRPC and REST in TF Serving's form, to develop and to test with.

    python recipes/finetune_classifier.py
    python tools/serve.py output/finetune_classifier/saved_model --model-name sentiment
    curl -d '{"instances": ["A fine film."]}' http://127.0.0.1:8501/v1/models/sentiment:predict

Clients written for it ask TF Serving unchanged, and production is TF Serving's: this server is one Python process that
does not batch, does not reload and encrypts nothing. DIR is a version (`sentiment/1`) or the directory of versions, of
which the highest is served. The model is loaded as TF Serving loads it, in a session of TF1, and answers its warm-up
requests before the server says that it is ready. It needs the package tensorflow-serving-api:
`pip install ".[serving]"`.
"""

import argparse
import signal
import threading


def main(argv: list[str] | None = None) -> None:
    """Serves until SIGTERM or SIGINT."""
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        import model_server
    except ModuleNotFoundError as error:
        parser.error(
            f"Serving needs the packages tensorflow-serving-api and grpcio. Received: {error}. "
            'Install them: pip install ".[serving]".'
        )
    try:
        # gRPC counts the bytes of a message in 32 bits.
        if not 0 < args.max_request_megabytes < 2048:
            raise ValueError(
                "--max-request-megabytes must be at least 1 and below 2048. "
                f"Received: {args.max_request_megabytes}. Use 64, for example."
            )
        server = model_server.Server(
            args.directory,
            name=args.model_name,
            host=args.host,
            grpc_port=args.grpc_port,
            rest_port=args.rest_port,
            most_bytes=args.max_request_megabytes << 20,
            warm_up=args.warmup,
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    stopped = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    with server:
        model = f"{server.model.name}, version {server.model.version}, warmed up by {server.warmed_up} requests"
        print(f"Ready: {model}. gRPC: {server.grpc_address}. REST: {server.rest_address}", flush=True)
        stopped.wait()
    print("Stopped.", flush=True)


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("directory", metavar="DIR", help="The SavedModel's directory, or the one of its versions.")
    add("--host", default="127.0.0.1", help="Address to listen at. Default: 127.0.0.1, for this machine only.")
    add("--grpc-port", type=int, default=8500, help="Default: 8500. 0: a free one, printed.")
    add("--rest-port", type=int, default=8501, help="Default: 8501. 0: a free one, printed.")
    add("--model-name", help="What clients call the model. Default: the name of the directory of versions.")
    add("--max-request-megabytes", type=int, default=64, help="Longest request. Default: 64.")
    add("--no-warmup", dest="warmup", action="store_false", help="Be ready without the warm-up requests.")
    return parser


if __name__ == "__main__":
    main()
