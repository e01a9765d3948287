"""Asks a running server at a given rate, whether it keeps up or not, and tells how long clients wait.

    python tools/load_test.py serving/sentiment/1 --target 127.0.0.1:8500 --seconds 180 --share 0.7

It first measures how much the server can do (every connection asks again as soon as it is answered), then asks at a
share of that, or at `--rate`. A request's time counts from when it was due: a server that falls behind shows it. Texts
are those of the model card, lengthened by up to `--longest` words. Results go to `--output`: `load_test.json` and
`load_test.png`.
"""

import argparse
import concurrent.futures
import json
import pathlib
import random
import sys
import threading
import time

import numpy as np
from matplotlib.figure import Figure

import keras_bert

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "recipes"))
import plots

PERCENTILES = (50, 90, 99, 99.9)


def main(argv: list[str] | None = None) -> dict:
    """Runs the test and returns what it writes to `load_test.json`."""
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        card = json.loads((args.directory / keras_bert.serving.CARD).read_text(encoding="utf-8"))
        ask = connect(args, requests(card["examples"][0]["inputs"], args), card["examples"][0]["signature"])
    except (OSError, ValueError, ImportError) as error:
        parser.error(str(error))
    closed = measure(ask, args.connections, args.warm_up_seconds, None)
    check_answers(parser, closed)
    closed = measure(ask, args.connections, args.capacity_seconds, None)
    capacity = len(closed) / args.capacity_seconds
    rate = args.rate or args.share * capacity
    print(f"{args.connections} connections, capacity {capacity:.1f} requests/s; now {rate:.1f} requests/s", flush=True)
    before = resident_megabytes(args.pid)
    found = measure(ask, args.connections, args.seconds, rate)
    milliseconds = [1e3 * each["seconds"] for each in found]
    result = {
        "arguments": {name: str(value) for name, value in vars(args).items()},
        "capacity": capacity,
        "rate": rate,
        "requests": len(found),
        "errors": count_errors(found),
        "milliseconds": {str(p): float(np.percentile(milliseconds, p)) for p in PERCENTILES},
        "megabytes": [before, resident_megabytes(args.pid)],
    }
    args.output.mkdir(parents=True, exist_ok=True)
    with keras_bert.presets.atomic_file(args.output / "load_test.json") as new:
        new.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    with keras_bert.presets.atomic_file(args.output / "load_test.png") as new:
        draw(new, found, rate)
    show(result)
    return result


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("directory", type=pathlib.Path, help="The version that is served: its model card tells how it is asked.")
    add("--target", default="127.0.0.1:8500", help="Address of the gRPC service. Default: 127.0.0.1:8500.")
    add("--model-name", help="Default: the name of the directory of versions.")
    add("--connections", type=int, default=32, help="Default: 32.")
    add("--rate", type=float, help="Requests a second. Default: --share of the measured capacity.")
    add("--share", type=float, default=0.7, help="Default: 0.7.")
    add("--seconds", type=float, default=60, help="Default: 60.")
    add("--warm-up-seconds", type=float, default=5, help="Asked before anything is measured. Default: 5.")
    add("--capacity-seconds", type=float, default=10, help="Default: 10.")
    add("--batch-size", type=int, default=1, help="Rows of a request. Default: 1.")
    add("--longest", type=int, default=64, help="Words added to a text at most. Default: 64.")
    add("--timeout", type=float, default=30, help="Seconds after which a request has failed. Default: 30.")
    add("--pid", type=int, help="Process of the server, to watch its memory (Linux).")
    add("--seed", type=int, default=0, help="Default: 0.")
    add("--output", type=pathlib.Path, default="output/load_test", help="Default: output/load_test.")
    return parser


def requests(examples: dict, args: argparse.Namespace) -> list[dict]:
    """Makes 256 requests of mixed lengths from an example."""
    draw = random.Random(args.seed)

    def lengthened(example, words):
        tail = " a" * words
        return example + tail if isinstance(example, str) else [choice + tail for choice in example]

    def request():
        lengths = [draw.randint(0, args.longest) for _ in range(args.batch_size)]
        return {name: [lengthened(texts[0], words) for words in lengths] for name, texts in examples.items()}

    return [request() for _ in range(256)]


