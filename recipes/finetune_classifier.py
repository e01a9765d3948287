"""Fine-tunes BERT to classify texts or pairs of texts, or to score them with a number.

    python recipes/finetune_classifier.py --preset PRESET --train train.tsv --dev dev.tsv --test test.tsv

Without arguments it fine-tunes the preset that the package carries on `recipes/sample_data`, offline. Results go to
`--output`: `preset/` (the best epoch so far, also while it trains), `saved_model/1/` (strings in, answers out),
`metrics.json`, `predictions.tsv` of the test data, `learning_curve.png`, `confusion_matrix.png` and `logs/` for
TensorBoard (where that is installed).
"""

import argparse
import math
import pathlib
import sys
from typing import NamedTuple

import numpy as np
import report
import tensorflow as tf
from finetuning import export_and_ask, learning_rate, preset_of, train
from flags import fraction, training_flags
from labels import label_array, label_names, parse_label
from tables import read_columns
from workers import begin, output_directory

import keras_bert

SAMPLE = pathlib.Path(__file__).parent / "sample_data"
TASKS = ("single_label", "multi_label", "regression")
TASK = "Whether an example has one label, several (joined by |, or a list in .jsonl), or a number."
AUGMENT = "Hides, leaves out or moves this share of the words to train on, others in every epoch; 0.1, for example."


class Split(NamedTuple):
    """Examples from one source: a tuple of one or two texts each, and their labels."""

    source: str
    texts: list[tuple[str, ...]]
    labels: list

    def inputs(self):
        columns = tuple(list(column) for column in zip(*self.texts, strict=True))
        return columns if len(columns) == 2 else columns[0]


def main(argv: list[str] | None = None) -> dict:
    """Runs the recipe and returns what it writes to `metrics.json`."""
    parser = build_parser()
    args = parser.parse_args(argv)
    try:  # everything that can be wrong with the input shows before the first training step
        strategy = begin(args)
        output = output_directory(strategy, args.output, "preset", "saved_model")
        splits = read_splits(args)
        known = splits["train"].labels + ([] if args.dev else splits["dev"].labels)  # dev is a part of train
        names = [] if args.task == "regression" else label_names(known)
        true = {
            split: label_array(examples.labels, names, args.task, examples.source)
            for split, examples in splits.items()
        }
        with strategy.scope():
            classifier = build_classifier(args, names)
            classifier.compile(learning_rate=learning_rate(args))
    except (ValueError, OSError) as error:
        parser.error(str(error))
    counts = {split: len(examples.texts) for split, examples in splits.items()}
    print(f"Examples: {counts}. Labels: {', '.join(names) or 'numbers'}. Results: {output}")
    warn_of_unknown_tokens(classifier.preprocessor.tokenizer, splits["train"].texts)

    by_accuracy = args.task == "single_label"
    trained = train(
        classifier,
        args,
        output,
        counts["train"],
        monitor="val_accuracy" if by_accuracy else "val_loss",
        higher_is_better=by_accuracy,
        **training_data(classifier, splits["train"].inputs(), true["train"], args),
        validation_data=(splits["dev"].inputs(), true["dev"]),
    )
    metrics = {"task": args.task, "labels": names, "examples": counts}
    for split in list(splits)[1:]:
        outputs = classifier.predict(splits[split].inputs(), batch_size=args.batch_size)
        predicted = report.decide(outputs, args.task)
        metrics[split] = report.score(true[split], predicted, args.task, len(names))
        print(f"{split}: " + ", ".join(f"{name} {value:.4f}" for name, value in metrics[split].items()))
    metrics |= {**trained, "arguments": vars(args)}
    if not keras_bert.training.is_chief(strategy):
        return metrics
    report.write_json(output / "metrics.json", metrics)

    # From here on of the last split: of the test data, or of dev where there is none.
    texts, true = splits[split].texts, true[split]
    report.write_predictions(output / "predictions.tsv", texts, true, outputs, args.task, names)
    report.draw_predictions(output, true, predicted, args.task, names)
    export_and_ask(classifier, output, dict(zip(("text", "text_pair"), texts[0])))
    return metrics


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this recipe's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = data_flags(parser)
    add("--task", choices=TASKS, default=TASKS[0], help=f"{TASK} Default: {TASKS[0]}.")
    add("--augment", type=fraction, metavar="SHARE", help=f"{AUGMENT} Default: none.")
    training_flags(parser, output="output/finetune_classifier")
    return parser


