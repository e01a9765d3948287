"""Asks a running TF Serving, or what speaks its REST, what a model card says it should answer.

    python tools/smoke_test.py serving/sentiment/1/model_card.json --url http://127.0.0.1:8501 --model-name sentiment

Waits until the model is available, replays the card's examples, and ends with status 1 where an answer differs. It
needs nothing but Python and NumPy, so that it runs in any job.
"""

import argparse
import json
import pathlib
import sys
import time
import urllib.error
import urllib.request

import numpy as np


def main(argv: list[str] | None = None) -> list[str]:
    """Asks the server and returns what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("card", type=pathlib.Path, help="model_card.json of the version that is served.")
    add("--url", default="http://127.0.0.1:8501", help="Default: http://127.0.0.1:8501.")
    add("--model-name", required=True, help="What the server calls it.")
    add("--wait", type=float, default=60, help="Seconds until the model must be available. Default: 60.")
    add("--tolerance", type=float, default=1e-4, help="Of scores. Default: 1e-4.")
    args = parser.parse_args(argv)
    try:
        examples = json.loads(args.card.read_text(encoding="utf-8"))["examples"]
    except (OSError, ValueError, KeyError) as error:
        parser.error(f"The card must be the model_card.json of an export. Received: {args.card}: {error!r}.")
    model = f"{args.url.rstrip('/')}/v1/models/{args.model_name}"
    try:
        wait_until_available(model, args.wait)
        wrong = [
            f"{name}: {problem}"
            for example in examples
            for name, problem in differences(ask(model, example), example["outputs"], args.tolerance).items()
        ]
    except OSError as error:
        wrong = [str(error)]
    rows = sum(len(next(iter(example["inputs"].values()))) for example in examples)
    print(*(f"PROBLEM: {problem}" for problem in wrong), sep="\n", end="\n" if wrong else "")
    print(f"{model}: {rows} examples asked, {len(wrong)} problems")
    return wrong


def wait_until_available(model: str, seconds: float) -> None:
    """Asks for the model's state until it is served."""
    end = time.monotonic() + seconds
    while True:
        try:
            states = [version["state"] for version in fetch(model)["model_version_status"]]
        except OSError as error:
            states = [str(error)]
        if "AVAILABLE" in states:
            return
        if time.monotonic() > end:
            raise OSError(f"The model must be served. Received from {model}: {', '.join(states)}. Look at its log.")
        time.sleep(0.5)


def ask(model: str, example: dict) -> dict:
    """Asks for all rows of an example at once, in columns; gives the outputs by name."""
    body = {"signature_name": example["signature"], "inputs": example["inputs"]}
    outputs = fetch(f"{model}:predict", json.dumps(body).encode())["outputs"]
    # A single output comes bare.
    return outputs if isinstance(outputs, dict) else {next(iter(example["outputs"])): outputs}


def fetch(url: str, body: bytes | None = None) -> dict:
    """Gets or posts JSON."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise OSError(f"{url}: {error.code} {error.read()[:500].decode('utf-8', 'replace')}") from error


def differences(found: dict, expected: dict, tolerance: float) -> dict:
    """Tells of each output that differs how it does."""
    wrong = {name: "is missing" for name in expected if name not in found}
    for name in expected.keys() & found.keys():
        ours, theirs = np.array(expected[name]), np.array(found[name])
        if ours.shape != theirs.shape and ours.size + theirs.size:
            wrong[name] = f"has shape {theirs.shape} in the place of {ours.shape}"
        elif ours.dtype.kind == "U" and (ours != theirs).any():
            wrong[name] = f"is {found[name]} in the place of {expected[name]}"
        elif ours.dtype.kind != "U" and not np.abs(ours - theirs).max(initial=0.0) <= tolerance:
            wrong[name] = f"differs by {np.abs(ours - theirs).max():.1e}"
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main()))
