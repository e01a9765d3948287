"""Runs one encoder over a dense batch, no padding anywhere: the arithmetic alone, in three libraries.

    python tools/benchmark_encoder.py --size base --batch 16 --length 128 --precision float32 --mode training
    KERAS_BACKEND=jax python tools/benchmark_encoder.py --size base --peers keras_bert

Weights are random. Inference is a forward pass to the sequence output; training is a forward pass with dropout, the
gradients of a mean square and the update of the library's own AdamW. keras_bert and KerasHub run compiled by
`tf.function` in one process, in turn; transformers (torch, its default attention) in a process of its own, half of
its rounds before them and half after. bfloat16 is `mixed_bfloat16`, and autocast in torch: weights stay float32. With
KERAS_BACKEND=jax keras_bert runs alone, compiled by `jax.jit`, and TensorFlow is not needed. A ratio over 1 means
that keras_bert is faster. The CPU, unless CUDA_VISIBLE_DEVICES is set; transformers always on the CPU.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

from benchmark_records import (
    Neighbours,
    answer,
    benchmark_parser,
    cores,
    peer_list,
    ratios,
    record,
    run_worker,
)
from benchmark_steps import jax_step, keras_bert_step, keras_hub_step, torch_step

PEERS = ("keras_bert", "keras_hub", "transformers")


def main(argv: list[str] | None = None) -> dict:
    """Runs the benchmark and returns its summary."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.worker:
        return answer(
            args, {"times": measure({"transformers": torch_step(args)}, args.rounds)["transformers"]}
        )
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    try:
        peers = peer_list(args.peers or ("keras_bert" if backend == "jax" else ",".join(PEERS)), PEERS)
        if backend != "tensorflow" and (peers != ["keras_bert"] or backend != "jax"):
            raise ValueError(
                "On JAX keras_bert runs alone, and there is no other backend beside TensorFlow. "
                f"Received: KERAS_BACKEND={backend}, --peers {','.join(peers)}."
            )
    except ValueError as error:
        parser.error(str(error))
    print(
        f"{args.size}, {args.batch} x {args.length} tokens, {args.precision}, {args.mode}, {backend}, {cores()} cores.",
        flush=True,
    )
    neighbours = Neighbours()
    makers = {"keras_bert": jax_step if backend == "jax" else keras_bert_step, "keras_hub": keras_hub_step}
    steps = {peer: makers[peer] for peer in peers if peer in makers}
    times = times_in_turn(args, __file__, argv, run_worker, peers, steps)

    medians = {peer: statistics.median(seconds) for peer, seconds in times.items()}
    summary = {
        "backend": backend,
        "milliseconds": {peer: 1e3 * median for peer, median in medians.items()},
        "sequences_per_second": {peer: args.batch / median for peer, median in medians.items()},
        "comparisons": {
            peer: {
                "ratio_of_medians": medians[peer] / medians[peers[0]],
                **ratios(times[peers[0]], times[peer]),
            }
            for peer in peers[1:]
        },
    }
    record(args, __file__, argv, neighbours, summary=summary)
    for peer, milliseconds in summary["milliseconds"].items():
        speed = summary["sequences_per_second"][peer]
        print(f"median   {peer:<12}  {milliseconds:8.1f} ms a step  {speed:8.2f} sequences/s")
    for peer, part in summary["comparisons"].items():
        print(f"time of {peer} / {peers[0]}: {part['median_ratio']:.2f}")
    return summary


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = benchmark_parser(__doc__)
    add = parser.add_argument
    add("--size", default="base", help="A name of keras_bert.SIZES, or minilm. Default: base.")
    add("--batch", type=int, default=16, help="Rows. Default: 16.")
    add("--length", type=int, default=128, help="Tokens a row. Default: 128.")
    add("--precision", choices=("float32", "bfloat16"), default="float32", help="Default: float32.")
    add("--mode", choices=("inference", "training"), default="inference", help="Default: inference.")
    add("--rounds", type=int, default=10, help="Steps of each peer, after two to warm up. Default: 10.")
    add("--peers", help=f"Default: {','.join(PEERS)}; with JAX keras_bert alone. The first is ours.")
    return parser


def times_in_turn(
    args: argparse.Namespace, script: str, argv: list[str], run_worker: Callable, peers: list[str], makers: dict
) -> dict[str, list[float]]:
    """Times the steps of peers: those of TensorFlow here, in turn; transformers' before and after, in processes.

    Args:
        args: the flags.
        script: str. The tool's `__file__`.
        argv: list of str. The tool's own flags.
        run_worker: callable, `benchmark_records.run_worker`.
        peers: list of str.
        makers: dict of peer to a callable of the flags, that makes a step.

    Returns:
        dict of peer to list of float, seconds.
    """
    halves = (args.rounds - args.rounds // 2, args.rounds // 2)
    times = {peer: [] for peer in peers}
    if "transformers" in peers:
        times["transformers"] += run_worker(script, argv, "transformers", "--rounds", halves[0])["times"]
    times |= measure({peer: make(args) for peer, make in makers.items()}, args.rounds)
    if "transformers" in peers and halves[1]:
        times["transformers"] += run_worker(script, argv, "transformers", "--rounds", halves[1])["times"]
    return times


def measure(steps: dict, rounds: int) -> dict[str, list[float]]:
    """Times functions in turn.

    Args:
        steps: dict of peer to a function that returns when its work is done.
        rounds: int.

    Returns:
        dict of peer to list of float, seconds.
    """
    for step in steps.values():
        step()
        step()
    times = {peer: [] for peer in steps}
    for _ in range(rounds):
        for peer, step in steps.items():
            started = time.perf_counter()
            step()
            times[peer].append(time.perf_counter() - started)
    return times


if __name__ == "__main__":
    main()