def data_flags(parser: argparse.ArgumentParser):
    """Adds the flags that say where texts and labels are, and returns what adds one more to their group."""
    add = parser.add_argument_group("data: .tsv, .csv or .jsonl files, or tfds:NAME:SPLIT").add_argument
    add("--train", help="Data to train on. Default: the sample data, which brings its own dev and test data.")
    add("--dev", help="Data that chooses the best epoch. Default: a tenth of the training data.")
    add("--test", help="Data that is scored once, at the end. Default: none.")
    add("--text-column", default="text", help="Name, or number from 0, of the text. Default: text.")
    add("--text-pair-column", help="Name or number of the second text of pairs. Default: none, single texts.")
    add("--label-column", default="label", help="Name or number of the label. Default: label.")
    add("--no-header", action="store_true", help="The first line is data. Default: it names the columns.")
    return add


def read_splits(args: argparse.Namespace) -> dict[str, Split]:
    """Reads train, dev and, if there is one, test, in this order."""
    sources = {"train": args.train, "dev": args.dev, "test": args.test}
    if args.train is None:
        if args.dev or args.test:
            raise ValueError("Data for dev and test need training data. Received: no --train. Add it.")
        if args.task != "single_label" or args.text_pair_column or args.no_header:
            raise ValueError(
                "The sample data is single texts with one label each. "
                "Received: flags for other data. Add --train, or leave them out."
            )
        sources = {split: str(SAMPLE / f"sentiment_{split}.tsv") for split in sources}
    splits = {split: read_split(source, args) for split, source in sources.items() if source}
    if "dev" not in splits:
        source, texts, labels = splits["train"]
        order = np.random.default_rng(args.seed).permutation(len(texts))
        if len(order) < 2:
            raise ValueError(
                f"Training data must have at least two rows. Received: one, in {source!r}. Add --dev."
            )
        cut = max(len(order) // 10, 1)
        for split, part in (("dev", order[:cut]), ("train", order[cut:])):
            splits[split] = Split(source, [texts[i] for i in part], [labels[i] for i in part])
    return {split: splits[split] for split in sources if split in splits}


def read_split(source: str, args: argparse.Namespace) -> Split:
    """Reads the texts and labels of one file or dataset."""
    columns = [args.text_column, args.text_pair_column, args.label_column]
    rows = read_columns(source, [column for column in columns if column], header=not args.no_header)
    texts, labels = [], []
    for row, (*text, label) in enumerate(rows, start=1):
        place = f"row {row} of {source!r}"
        if not all(isinstance(part, str) for part in text):
            raise ValueError(
                f"A text must be a string. Received: {text!r} in {place}. Correct the row or the column."
            )
        texts.append(tuple(text))
        labels.append(parse_label(label, args.task, place))
    return Split(source, texts, labels)


def build_classifier(args: argparse.Namespace, names: list[str]) -> keras_bert.BertClassifier:
    """Builds a classifier on the preset."""
    return keras_bert.BertClassifier.from_preset(
        preset_of(args),
        labels=names or None,
        task=args.task,
        sequence_length=args.sequence_length,
        dtype="mixed_bfloat16" if args.mixed_precision else "float32",
    )


def training_data(classifier: keras_bert.BertClassifier, texts, labels: np.ndarray, args: argparse.Namespace) -> dict:
    """Gives `fit` the texts to train on, or with --augment batches in which words are changed anew in every epoch."""
    if not args.augment:
        return {"x": texts, "y": labels}
    classifier.pairs = isinstance(texts, tuple)  # which `fit` does not see in batches
    how = {"rate": args.augment, "batch_size": args.batch_size, "seed": args.seed}
    batches = keras_bert.data.augmented_batches(classifier.preprocessor, texts, labels, **how)
    return {"x": batches, "steps_per_epoch": math.ceil(len(labels) / args.batch_size)}


def warn_of_unknown_tokens(tokenizer: keras_bert.BertTokenizer, texts: list[tuple[str, ...]]) -> None:
    """Says so where the vocabulary belongs to another language than the texts."""
    ids = tokenizer([text for columns in texts[:1000] for text in columns]).flat_values
    share = float(tf.reduce_mean(tf.cast(ids == tokenizer.vocabulary.unknown_id, tf.float32)))
    if share > 0.1:
        print(
            f"{share:.0%} of the tokens are [UNK]: the vocabulary of this preset does not hold the language of the "
            "texts. Choose a --preset that does.",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
