"""Fine-tunes one recipe in keras_bert and in PyTorch transformers, seed by seed in turn: accuracy and wall time.

    python tools/benchmark_finetuning.py --data sst2 --seeds 3 --precision float32

Both start from the same weights and the raw strings: AdamW (weight decay 0.01 but on biases and norms, epsilon 1e-6),
linear warm-up over a tenth of the steps and linear decay, gradients clipped at a global norm of 1, dropout 0.1, new
order in every epoch, rows padded to the batch's longest. The time is that of training alone, from strings to the
last update: tokenizing, and in keras_bert the tracing of `fit`, are in it; imports, reading of files and evaluation
are not. The peer `random_weights` is keras_bert's model without what it learned before. Each run is a process of its
own, and adds its line to --results as soon as it ends. On the CPU.

Texts and pairs (sst2, mrpc, sick, sts) are scored as in the literature, questions (squad: the part of the train set
that is at hand) by F1, words (wnut17, msra_ner) by strict entity F1, in shares. Peers can begin with the same random
weights, from a preset that is made for it, such as `zh_preset` of the results: Chinese BERT's vocabulary and
`BertPretrainer(BertEncoder(21128, **SIZES["mini"]), BertPreprocessor(tokenizer)).save_to_preset("zh_preset")`.
"""

import argparse
import pathlib
import sys

import benchmark_questions
import benchmark_texts
import benchmark_words
from benchmark_records import (
    DATA,
    MODEL,
    Neighbours,
    answer,
    benchmark_parser,
    cores,
    peer_list,
    record,
    run_worker,
)
from benchmark_scores import print_summary, summarize

SUITES = {
    **dict.fromkeys(("sst2", "mrpc", "sick", "sts"), benchmark_texts),
    "squad": benchmark_questions,
    **dict.fromkeys(("wnut17", "msra_ner"), benchmark_words),
}


def main(argv: list[str] | None = None) -> dict:
    """Runs the benchmark and returns its summary."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    args = parser.parse_args(argv)
    suite = SUITES[args.data]
    rows = (args.train_rows, args.dev_rows)
    if args.worker:
        task = suite.read_task(args.data, args.data_folder, *rows)
        return answer(args, suite.PEERS[args.worker](args, task))
    try:
        peers = peer_list(args.peers, suite.PEERS)
        task = suite.read_task(args.data, args.data_folder, *rows)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    counts = "{} training rows, {} to evaluate".format(*task.sizes())
    recipe = (
        f"{args.epochs} epochs, batch {args.batch_size}, learning rate {args.learning_rate}, {args.precision}"
    )
    print(f"{args.data}: {counts}; {recipe}, {cores()} cores.", flush=True)
    neighbours = Neighbours()
    runs = {peer: [] for peer in peers}
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        for peer in peers:
            run = run_worker(__file__, argv, peer, "--seed", seed)
            figures = {name: run[name] for name in ("seconds", "cpu_seconds", "evaluation_seconds", "loss")}
            figures |= suite.score(task, run["predictions"])
            record(args, __file__, argv, neighbours, data=args.data, peer=peer, seed=seed, figures=figures)
            runs[peer].append(figures)
            text = "  ".join(f"{name} {value:.4g}" for name, value in figures.items() if name != "seconds")
            print(f"seed {seed}  {peer:<12}  {figures['seconds']:7.1f} s  {text}", flush=True)
    summary = summarize(runs, task.sizes()[1])
    record(args, __file__, argv, neighbours, data=args.data, summary=summary)
    print_summary(summary)
    return summary


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = benchmark_parser(__doc__)
    add = parser.add_argument
    add("--data", choices=list(SUITES), default="sst2", help="Task. Default: sst2.")
    add("--data-folder", type=pathlib.Path, default=DATA, help=f"Folder of the data sets. Default: {DATA}.")
    add("--model", default=str(MODEL), help=f"Directory in Hugging Face's layout, or a preset. Default: {MODEL}.")
    add("--epochs", type=int, default=3, help="Default: 3.")
    add("--batch-size", type=int, default=32, help="Default: 32.")
    add("--learning-rate", type=float, default=5e-5, help="Highest. Default: 5e-5.")
    add("--sequence-length", type=int, default=128, help="Longest row in tokens. Default: 128.")
    add("--seeds", type=int, default=3, help="Runs a peer. Default: 3.")
    add("--first-seed", type=int, default=0, help="Default: 0.")
    add("--precision", choices=("float32", "bfloat16"), default="float32", help="Default: float32.")
    add(
        "--peers",
        default="keras_bert,transformers",
        help="Default: keras_bert,transformers; the first is ours.",
    )
    add("--train-rows", type=int, help="So many training rows, the same for all. Default: all; 5000 of sts.")
    add("--dev-rows", type=int, help="So many rows to evaluate on. Default: all.")
    add("--seed", type=int, default=0, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
