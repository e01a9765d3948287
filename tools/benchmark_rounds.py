"""Peers that answer the same inputs in turn, round by round: in batches, and one by one."""

import argparse
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

from benchmark_records import Neighbours, ratios, record

SETTINGS = ("batch", "single")


def rounds_flags(parser: argparse.ArgumentParser, peers: Sequence[str], single_texts: int) -> None:
    """Adds the flags that say how often what is measured.

    Args:
        parser: `argparse.ArgumentParser`.
        peers: sequence of str. The first is ours.
        single_texts: int. The default of `--single-texts`.
    """
    add, names = parser.add_argument, ",".join(peers)
    add("--batch-size", type=int, default=32, help="Default: 32.")
    single = {"type": int, "default": single_texts}
    add("--single-texts", **single, help=f"Texts answered one by one. Default: {single_texts}.")
    add("--rounds", type=int, default=5, help="Measurements of each peer. Default: 5.")
    add("--peers", default=names, help=f"Default: {names}; the first is ours.")
    add("--folder", type=pathlib.Path, help=argparse.SUPPRESS)  # what the makers wrote


def run_rounds(
    args: argparse.Namespace,
    script: str,
    argv: list[str],
    run_worker: Callable,
    peers: list[str],
    makers: Sequence[str],
    count: int,
    compare: Callable,
) -> dict:
    """Lets the makers write what the peers load, measures the peers in turn, and records and prints what was found.

    Args:
        args: the flags.
        script: str. The tool's `__file__`.
        argv: list of str. The tool's own flags.
        run_worker: callable, `benchmark_records.run_worker`.
        peers: list of str. The first is ours.
        makers: sequence of str. Workers.
        count: int. Inputs.
        compare: callable of the answers of two peers; gives a dict.

    Returns:
        dict, the summary.
    """
    neighbours = Neighbours()
    rounds = {peer: [] for peer in peers}
    with tempfile.TemporaryDirectory() as folder:
        for maker in makers:
            run_worker(script, argv, maker, "--folder", folder)
        for place in range(args.rounds):
            for peer in peers:
                figures = run_worker(script, argv, peer, "--folder", folder)
                rounds[peer].append(figures)
                speeds = {
                    "texts_per_second": count / figures["batch"],
                    "milliseconds": 1e3 * figures["single"],
                }
                record(args, script, argv, neighbours, peer=peer, round=place, figures=speeds)
                print(f"round {place}  {peer:<12}  {describe(speeds)}", flush=True)
    summary = summarize(rounds, count, compare)
    record(args, script, argv, neighbours, summary=summary)
    for peer, part in summary["peers"].items():
        print(f"median   {peer:<12}  {describe(part)}")
    for peer, part in summary["comparisons"].items():
        found = ", ".join(f"{setting} {part[setting]['median_ratio']:.2f}" for setting in SETTINGS)
        print(f"time of {peer} / {peers[0]}: {found}")
    return summary


def load_signature(path: pathlib.Path, batch_size: int, ask: Callable) -> tuple[Callable, Callable]:
    """Loads a SavedModel of strings.

    Args:
        path: `pathlib.Path`.
        batch_size: int.
        ask: callable of the signature and inputs; gives a list of answers.

    Returns:
        Two callables of inputs: one that asks batch by batch, one that asks all at once.
    """
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  (registers the tokenizer's operations)

    model = tf.saved_model.load(str(path))
    signature = model.signatures["serving_default"]

    def ask_once(inputs):
        return ask(signature, inputs)

    def ask_all(inputs):
        return [row for low in range(0, len(inputs), batch_size) for row in ask_once(inputs[low : low + batch_size])]

    # Whoever loads a SavedModel must hold on to it, or its variables go.
    ask_once.model = model
    return ask_all, ask_once


def measure(args: argparse.Namespace, score_all, score, texts: list) -> dict:
    """Times all texts in batches, and some one by one: seconds in all, and the median of one."""
    singles = texts[: args.single_texts]
    answers = score_all(texts)
    for text in singles:
        score([text])
    started = time.perf_counter()
    score_all(texts)
    batch = time.perf_counter() - started
    times = []
    for text in singles:
        started = time.perf_counter()
        score([text])
        times.append(time.perf_counter() - started)
    return {"batch": batch, "single": statistics.median(times), "answers": answers}


def summarize(rounds: dict[str, list[dict]], texts: int, compare: Callable) -> dict:
    """Takes medians over the rounds, and compares the first peer with each of the others."""
    ours, *others = rounds
    series = {peer: {name: [run[name] for run in runs] for name in SETTINGS} for peer, runs in rounds.items()}
    medians = {
        peer: {
            "texts_per_second": texts / statistics.median(times["batch"]),
            "milliseconds": 1e3 * statistics.median(times["single"]),
        }
        for peer, times in series.items()
    }
    comparisons = {
        peer: {
            **{name: ratios(series[ours][name], series[peer][name]) for name in SETTINGS},
            **compare(rounds[ours][0]["answers"], rounds[peer][0]["answers"]),
        }
        for peer in others
    }
    return {"peers": medians, "comparisons": comparisons}


def describe(speeds: dict) -> str:
    """Writes the two speeds for a reader."""
    return (
        f"{speeds['texts_per_second']:7.1f} texts/s in batches  {speeds['milliseconds']:6.1f} ms for one text"
    )
