"""Fine-tunes BERT to answer questions with a part of a text, as in SQuAD 1.1 and 2.0.

    python recipes/finetune_span.py --preset PRESET --train train-v1.1.json --dev dev-v1.1.json

Data are JSON files in SQuAD's format, which may be compressed as .gz or .xz. Where questions have `is_impossible` the
model learns not to answer, and the threshold for that is set on dev. Without arguments it fine-tunes the preset that
the package carries on `recipes/sample_data`, offline. Results go to `--output`: `preset/` (the best epoch so far, also
while it trains), `saved_model/1/` (strings in, answers out), `metrics.json`, `predictions.json` of dev in the official
format, for 2.0 also `no_answer_scores.json`, `learning_curve.png` and `logs/` for TensorBoard (where that is
installed).
"""

import argparse
import gzip
import json
import lzma
import pathlib

import numpy as np
import report
from finetuning import export_and_ask, learning_rate, preset_of, train
from flags import positive_int, training_flags
from workers import begin, output_directory

import keras_bert

SAMPLE = pathlib.Path(__file__).parent / "sample_data"
SMALL_EPOCHS = 30  # which token answers what takes longer to learn than a label


def main(argv: list[str] | None = None) -> dict:
    """Runs the recipe and returns what it writes to `metrics.json`."""
    parser = build_parser()
    args = parser.parse_args(argv)
    try:  # everything that can be wrong with the input shows before the first training step
        strategy = begin(args)
        output = output_directory(strategy, args.output, "preset", "saved_model")
        train_set, dev_set = read_data(args)
        questions = keras_bert.metrics.squad_questions(train_set)
        has_no_answers = any("is_impossible" in question for question in questions)
        texts, answers = examples_of(questions)
        dev = examples_of(keras_bert.metrics.squad_questions(dev_set))
        with strategy.scope():
            labeler = keras_bert.BertSpanLabeler.from_preset(
                preset_of(args),
                sequence_length=args.sequence_length,
                doc_stride=args.doc_stride,
                max_question_length=args.max_question_length,
                max_answer_length=args.max_answer_length,
                no_answer_threshold=0.0 if has_no_answers else None,
                dtype="mixed_bfloat16" if args.mixed_precision else "float32",
            )
            labeler.compile(learning_rate=learning_rate(args))
    except (ValueError, OSError) as error:
        parser.error(str(error))
    counts = {"train": len(answers), "dev": len(dev[1])}
    print(f"Questions: {counts}. Some have no answer: {'yes' if has_no_answers else 'no'}. Results: {output}")

    squad_scores = keras_bert.metrics.SquadScores(dev_set)
    trained = train(
        labeler,
        args,
        output,
        counts["train"],
        monitor="val_f1",
        higher_is_better=True,
        callbacks=[squad_scores],
        small_epochs=SMALL_EPOCHS,
        x=texts,
        y=answers,
        validation_data=dev,
    )
    squad_scores.set_model(labeler)  # which `fit` does not do where --resume finds a finished training
    scores = squad_scores.scores()
    if has_no_answers:
        labeler.no_answer_threshold = scores.get("best_f1_threshold", 0.0)
    print("dev: " + ", ".join(f"{name} {value:.2f}" for name, value in scores.items()))
    metrics = {"examples": counts, "dev": scores, **trained, "arguments": vars(args)}
    records = labeler.predict(dev[0], verbose=0)
    if not keras_bert.training.is_chief(strategy):
        return metrics
    report.write_json(output / "metrics.json", metrics)
    if has_no_answers:
        labeler.save_to_preset(output / "preset")  # with the threshold
    ids = [question["id"] for question in squad_scores.questions]
    files = {"predictions": "answer"} | ({"no_answer_scores": "no_answer_score"} if has_no_answers else {})
    for name, key in files.items():
        found = {question: record[key] for question, record in zip(ids, records, strict=True)}
        report.write_json(output / f"{name}.json", found)
    export_and_ask(labeler, output, dict(zip(("question", "context"), dev[0][0], strict=True)), n_best=args.n_best)
    return metrics


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this recipe's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument_group("data: JSON files in SQuAD's format").add_argument
    add("--train", help="Data to train on. Default: the sample data, which brings its own dev data.")
    add("--dev", help="Data that chooses the best epoch and is scored. Default: a tenth of the articles to train on.")
    add = parser.add_argument_group("answers").add_argument
    add("--doc-stride", type=positive_int, default=128, help="Tokens from a window to the next. Default: 128.")
    add("--max-question-length", type=positive_int, default=64, help="Tokens; the rest is cut. Default: 64.")
    add("--max-answer-length", type=positive_int, default=30, help="Tokens. Default: 30.")
    add("--n-best", type=positive_int, default=1, help="Answers that the SavedModel lists. Default: 1.")
    training_flags(parser, output="output/finetune_span", sequence_length=384)
    return parser


def read_data(args: argparse.Namespace) -> tuple[dict, dict]:
    """Reads the data to train and to evaluate on."""
    if args.train is None:
        if args.dev:
            raise ValueError("Data for dev need training data. Received: no --train. Add it.")
        return tuple(read_squad(str(SAMPLE / f"questions_{split}.json")) for split in ("train", "dev"))
    train_set = read_squad(args.train)
    if args.dev:
        return train_set, read_squad(args.dev)
    articles = train_set["data"]
    if len(articles) < 2:
        raise ValueError(f"Data to train on must have two articles. Received: one, in {args.train!r}. Add --dev.")
    cut = max(len(articles) // 10, 1)
    return train_set | {"data": articles[:-cut]}, train_set | {"data": articles[-cut:]}


def read_squad(path: str) -> dict:
    """Reads a JSON file, plain or compressed, and checks its structure."""
    openers = {".gz": gzip.open, ".xz": lzma.open}
    try:
        with openers.get(pathlib.Path(path).suffix, open)(path, "rt", encoding="utf-8") as file:
            dataset = json.load(file)
        keras_bert.metrics.squad_questions(dataset)
    except (ValueError, EOFError, lzma.LZMAError) as error:
        raise ValueError(f"{path!r} must be JSON in SQuAD's format. Received: {error}") from error
    return dataset


def examples_of(questions: list[dict]) -> tuple[list, np.ndarray]:
    """Gives pairs of question and context, and where the first answer to each is."""
    pairs = [(question["question"], question["context"]) for question in questions]
    answers = [{**q["answers"][0], "id": q["id"]} if q["answers"] else None for q in questions]
    return pairs, keras_bert.data.answer_spans([context for _, context in pairs], answers)


if __name__ == "__main__":
    main()
