"""Fine-tunes BERT on the nine tasks of GLUE, one by one, and prints one table of scores.

    python recipes/glue.py --data GLUE_DIR --preset PRESET --seeds 5

GLUE_DIR holds the folders of the official download (https://gluebenchmark.com/tasks): CoLA, SST-2, MRPC, STS-B, QQP,
MNLI, QNLI, RTE, WNLI, each with train.tsv and dev.tsv (MNLI: dev_matched.tsv, dev_mismatched.tsv; MRPC may be
msr_paraphrase_train.txt and dev_ids.tsv). Every task starts anew from the preset and is scored on dev after the last
epoch, so that dev chooses nothing but, of several seeds, the one that is kept.

Results go to `--output`: `table.md` and `metrics.json` of all tasks; of each task `TASK/metrics.json` and
`TASK/preset/` of its best seed; where there are test.tsv and diagnostic/diagnostic.tsv, `submission/` holds the
predictions as gluebenchmark.com takes them, to be zipped: `zip -j submission.zip output/glue/submission/*.tsv`.
The same command after a kill goes on with the first run that was not finished, and more --seeds add runs; other
settings, or data of another size, train anew. Several workers need an `--output` that all of them see.
"""

import argparse
import json
import pathlib
import sys
import time

import keras
import numpy as np
import report
from finetuning import epochs, learning_rate, preset_of
from flags import positive_int, training_flags
from glue_data import HIGHEST, SOURCE, TASKS, Examples, read_task, read_tests, test_files
from glue_table import average, shown, table
from workers import begin, output_directory

import keras_bert

SETTINGS = ("batch_size", "sequence_length", "mixed_precision", "strategy")


def main(argv: list[str] | None = None) -> dict:
    """Runs the recipe and returns what it writes to `metrics.json`."""
    parser = build_parser()
    args = parser.parse_args(argv)
    try:  # everything that can be wrong with the input shows before the first training step
        if args.data is None:
            raise ValueError(
                f"GLUE's data are needed. Received: no --data. Get them from {SOURCE}, unpack them in one folder, and "
                "give that, with --tasks where it does not hold all nine; --help tells more."
            )
        strategy = begin(args)
        output = output_directory(strategy, args.output, "submission", *args.tasks)
        for task in args.tasks:
            read_task(args.data, task), read_tests(args.data, task)
        build_classifier(args, args.tasks[0])
    except (ValueError, OSError) as error:
        parser.error(str(error))
    found = {task: run_task(task, args, output, strategy) for task in args.tasks}
    metrics = {"score": average(found), "tasks": found, "arguments": vars(args)}
    if not keras_bert.training.is_chief(strategy):
        return metrics
    text = table(found)
    with keras_bert.presets.atomic_file(output / "table.md") as new:
        new.write_text(text, encoding="utf-8")
    report.write_json(output / "metrics.json", metrics)
    print(f"\n{text}\nResults: {output}")
    return metrics


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this recipe's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument_group("data: GLUE's own files").add_argument
    add("--data", metavar="GLUE_DIR", help="Folder with a folder for each task. Default: none, it must be given.")
    add("--tasks", nargs="+", choices=TASKS, default=[*TASKS], help="Tasks to run, in this order. Default: all nine.")
    add("--limit", type=positive_int, help="Examples of a task to train on at most, drawn by chance. Default: all.")
    add("--seeds", type=positive_int, default=1, help="Runs of a task, from --seed on; their mean counts. Default: 1.")
    training_flags(parser, output="output/glue", resumes=False)
    return parser


def build_classifier(args: argparse.Namespace, task: str) -> keras_bert.BertClassifier:
    """Builds a classifier of a task on the preset."""
    labels = keras_bert.metrics.GLUE_LABELS[task]
    classifier = keras_bert.BertClassifier.from_preset(
        preset_of(args),
        labels=labels or None,
        task="single_label" if labels else "regression",
        sequence_length=args.sequence_length,
        dtype=dtype_of(args),
    )
    classifier.compile(learning_rate=learning_rate(args))
    return classifier


def dtype_of(args: argparse.Namespace) -> str:
    """Names what is computed in."""
    return "mixed_bfloat16" if args.mixed_precision else "float32"


