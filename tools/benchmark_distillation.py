"""Trains a smaller model with a teacher and without, seed by seed in turn: what the teacher is worth.

    python tools/benchmark_distillation.py --seeds 3 --layers 4 --precision bfloat16

Both arms start from the same layers of the same pretrained model and the same random head, and take the same texts in
the same number of epochs; `alone` learns the labels, `taught` also the teacher's probabilities and hidden states. Each
arm has the best of its --learning-rates, chosen with the first seed. The teacher, --model whole, is fine-tuned to the
same texts first, or is --teacher. The time is that of training, the teacher's answers in it. Each run is a process of
its own, and adds its line to --results as soon as it ends. On the CPU.
"""

import argparse
import pathlib
import sys
import tempfile
import time

from benchmark_data import TASKS, LabelledTexts, read_task
from benchmark_records import (
    DATA,
    MODEL,
    Neighbours,
    answer,
    benchmark_parser,
    cores,
    record,
    run_worker,
)
from benchmark_scores import print_summary, summarize
from benchmark_texts import score

ARMS = ("taught", "alone")


def main(argv: list[str] | None = None) -> dict:
    """Runs the benchmark and returns its summary."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        rates = [float(rate) for rate in args.learning_rates.split(",")]
        task = read_task(args.data, args.data_folder, args.train_rows, args.dev_rows)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if args.worker:
        return answer(args, run(args, task))
    print("{}: {} training rows, {} to evaluate; {} cores.".format(args.data, *task.sizes(), cores()), flush=True)
    neighbours = Neighbours()

    def measure(arm, seed, rate, teacher):
        flags = ("--seed", seed, "--rate", rate, "--teacher", teacher)
        found = run_worker(__file__, argv, arm, *flags)
        figures = {name: found[name] for name in ("seconds", "cpu_seconds", "loss", "parameters")}
        figures |= score(task, found["predictions"])
        record(args, __file__, argv, neighbours, data=args.data, peer=arm, seed=seed, rate=rate, figures=figures)
        text = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        print(f"seed {seed}  rate {rate:g}  {arm:<8}  {text}", flush=True)
        return figures

    runs, best = {arm: [] for arm in ARMS}, {}
    with tempfile.TemporaryDirectory() as folder:
        teacher = args.teacher or str(pathlib.Path(folder, "teacher"))
        if not args.teacher:
            measure("teacher", args.seed, args.teacher_rate, teacher)
        for seed in range(args.seed, args.seed + args.seeds):
            for arm in ARMS:
                tried = {rate: measure(arm, seed, rate, teacher) for rate in best.get(arm, rates)}
                rate = max(tried, key=lambda rate: tried[rate]["accuracy"])
                best[arm] = [rate]
                runs[arm].append(tried[rate])
    summary = summarize(runs, task.sizes()[1]) | {"rates": {arm: rate for arm, (rate,) in best.items()}}
    record(args, __file__, argv, neighbours, data=args.data, summary=summary)
    print_summary(summary)
    return summary


def run(args: argparse.Namespace, task: LabelledTexts) -> dict:
    """Trains the teacher, or a student in one of the arms."""
    import keras

    import keras_bert

    keras.utils.set_random_seed(args.seed)
    dtype = "mixed_bfloat16" if args.precision == "bfloat16" else "float32"
    classifier = keras_bert.BertClassifier.from_preset(
        args.model, labels=task.labels, sequence_length=args.sequence_length, dtype=dtype
    )
    if args.worker != "teacher":
        classifier = classifier.with_layers(args.layers)
    model = classifier
    if args.worker == "taught":
        teacher = keras_bert.BertClassifier.from_preset(
            args.teacher, sequence_length=args.sequence_length, dtype=dtype
        )
        model = keras_bert.BertDistiller(classifier, teacher, args.temperature, args.alpha, args.hidden_weight)
    model.compile(learning_rate=args.rate)
    texts, dev_texts = (part if len(part) == 2 else part[0] for part in (task.train_texts, task.dev_texts))
    started, cpu_started = time.perf_counter(), time.process_time()
    fit = {"batch_size": args.batch_size, "epochs": args.epochs, "verbose": 0}
    history = model.fit(texts, task.train_targets, **fit).history
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    if args.worker == "teacher":
        classifier.save_to_preset(args.teacher)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "loss": history["loss"][-1],
        "parameters": classifier.count_params(),
        "predictions": classifier.predict(dev_texts, verbose=0).argmax(axis=1).tolist(),
    }


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = benchmark_parser(__doc__)
    add = parser.add_argument
    names = [name for name in TASKS if name != "sts"]
    add("--data", choices=names, default="sst2", help="Task. Default: sst2.")
    add("--data-folder", type=pathlib.Path, default=DATA, help=f"Folder of the data sets. Default: {DATA}.")
    add("--model", default=str(MODEL), help=f"Pretrained preset of teacher and students. Default: {MODEL}.")
    add("--teacher", help="Preset of a teacher that is fitted. Default: one is, first.")
    add("--teacher-rate", type=float, default=1e-4, help="Its highest learning rate. Default: 1e-4.")
    add("--layers", type=int, default=4, help="Of a student, at even distances. Default: 4.")
    add("--temperature", type=float, default=2.0, help="Default: 2.")
    add("--alpha", type=float, default=0.5, help="Share of the teacher's probabilities. Default: 0.5.")
    add("--hidden-weight", type=float, default=10.0, help="Of the hidden states. Default: 10.")
    add("--epochs", type=int, default=3, help="Default: 3.")
    add("--batch-size", type=int, default=32, help="Default: 32.")
    add("--learning-rates", default="1e-4,2e-4", help="Highest, of which each arm takes its best. Default: 1e-4,2e-4.")
    add("--sequence-length", type=int, default=64, help="Longest row in tokens. Default: 64.")
    add("--seeds", type=int, default=3, help="Runs an arm. Default: 3.")
    add("--precision", choices=("float32", "bfloat16"), default="float32", help="Default: float32.")
    add("--train-rows", type=int, help="So many training rows, the same for all. Default: all.")
    add("--dev-rows", type=int, help="So many rows to evaluate on. Default: all.")
    add("--seed", type=int, default=0, help="The first. Default: 0.")
    add("--rate", type=float, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
