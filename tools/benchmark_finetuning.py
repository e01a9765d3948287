"""Fine-tunes one recipe in keras_bert and in PyTorch transformers, seed by seed in turn: accuracy and wall time.

    python tools/benchmark_finetuning.py --data sst2 --seeds 3 --precision float32

Both start from the same weights and the raw strings: AdamW (weight decay 0.01 but on biases and norms, epsilon 1e-6),
linear warm-up over a tenth of the steps and linear decay, gradients clipped at a global norm of 1, dropout 0.1, new
order in every epoch, rows padded to the batch's longest. The time is that of training alone, from strings to the
last update: tokenizing, and in keras_bert the tracing of `fit`, are in it; imports, reading of files and evaluation
are not. Each run is a process of its own, and adds its line to --results as soon as it ends. On the CPU.
"""

import argparse
import pathlib
import sys
import time

from benchmark_data import TASKS, LabelledTexts, read_task
from benchmark_records import (
    DATA,
    MODEL,
    Neighbours,
    answer,
    benchmark_parser,
    cores,
    need,
    peer_list,
    record,
    run_worker,
)
from benchmark_scores import print_summary, score, summarize


def main(argv: list[str] | None = None) -> dict:
    """Runs the benchmark and returns its summary."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.worker:
        task = read_task(args.data, args.data_folder, args.train_rows, args.dev_rows)
        return answer(args, PEERS[args.worker](args, task))
    try:
        peers = peer_list(args.peers, PEERS)
        task = read_task(args.data, args.data_folder, args.train_rows, args.dev_rows)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    counts = f"{len(task.train_targets)} training rows, {len(task.dev_targets)} to evaluate"
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
            figures |= score(task, run["predictions"])
            record(args, __file__, argv, neighbours, data=args.data, peer=peer, seed=seed, figures=figures)
            runs[peer].append(figures)
            text = "  ".join(f"{name} {value:.4g}" for name, value in figures.items() if name != "seconds")
            print(f"seed {seed}  {peer:<12}  {figures['seconds']:7.1f} s  {text}", flush=True)
    summary = summarize(runs, len(task.dev_targets), task.labels is not None)
    record(args, __file__, argv, neighbours, data=args.data, summary=summary)
    print_summary(summary)
    return summary


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this tool's flags."""
    parser = benchmark_parser(__doc__)
    add = parser.add_argument
    add("--data", choices=list(TASKS), default="sst2", help="Task. Default: sst2.")
    add("--data-folder", type=pathlib.Path, default=DATA, help=f"Folder of the data sets. Default: {DATA}.")
    add("--model", default=str(MODEL), help=f"Directory in Hugging Face's layout. Default: {MODEL}.")
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


def run_keras_bert(args: argparse.Namespace, task: LabelledTexts) -> dict:
    """Trains with `fit` on raw strings."""
    import keras

    import keras_bert

    keras.utils.set_random_seed(args.seed)
    options = {"labels": task.labels} if task.labels else {"task": "regression"}
    classifier = keras_bert.BertClassifier.from_preset(
        args.model,
        sequence_length=args.sequence_length,
        dtype="mixed_bfloat16" if args.precision == "bfloat16" else "float32",
        **options,
    )
    classifier.compile(learning_rate=args.learning_rate)
    texts, dev_texts = (part if len(part) == 2 else part[0] for part in (task.train_texts, task.dev_texts))
    started, cpu_started = time.perf_counter(), time.process_time()
    history = classifier.fit(
        texts, task.train_targets, batch_size=args.batch_size, epochs=args.epochs, verbose=0
    ).history
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    started = time.perf_counter()
    outputs = classifier.predict(dev_texts, verbose=0)
    evaluation_seconds = time.perf_counter() - started
    predictions = outputs.argmax(axis=1) if task.labels else outputs[:, 0]
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "evaluation_seconds": evaluation_seconds,
        "loss": history["loss"][-1],
        "predictions": predictions.tolist(),
    }


def run_transformers(args: argparse.Namespace, task: LabelledTexts) -> dict:
    """Trains with a plain loop, as transformers' own examples do."""
    torch, transformers = need("torch"), need("transformers")
    torch.set_num_threads(cores())
    transformers.set_seed(args.seed)
    transformers.logging.set_verbosity_error()
    options = (
        {"num_labels": len(task.labels)} if task.labels else {"num_labels": 1, "problem_type": "regression"}
    )
    model = transformers.BertForSequenceClassification.from_pretrained(
        args.model,
        dtype=torch.float32,
        ignore_mismatched_sizes=True,
        **options,  # a head for other labels is left out
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model, use_fast=True)
    collate = transformers.DataCollatorWithPadding(tokenizer)

    def features(texts, targets):
        encoded = tokenizer(*texts, truncation=True, max_length=args.sequence_length, padding=False)
        return [
            {**{name: encoded[name][i] for name in encoded}, "labels": target}
            for i, target in enumerate(targets)
        ]

    def autocast():
        return torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bfloat16")

    started, cpu_started = time.perf_counter(), time.process_time()
    rows = features(task.train_texts, task.train_targets)
    loader = torch.utils.data.DataLoader(rows, args.batch_size, shuffle=True, collate_fn=collate)
    optimizer = torch.optim.AdamW(decay_groups(model), lr=args.learning_rate, eps=1e-6)
    steps = len(loader) * args.epochs
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, int(0.1 * steps), steps)
    model.train()
    for _ in range(args.epochs):
        total = 0.0
        for batch in loader:
            with autocast():
                loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            total += loss.item() * len(batch["labels"])
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started

    started = time.perf_counter()
    model.eval()
    outputs = []
    rows = features(task.dev_texts, task.dev_targets)
    with torch.inference_mode(), autocast():
        for batch in torch.utils.data.DataLoader(rows, args.batch_size, collate_fn=collate):
            outputs.append(model(**batch).logits.float())
    outputs = torch.cat(outputs).numpy()
    evaluation_seconds = time.perf_counter() - started
    predictions = outputs.argmax(axis=1) if task.labels else outputs[:, 0]
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "evaluation_seconds": evaluation_seconds,
        "loss": total / len(task.train_targets),
        "predictions": predictions.tolist(),
    }


def decay_groups(model) -> list[dict]:
    """Parts a torch model's parameters into those that decay and those that do not."""
    parts = {True: [], False: []}
    for name, parameter in model.named_parameters():
        parts[not (name.endswith(".bias") or "LayerNorm" in name)].append(parameter)
    return [{"params": parts[True], "weight_decay": 0.01}, {"params": parts[False], "weight_decay": 0.0}]


PEERS = {"keras_bert": run_keras_bert, "transformers": run_transformers}


if __name__ == "__main__":
    main()