def connect(args: argparse.Namespace, inputs: list[dict], signature: str):
    """Opens the connections; gives a function that asks one of the requests over one of them."""
    try:
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
    except ImportError as error:
        raise ImportError('tensorflow-serving-api is missing. Run: pip install ".[serving]"') from error
    # Else all channels to one address share a connection.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    channels = [grpc.insecure_channel(args.target, options) for _ in range(args.connections)]
    asks = [prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict for channel in channels]
    ready = []
    for each in inputs:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = args.model_name or args.directory.resolve().parent.name
        request.model_spec.signature_name = signature
        for name, texts in each.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(texts, tf.string))
        ready.append(request)

    def ask(connection, number):
        try:
            asks[connection](ready[number % len(ready)], timeout=args.timeout)
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()[:200]}"
        return ""

    return ask


def measure(ask, connections: int, seconds: float, rate: float | None) -> list[dict]:
    """Asks for some seconds, at a rate, or as fast as the answers come.

    Returns:
        List of dicts: `due`, seconds after the start; `seconds`, from then to the answer; `error`, "" for none.
    """
    found, lock, start = [], threading.Lock(), time.perf_counter()
    numbers = iter(range(sys.maxsize))

    def run(connection):
        while True:
            with lock:
                number = next(numbers)
            due = time.perf_counter() - start if rate is None else number / rate
            if due >= seconds:
                return
            time.sleep(max(0.0, start + due - time.perf_counter()))
            error = ask(connection, number)
            found.append({"due": due, "seconds": time.perf_counter() - start - due, "error": error})

    with concurrent.futures.ThreadPoolExecutor(connections) as pool:
        list(pool.map(run, range(connections)))
    return found


def check_answers(parser: argparse.ArgumentParser, found: list[dict]) -> None:
    """Stops where nothing is answered at all."""
    if all(each["error"] for each in found):
        parser.error(f"The server answers no request. Received: {found[0]['error'] if found else 'nothing'}.")


def count_errors(found: list[dict]) -> dict:
    """Counts the errors by what they say."""
    said = [each["error"] for each in found if each["error"]]
    return {error: said.count(error) for error in sorted(set(said))}


def resident_megabytes(pid: int | None) -> float | None:
    """Reads how much memory a process holds."""
    if pid is None:
        return None
    lines = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def draw(path: pathlib.Path, found: list[dict], rate: float) -> None:
    """Draws every request's time over the test, and how many took how long."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    over_time, shares = figure.subplots(1, 2)
    milliseconds = np.array([1e3 * each["seconds"] for each in found])
    failed = np.array([bool(each["error"]) for each in found])
    due = np.array([each["due"] for each in found])
    over_time.plot(due[~failed], milliseconds[~failed], ".", markersize=2, label="answered")
    over_time.plot(due[failed], milliseconds[failed], "x", color="#b2182b", label=f"failed: {failed.sum()}")
    over_time.set(xlabel="seconds", ylabel="milliseconds", title=f"{rate:.1f} requests/s", yscale="log")
    over_time.legend(loc="upper right")
    shares.plot(np.sort(milliseconds), 100 * np.arange(1, len(found) + 1) / len(found))
    shares.set(xlabel="milliseconds", ylabel="% of requests answered by then", xscale="log", ylim=(0, 101))
    for axis in (over_time.yaxis, shares.xaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("{x:g}")
    for percentile in (50, 99):
        value = np.percentile(milliseconds, percentile)
        shares.axvline(value, color="grey", linewidth=0.8, linestyle=":")
        shares.annotate(f"{percentile} %: {value:.0f} ms", (value, 5), rotation=90, ha="right", fontsize=8)
    plots.save(figure, path)


def show(result: dict) -> None:
    """Prints what was found."""
    times = ", ".join(f"{p} % {value:.1f} ms" for p, value in result["milliseconds"].items())
    print(f"{result['requests']} requests, {sum(result['errors'].values())} errors; {times}")
    for error, count in result["errors"].items():
        print(f"{count} times {error}")
    before, after = result["megabytes"]
    if before is not None:
        print(f"memory {before:.0f} MB before, {after:.0f} MB after: {100 * (after / before - 1):+.1f} %")


if __name__ == "__main__":
    main()