def run_task(task: str, args: argparse.Namespace, output: pathlib.Path, strategy) -> dict:
    """Trains and scores the seeds of a task that are not finished, and predicts its test data.

    Args:
        task: str.
        args: the flags.
        output: `pathlib.Path`.
        strategy: `tf.distribute.Strategy`.

    Returns:
        dict of the mean of each metric over the seeds, of their `score` also the standard deviation, and the runs.
    """
    is_chief = keras_bert.training.is_chief(strategy)
    sets = read_task(args.data, task)
    for name, examples in sets.items():
        if examples.torn:
            lines = ", ".join(map(str, examples.torn[:5])) + (", ..." if len(examples.torn) > 5 else "")
            print(f"{task}: {len(examples.torn)} torn rows of {name}.tsv left out (lines {lines}).", file=sys.stderr)
    counts = {name: len(examples.labels) for name, examples in sets.items()}
    counts["train"] = min(counts["train"], args.limit or counts["train"])
    settings = {
        "preset": preset_of(args),
        "epochs": epochs(args),
        "learning_rate": learning_rate(args),
        **{name: getattr(args, name) for name in SETTINGS},
        "data": str(pathlib.Path(args.data).absolute()),
        "examples": counts,
    }
    file = output / task / "metrics.json"
    runs = finished_runs(file, settings)
    if is_chief and not runs:  # what is there is of other settings, and its preset goes next
        file.unlink(missing_ok=True)
    for seed in map(str, range(args.seed, args.seed + args.seeds)):
        if seed in runs:
            print(f"{task}, seed {seed}: {shown(runs[seed])} (finished before)")
            continue
        for name in test_files(args.data, task) if is_chief else ():  # they will be of another model
            (output / "submission" / f"{name}.tsv").unlink(missing_ok=True)
        print(f"{task}, seed {seed}: {counts['train']:,} examples")
        started = time.perf_counter()
        with strategy.scope():
            keras.utils.set_random_seed(int(seed))
            classifier = build_classifier(args, task)
        scores = train_and_score(classifier, task, sets, counts["train"], args)
        if is_chief and scores["score"] > max((run["score"] for run in runs.values()), default=-np.inf):
            classifier.save_to_preset(output / task / "preset")
        del classifier  # before there is another
        runs[seed] = scores | {"seconds": time.perf_counter() - started}
        if is_chief:
            report.write_json(file, {"task": task, "settings": settings, "runs": runs})
        print(f"{task}, seed {seed}: {shown(scores)}")
    if is_chief:
        predict_tests(task, args, output)
    asked = [runs[str(seed)] for seed in range(args.seed, args.seed + args.seeds)]
    means = {name: float(np.mean([run[name] for run in asked])) for name in asked[0]}
    spread = float(np.std([run["score"] for run in asked], ddof=1)) if len(asked) > 1 else None
    return means | {"standard_deviation": spread, "examples": counts, "runs": asked}


def finished_runs(file: pathlib.Path, settings: dict) -> dict[str, dict]:
    """Reads the scores by seed of an earlier run with the same settings; none where there is no such run."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        return record["runs"] if record["settings"] == settings else {}
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # not there, or not written by this recipe
        return {}


def train_and_score(
    classifier: keras_bert.BertClassifier, task: str, sets: dict[str, Examples], rows: int, args: argparse.Namespace
) -> dict[str, float]:
    """Trains on `rows` examples and gives the scores of dev; of MNLI, which has two dev sets, by their names."""
    train, *dev_sets = sets.values()
    # The same rows for each seed. Not the first ones: CoLA's are sorted by their source.
    order = np.random.default_rng(0).permutation(len(train.labels))[:rows]
    texts, labels = [[column[i] for i in order] for column in train.texts], [train.labels[i] for i in order]
    classifier.fit(
        train._replace(texts=tuple(texts)).inputs(), labels, epochs=epochs(args), batch_size=args.batch_size
    )
    scores, found = {}, []
    for name, dev in zip(list(sets)[1:], dev_sets, strict=True):
        scored = keras_bert.metrics.glue_scores(task, dev.labels, answers(classifier, dev, args))
        found.append(scored.pop("score"))
        scores |= {metric + name.removeprefix("dev"): value for metric, value in scored.items()}
    return scores | {"score": float(np.mean(found))}


def answers(classifier: keras_bert.BertClassifier, examples: Examples, args: argparse.Namespace) -> np.ndarray:
    """Predicts ids of labels, or values."""
    outputs = classifier.predict(examples.inputs(), batch_size=args.batch_size)
    return report.decide(outputs, classifier.task)


def predict_tests(task: str, args: argparse.Namespace, output: pathlib.Path) -> None:
    """Writes the predictions of the test data that are not there, by the task's best seed, as GLUE takes them."""
    labels = keras_bert.metrics.GLUE_LABELS[task]
    classifier = None
    for name, (indices, examples) in read_tests(args.data, task).items():
        path = output / "submission" / f"{name}.tsv"
        if path.is_file():
            continue
        if classifier is None:
            classifier = keras_bert.BertClassifier.from_preset(output / task / "preset", dtype=dtype_of(args))
        decided = answers(classifier, examples, args)
        if labels:
            written = [labels[answer] for answer in decided]
        else:  # what is beyond the ends is nearest to them
            written = [f"{answer:.3f}" for answer in np.clip(decided, 0, HIGHEST)]
        lines = [f"{index}\t{answer}\n" for index, answer in zip(indices, written, strict=True)]
        with keras_bert.presets.atomic_file(path) as new:
            new.write_text("index\tprediction\n" + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
