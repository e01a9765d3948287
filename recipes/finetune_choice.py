"""Fine-tunes BERT to choose one of several answers or endings, as in RACE and SWAG.

    python recipes/finetune_choice.py --preset PRESET --train RACE/train/middle --dev RACE/dev/middle

Data are RACE's passages (a folder of its .txt files, or a .json list of them) or tables with SWAG's columns (.csv,
.jsonl): sent1, sent2, ending0 to ending3, label. Without arguments it fine-tunes the preset that the package carries on
`recipes/sample_data`, offline. Results go to `--output`: `preset/` (the best epoch so far, also while it trains),
`saved_model/1/` (strings in, the right choice out), `metrics.json`, `predictions.json` of the test data,
`learning_curve.png` and `logs/` for TensorBoard (where that is installed).
"""

import argparse
import pathlib

import numpy as np
import report
from choices import LETTERS, Question, read_choices
from finetuning import export_and_ask, learning_rate, preset_of, train
from flags import training_flags
from workers import begin, output_directory

import keras_bert

SAMPLE = pathlib.Path(__file__).parent / "sample_data"
SMALL_EPOCHS = 12


def main(argv: list[str] | None = None) -> dict:
    """Runs the recipe and returns what it writes to `metrics.json`."""
    parser = build_parser()
    args = parser.parse_args(argv)
    try:  # everything that can be wrong with the input shows before the first training step
        strategy = begin(args)
        output = output_directory(strategy, args.output, "preset", "saved_model")
        splits = read_splits(args)
        examples = {split: examples_of(questions) for split, questions in splits.items()}
        with strategy.scope():
            chooser = keras_bert.BertMultipleChoice.from_preset(
                preset_of(args),
                sequence_length=args.sequence_length,
                dtype="mixed_bfloat16" if args.mixed_precision else "float32",
            )
            chooser.compile(learning_rate=learning_rate(args))
    except (ValueError, OSError) as error:
        parser.error(str(error))
    counts = {split: len(questions) for split, questions in splits.items()}
    print(f"Questions: {counts}. Choices: {len(splits['train'][0].choices)}. Results: {output}")

    x, y = examples["train"]
    trained = train(
        chooser,
        args,
        output,
        counts["train"],
        monitor="val_accuracy",
        higher_is_better=True,
        small_epochs=SMALL_EPOCHS,
        x=x,
        y=y,
        validation_data=examples["dev"],
    )
    metrics = {"questions": counts}
    for split in list(splits)[1:]:
        x, y = examples[split]
        probabilities = chooser.predict(x, verbose=0)
        metrics[split] = score(y, probabilities)
        print(f"{split}: " + ", ".join(f"{name} {value:.4f}" for name, value in metrics[split].items()))
    metrics |= {**trained, "arguments": vars(args)}
    if not keras_bert.training.is_chief(strategy):
        return metrics
    report.write_json(output / "metrics.json", metrics)

    # Of the last split: of the test data, or of dev where there is none.
    report.write_json(output / "predictions.json", predictions_of(splits[split], probabilities))
    first = splits[split][0]
    export_and_ask(chooser, output, {"context": first.context, "question": first.question, "choices": first.choices})
    return metrics


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this recipe's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = parser.add_argument_group("data: RACE's passages (.json, a folder), SWAG's tables (.csv, .jsonl)")
    add = data.add_argument
    add("--train", help="Data to train on. Default: the sample data, which brings its own dev data.")
    add("--dev", help="Data that chooses the best epoch. Default: a tenth of the passages to train on.")
    add("--test", help="Data that is scored once, at the end. Default: none.")
    training_flags(parser, output="output/finetune_choice", sequence_length=320)
    return parser


def read_splits(args: argparse.Namespace) -> dict[str, list[Question]]:
    """Reads train, dev and, if there is one, test, in this order."""
    sources = {"train": args.train, "dev": args.dev, "test": args.test}
    if args.train is None:
        if args.dev or args.test:
            raise ValueError("Data for dev and test need training data. Received: no --train. Add it.")
        sources = {split: str(SAMPLE / f"choices_{split}.json") for split in ("train", "dev")}
    splits = {split: read_choices(source) for split, source in sources.items() if source}
    if "dev" not in splits:
        passages = sorted({question.passage for question in splits["train"]})
        if len(passages) < 2:
            raise ValueError(f"Data to train on must have two passages. Received: one, in {args.train!r}. Add --dev.")
        order = np.random.default_rng(args.seed).permutation(len(passages))
        held_out = {passages[place] for place in order[: max(len(passages) // 10, 1)]}
        for split, is_dev in (("dev", True), ("train", False)):
            splits[split] = [one for one in splits["train"] if (one.passage in held_out) == is_dev]
    counts = {len(one.choices): f"question {one.name!r} of {split}" for split in splits for one in splits[split]}
    if len(counts) > 1 or min(counts) < 2:
        found = ", ".join(f"{count} in {place}" for count, place in sorted(counts.items()))
        raise ValueError(f"All questions must have as many choices, at least two. Received: {found}.")
    return {split: splits[split] for split in sources if split in splits}


def examples_of(questions: list[Question]) -> tuple[tuple, list[int]]:
    """Gives what `fit` takes: (contexts, questions, choices), and the numbers of the right ones."""
    columns = ("context", "question", "choices")
    x = tuple([getattr(question, column) for question in questions] for column in columns)
    return x, [question.answer for question in questions]


def score(answers: list[int], probabilities: np.ndarray) -> dict[str, float]:
    """Gives the share of right choices, its standard error, and what guessing gives."""
    accuracy = keras_bert.metrics.accuracy(np.array(answers), probabilities.argmax(axis=1))
    error = (accuracy * (1 - accuracy) / len(answers)) ** 0.5
    return {"accuracy": accuracy, "standard_error": error, "by_guessing": 1 / probabilities.shape[1]}


def predictions_of(questions: list[Question], probabilities: np.ndarray) -> dict:
    """Names the answer, what was predicted and the probabilities of each question."""
    return {
        question.name: {
            "answer": LETTERS[question.answer],
            "predicted": LETTERS[row.argmax()],
            "probabilities": [round(float(probability), 6) for probability in row],
        }
        for question, row in zip(questions, probabilities, strict=True)
    }


if __name__ == "__main__":
    main()
