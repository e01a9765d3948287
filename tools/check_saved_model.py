"""Checks a SavedModel before it is deployed: what it is, which servers load it, whether it answers as it should.

    python tools/check_saved_model.py serving/sentiment/1

It loads the model as TF Serving does, replays the examples of its model card, each alone and all at once, and ends with
status 1 where something is wrong.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import tensorflow as tf
from served_model import WARM_UP, ServedModel

import keras_bert

# Kinds whose answers another run may not give again.
_RANDOM = ("Random", "Multinomial", "Dropout", "StatelessTruncatedNormal", "Rng")


def main(argv: list[str] | None = None) -> dict:
    """Runs the checks and returns what they found; `problems` lists what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("directory", type=pathlib.Path, help="A version, or the directory of versions: then the highest.")
    oldest, *_, newest = servers = keras_bert.serving.SERVERS
    text = f"The oldest TF Serving that must load it. Default: {oldest}, which stands for all before {newest}."
    add("--minimum-server", choices=servers, default=oldest, help=text)
    add("--tolerance", type=float, default=1e-4, help="Of scores against the model card's. Default: 1e-4.")
    args = parser.parse_args(argv)
    try:
        model = ServedModel(args.directory)
        card = read_card(model.directory)
    except ValueError as error:
        parser.error(str(error))
    found = {"directory": str(model.directory), "megabytes": size(model.directory), "model": card.get("model")}
    found |= operations(model.directory, args.minimum_server)
    found["signatures"] = {name: described(signature) for name, signature in sorted(model.signatures.items())}
    found["warm_up_requests"] = warm_up_requests(model.directory)
    found["examples"] = [replay(model, example) for example in card.get("examples", [])]
    found["problems"] = problems(found, args)
    model.close()
    show(found)
    return found


def read_card(directory: pathlib.Path) -> dict:
    """Reads the model card; an export of another library has none."""
    file = directory / keras_bert.serving.CARD
    if not file.is_file():
        return {}
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"The model card must be JSON. Received: {file}: {error}. Export the model again.") from error


def size(directory: pathlib.Path) -> float:
    """Adds the files up, in MB."""
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file()) / 1e6


def operations(directory: pathlib.Path, server: str) -> dict:
    """Tells which operations there are, which servers know them all, and which draw random numbers."""
    graph = keras_bert.serving.read_graph(directory)
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    kinds = {node.op for node in nodes} - {function.signature.name for function in graph.library.function}
    unknown = {each: keras_bert.serving.unknown_operations(graph, each) for each in keras_bert.serving.SERVERS}
    return {
        "operations": len(kinds),
        "oldest_server": next((each for each, names in unknown.items() if not names), None),
        "unknown": unknown[server],
        "random": sorted(kind for kind in kinds if any(part in kind for part in _RANDOM)),
    }


def described(signature) -> dict:
    """Describes a signature: its method, and each input and output as text."""
    sides = {"inputs": signature.inputs, "outputs": signature.outputs}
    found = {"method": signature.method_name.removeprefix("tensorflow/serving/")}
    for side, infos in sides.items():
        found[side] = {}
        for name, info in sorted(infos.items()):
            shape = "?" if info.tensor_shape.unknown_rank else [dim.size for dim in info.tensor_shape.dim]
            found[side][name] = f"{tf.as_dtype(info.dtype).name} {shape}"
    return found


def warm_up_requests(directory: pathlib.Path) -> int:
    """Counts the requests with which a server warms up."""
    file = directory / WARM_UP
    return sum(1 for _ in tf.data.TFRecordDataset(str(file))) if file.is_file() else 0


def replay(model: ServedModel, example: dict) -> dict:
    """Asks what a model card says, all at once, once more, and each row alone.

    Returns:
        dict: `rows`; `texts_differ`, names of outputs; `scores_differ`, the largest difference from the card; and
        `is_repeated` and `alone_differs`, the same for answers that a second request and rows alone get.
    """
    signature = model.signature(example["signature"])
    inputs = {name: np.array(texts, object) for name, texts in example["inputs"].items()}
    answers, again = model.ask(signature, inputs), model.ask(signature, inputs)
    rows = len(next(iter(inputs.values())))
    differ = {name: difference(values, example["outputs"][name]) for name, values in answers.items()}
    alone = []
    for row in range(rows):
        for name, answer in model.ask(signature, {key: x[row : row + 1] for key, x in inputs.items()}).items():
            # Among others a row may be filled up to the longest of them.
            among = answers[name][(slice(row, row + 1), *map(slice, answer.shape[1:]))]
            alone.append(difference(among, answer))
    return {
        "rows": rows,
        "texts_differ": sorted(name for name, value in differ.items() if value is None),
        "scores_differ": max((value for value in differ.values() if value is not None), default=0.0),
        "is_repeated": all(np.array_equal(values, again[name]) for name, values in answers.items()),
        "alone_differs": None if None in alone else max(alone, default=0.0),
    }


def difference(found: np.ndarray, expected) -> float | None:
    """Gives the largest difference of two arrays of numbers, 0 for equal texts, or None for what is not alike."""
    expected = np.array(expected, found.dtype) if found.dtype != object else np.array(expected, object)
    if found.shape != expected.shape and found.size + expected.size:
        return None
    if found.dtype == object:
        return 0.0 if keras_bert.serving.plain(found.tolist()) == keras_bert.serving.plain(expected.tolist()) else None
    return float(np.abs(found.astype("float64") - expected.astype("float64")).max(initial=0.0))


def problems(found: dict, args: argparse.Namespace) -> list[str]:
    """Lists what is wrong."""
    wrong = []
    if found["unknown"]:
        wrong.append(f"servers of {args.minimum_server} do not know {', '.join(found['unknown'])}")
    if found["random"]:
        wrong.append(f"answers may be random: {', '.join(found['random'])}")
    for example in found["examples"]:
        if example["texts_differ"]:
            wrong.append(f"other texts than on the card: {', '.join(example['texts_differ'])}")
        if not example["scores_differ"] <= args.tolerance:
            wrong.append(f"scores differ from the card's by {example['scores_differ']:.1e}")
        if not example["is_repeated"]:
            wrong.append("the same request gets other answers")
        if example["alone_differs"] is None or not example["alone_differs"] <= args.tolerance:
            wrong.append("a row alone gets another answer than among others")
    return wrong


def show(found: dict) -> None:
    """Prints what was found."""
    print(f"{found['directory']}: {found['model'] or 'no model card'}, {found['megabytes']:.1f} MB")
    oldest = found["oldest_server"]
    print(f"{found['operations']} kinds of operations; the oldest server: {oldest or 'none that is known'}")
    for name, signature in found["signatures"].items():
        print(f"{name} ({signature['method']})")
        for side in ("inputs", "outputs"):
            for part, text in signature[side].items():
                print(f"    {side[:-1]:<6} {part}: {text}")
    print(f"{found['warm_up_requests']} warm-up requests")
    for example in found["examples"]:
        print(f"{example['rows']} examples asked: scores within {example['scores_differ']:.1e} of the card's")
    for problem in found["problems"]:
        print(f"PROBLEM: {problem}")
    if not found["problems"]:
        print("Nothing is wrong.")


if __name__ == "__main__":
    sys.exit(bool(main()["problems"]))
