"""Training steps of an encoder in three libraries: seconds, share of what matrix products reach, and peak memory.

    python tools/benchmark_training.py --sizes base,minilm --precisions float32,bfloat16 --batch 16 --length 128

Random weights, full rows, dropout, the library's own AdamW, as benchmark_encoder.py measures. The ceiling is a product
of two matrices of 2048 x 2048 in the same precision, measured in turn with the steps; a step's arithmetic is three
times that of its products forward. Peak memory is the most resident memory of a process of its own that makes the
model and takes two steps, beside what it held after two of a tiny model; on Linux only. The table goes to standard
output, a line for each setting to --results.
"""

import argparse
import statistics
import sys

from benchmark_encoder import PEERS, measure, times_in_turn
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
from benchmark_steps import (
    MINILM,
    SIDE,
    arithmetic,
    keras_bert_step,
    keras_hub_step,
    matmul_step,
    torch_step,
)
from peak_memory import peak_bytes

MAKERS = {"keras_bert": keras_bert_step, "keras_hub": keras_hub_step, "transformers": torch_step}
HEADER = ("size", "precision", "rows", "peer", "seconds a step", "share of the ceiling", "peak memory")


def main(argv: list[str] | None = None) -> dict:
    """Runs the benchmark and returns its summary."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.worker:
        return answer(args, work(args))
    import keras_bert

    try:
        peers = peer_list(args.peers, PEERS)
        sizes, precisions = args.sizes.split(","), args.precisions.split(",")
        known = {"minilm": MINILM, **keras_bert.SIZES}
        if set(sizes) - set(known):
            raise ValueError(f"`--sizes` must be among {', '.join(known)}. Received: {args.sizes!r}.")
        if set(precisions) - {"float32", "bfloat16"}:
            raise ValueError(f"`--precisions` must be among float32, bfloat16. Received: {args.precisions!r}.")
    except ValueError as error:
        parser.error(str(error))
    print(f"{args.batch} x {args.length} tokens, {cores()} cores.", flush=True)
    print("| " + " | ".join(HEADER) + " |\n|" + " --- |" * len(HEADER), flush=True)
    neighbours, summary = Neighbours(), {}
    for size in sizes:
        for precision in precisions:
            found = compare(args, argv, peers, size, precision)
            record(args, __file__, argv, neighbours, size=size, precision=precision, summary=found)
            for peer, part in found["peers"].items():
                speed = f"{part['seconds']:.3f} | {part['share']:.0%} of {found['ceiling'] / 1e9:.0f} GFLOP/s"
                rows = f"{args.batch} x {args.length}"
                print(f"| {size} | {precision} | {rows} | {peer} | {speed} | {part['peak'] / 1e9:.2f} GB |", flush=True)
            summary[f"{size} {precision}"] = found
    return summary


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = benchmark_parser(__doc__)
    add = parser.add_argument
    add("--sizes", default="base,minilm", help="Of keras_bert.SIZES, or minilm. Default: base,minilm.")
    add("--precisions", default="float32,bfloat16", help="Default: float32,bfloat16.")
    add("--batch", type=int, default=16, help="Rows. Default: 16.")
    add("--length", type=int, default=128, help="Tokens a row. Default: 128.")
    add("--rounds", type=int, default=10, help="Steps of each peer, after two to warm up. Default: 10.")
    add("--peers", default=",".join(PEERS), help=f"Default: {','.join(PEERS)}; the first is ours.")
    add("--size", help=argparse.SUPPRESS)  # these two of a worker
    add("--precision", help=argparse.SUPPRESS)
    parser.set_defaults(mode="training")
    return parser


def compare(args: argparse.Namespace, argv: list[str], peers: list[str], size: str, precision: str) -> dict:
    """Measures the peers in one setting: times in turn, then the memory of each."""
    args = argparse.Namespace(**{**vars(args), "size": size, "precision": precision})
    flags = [*argv, "--size", size, "--precision", precision]
    makers = {peer: MAKERS[peer] for peer in peers if peer != "transformers"} | {"matmul": matmul_step}
    times = times_in_turn(args, __file__, flags, run_worker, peers, makers)
    ceiling = 2 * SIDE**3 / statistics.median(times.pop("matmul"))
    found = {}
    for peer, seconds in times.items():
        median = statistics.median(seconds)
        peak = run_worker(__file__, flags, f"memory of {peer}")["peak"]
        found[peer] = {"seconds": median, "share": arithmetic(args) / median / ceiling, "peak": peak}
    ours, *others = times
    comparisons = {
        peer: {**ratios(times[ours], times[peer]), "peak_ratio": found[peer]["peak"] / found[ours]["peak"]}
        for peer in others
    }
    return {"ceiling": ceiling, "peers": found, "comparisons": comparisons}


def work(args: argparse.Namespace) -> dict:
    """Takes a peer's steps in this process: for their times, or for their memory."""
    if args.worker == "transformers":
        return {"times": measure({"transformers": torch_step(args)}, args.rounds)["transformers"]}
    make = MAKERS[args.worker.removeprefix("memory of ")]
    small = argparse.Namespace(**{**vars(args), "size": "tiny", "batch": 1, "length": 4})

    def take_steps(args):
        step = make(args)
        step()
        step()

    # What a first small step loads is the library, and no part of what is measured.
    return {"peak": peak_bytes(lambda: take_steps(args), lambda: take_steps(small))}


if __name__ == "__main__":
    main()
