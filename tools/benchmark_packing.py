"""Trains a pretrainer on packed rows and on padded ones, the same text and model: real tokens a second.

    python tools/benchmark_packing.py --data records --row-size 128 --size mini

Padded rows hold one example each, as BERT's own data does. Steps of both are timed in turn, in one process; a real
token is one that is not padding. A ratio over 1 means that packed rows are faster. On the CPU, padding is not computed
either way (`--padding computed` computes it, as TPUs and XLA must).
"""

import argparse
import pathlib
import statistics
import sys
import time

from benchmark_records import Neighbours, benchmark_parser, ratios, record


def main(argv: list[str] | None = None) -> dict:
    """Runs the benchmark and returns its summary."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    args = parser.parse_args(argv)
    import keras_bert

    try:
        manifest = keras_bert.data.read_manifest(args.data)
    except ValueError as error:
        parser.error(str(error))
    neighbours = Neighbours()
    steps = {name: training_step(args, manifest, examples) for name, examples in (("packed", None), ("padded", 1))}
    rates, fill = {name: [] for name in steps}, {}
    for place in range(args.rounds):
        for name, step in steps.items():
            tokens, slots, seconds = step(args.steps)
            rates[name].append(tokens / seconds)
            fill[name] = tokens / slots
            print(f"round {place}  {name}  {tokens / seconds:,.0f} tokens/s, {100 * fill[name]:.1f} % full", flush=True)
    summary = {
        "tokens_per_second": {name: statistics.median(values) for name, values in rates.items()},
        "fill": fill,
        "comparison": ratios([1 / v for v in rates["packed"]], [1 / v for v in rates["padded"]]),
    }
    record(args, __file__, argv, neighbours, summary=summary)
    print(f"packed / padded: {summary['comparison']['median_ratio']:.2f} of the real tokens a second")
    return summary


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = benchmark_parser(__doc__)
    add = parser.add_argument
    add("--data", type=pathlib.Path, required=True, help="A folder from build_pretraining_data.py.")
    add("--size", default="mini", help="Of the model. Default: mini.")
    add("--row-size", type=int, default=128, help="Default: 128.")
    add("--tokens", type=int, default=4096, help="Places of a batch. Default: 4096.")
    add("--steps", type=int, default=5, help="Of each round. Default: 5.")
    add("--rounds", type=int, default=3, help="Default: 3.")
    add("--padding", choices=("skipped", "computed"), default="skipped", help="Default: skipped.")
    return parser


def training_step(args: argparse.Namespace, manifest, max_examples):
    """Gives a function that trains some steps and tells real tokens, places and seconds."""
    import keras
    import numpy as np

    import keras_bert

    keras.utils.set_random_seed(0)
    encoder = keras_bert.BertEncoder(
        vocabulary_size=len(manifest.tokenizer().vocabulary), **keras_bert.SIZES[args.size]
    )
    pretrainer = keras_bert.BertPretrainer(encoder)
    pretrainer.compile(jit_compile=args.padding == "computed")
    stream = keras_bert.data.pretraining_batches(
        manifest, batch_size=args.tokens // args.row_size, row_size=args.row_size, max_examples=max_examples
    )
    batches = iter(stream)

    def run(steps):
        taken = [next(batches) for _ in range(steps)]
        real = sum(int(np.sum(inputs["padding_mask"].numpy() > 0)) for inputs, _, _ in taken)
        start = time.perf_counter()
        for batch in taken:
            pretrainer.train_on_batch(*batch)
        return real, steps * args.tokens, time.perf_counter() - start

    run(1)
    return run


if __name__ == "__main__":
    main()
