"""Makes a smaller classifier: a fitted one teaches it, from texts with labels and without.

    python recipes/distill.py --teacher PRESET --layers 4 --train train.tsv --dev dev.tsv --unlabelled texts.txt

The student begins with layers of the teacher (or with `--student PRESET`, or anew with `--size`) and learns the labels,
the teacher's probabilities and, where both are equally wide, its hidden states. Of the unlabelled texts it gets those
that the teacher is sure of; with `--rounds` the teacher first learns from them itself. Without `--teacher` one is
fitted to the training data; without arguments all this runs on `recipes/sample_data`, offline. Results go to
`--output`: `preset/` (the best epoch so far, also while it trains), `saved_model/1/` (strings in, answers out),
`metrics.json` (scores, size and speed of both), `predictions.tsv` of the test data, `learning_curve.png`,
`confusion_matrix.png`, `logs/` for TensorBoard (where that is installed), and `teacher/`, if that is trained here.
"""

import argparse
import time

import numpy as np
import report
from finetune_classifier import SAMPLE, build_classifier, data_flags, read_splits, warn_of_unknown_tokens
from finetuning import export_and_ask, learning_rate, train
from flags import positive_float, positive_int, training_flags
from labels import label_array, label_names
from self_training import as_inputs, choose, read_unlabelled
from workers import begin, output_directory

import keras_bert

TASK = "single_label"


def main(argv: list[str] | None = None) -> dict:
    """Runs the recipe and returns what it writes to `metrics.json`."""
    parser = build_parser()
    args = parser.parse_args(argv)
    try:  # everything that can be wrong with the input shows before the first training step
        strategy = begin(args)
        output = output_directory(strategy, args.output, "preset", "saved_model", "teacher")
        splits, unlabelled = read_data(args)
        with strategy.scope():
            teacher = build_teacher(args, splits)
            distiller = build_distiller(args, teacher)
        names = list(teacher.labels)
        keras_bert.data.confident_rows(np.eye(len(names)), args.confidence)  # sure of all: checks the flag
        true = {split: label_array(part.labels, names, TASK, part.source) for split, part in splits.items()}
    except (ValueError, OSError) as error:
        parser.error(str(error))
    counts = {split: len(part.texts) for split, part in splits.items()}
    print(f"Examples: {counts}, {len(unlabelled)} without labels. Labels: {', '.join(names)}. Results: {output}")
    warn_of_unknown_tokens(teacher.preprocessor.tokenizer, splits["train"].texts)

    dev = (splits["dev"].inputs(), true["dev"])
    texts, labels = list(splits["train"].texts), list(true["train"])
    is_chief = keras_bert.training.is_chief(strategy)
    if is_chief and (args.rounds or not args.teacher):
        (output / "teacher").mkdir(exist_ok=True)
    try:
        if not args.teacher:
            fit(teacher, args, output / "teacher", texts, labels, dev)
        for _ in range(args.rounds):
            more, likeliest = choose(teacher, unlabelled, args.confidence)
            fit(teacher, args, output / "teacher", texts + more, [*labels, *likeliest], dev)
        taken = {}
        if unlabelled:
            more, likeliest = choose(teacher, unlabelled, args.confidence)
            taken = {name: int((likeliest == place).sum()) for place, name in enumerate(names)}
            texts, labels = texts + more, [*labels, *(likeliest if args.hard_labels else [None] * len(more))]
    except ValueError as error:  # it is sure of no text
        parser.error(str(error))
    if args.rounds or not args.teacher:
        with strategy.scope():
            distiller = build_distiller(args, teacher)  # on the weights that the teacher has now
    trained = fit(distiller, args, output, texts, labels, dev, monitor="val_labels_accuracy")

    student = distiller.student
    metrics = {"labels": names, "examples": counts, "unlabelled": {"texts": len(unlabelled), "taken": taken}}
    for name, model in (("teacher", teacher), ("student", student)):
        metrics[name] = size_and_speed(model, dev[0])
        for split in list(splits)[1:]:
            outputs = model.predict(splits[split].inputs(), batch_size=args.batch_size, verbose=0)
            predicted = report.decide(outputs, TASK)
            scores = report.score(true[split], predicted, TASK, len(names))
            print(f"{name}, {split}: " + ", ".join(f"{key} {value:.4f}" for key, value in scores.items()))
            metrics[name][split] = scores
        print(f"{name}: " + "{parameters:,} parameters, {texts_per_second:.0f} texts/s".format(**metrics[name]))
    metrics |= {**trained, "arguments": vars(args)}
    if not is_chief:
        return metrics
    report.write_json(output / "metrics.json", metrics)

    # From here on the student's of the last split: of the test data, or of dev where there is none.
    texts, true = splits[split].texts, true[split]
    report.write_predictions(output / "predictions.tsv", texts, true, outputs, TASK, names)
    report.draw_predictions(output, true, predicted, TASK, names)
    export_and_ask(student, output, dict(zip(("text", "text_pair"), texts[0])))
    return metrics


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this recipe's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = data_flags(parser)
    parser.set_defaults(task=TASK)
    add("--unlabelled", help="Texts without labels: such a table, or a .txt file with a text a line. Default: none.")
    add = parser.add_argument_group("teacher").add_argument
    add("--teacher", help="Preset of a fitted classifier. Default: --preset, fitted to the training data.")
    add("--confidence", type=positive_float, default=0.9, help="Least probability of its label. Default: 0.9.")
    add("--rounds", type=whole_number, default=0, help="Times that it learns from what it is sure of. Default: 0.")
    add("--hard-labels", action="store_true", help="Its choices are labels. Default: its probabilities alone count.")
    add("--temperature", type=positive_float, default=2.0, help="Softens its probabilities. Default: 2.")
    add("--alpha", type=float, default=0.5, help="Its share in the loss; the labels have the rest. Default: 0.5.")
    add = parser.add_argument_group("student").add_argument
    add("--layers", type=layer_list, help="How many layers, or which: 0,2,5. Default: half of the teacher's.")
    add("--student", help="Preset it begins with, whole or its --layers. Default: the teacher.")
    add("--size", choices=list(keras_bert.SIZES), help="It begins with random weights. Default: with the teacher's.")
    weight = "Weight of the hidden states. Default: 10 for a student of the teacher's layers, else 0."
    add("--hidden-weight", type=float, help=weight)
    training_flags(parser, output="output/distill", resumes=False)
    return parser


def fit(model, args, output, texts, labels, dev, monitor="val_accuracy") -> dict:
    """Trains the teacher, or the distiller its student; keeps the best epoch."""
    return train(
        model,
        args,
        output,
        len(texts),
        monitor=monitor,
        higher_is_better=True,
        x=as_inputs(texts),
        y=labels,
        validation_data=dev,
    )


def size_and_speed(model: keras_bert.BertClassifier, texts) -> dict:
    """Counts parameters, what they take in float32, and texts that are predicted in a second."""
    model.predict(texts, verbose=0)  # traces the graph
    started = time.perf_counter()
    count = len(model.predict(texts, verbose=0))
    seconds = time.perf_counter() - started
    parameters = model.count_params()
    return {"parameters": parameters, "megabytes": parameters * 4 / 1e6, "texts_per_second": count / seconds}


def whole_number(text: str) -> int:
    """Reads a flag that must be a whole number, 0 too."""
    return 0 if text == "0" else positive_int(text)


def layer_list(text: str) -> int | list[int]:
    """Reads how many layers, or which."""
    layers = [int(part) for part in text.split(",")]
    return layers if "," in text else layers[0]


def read_data(args: argparse.Namespace) -> tuple[dict, list]:
    """Reads train, dev and, if there is one, test, and the texts without labels."""
    if args.preset and args.teacher:
        raise ValueError("A fitted teacher needs no --preset. Received: both. Leave one out.")
    if args.size and (args.student or args.layers):
        raise ValueError("A --size has its own layers. Received: --size with --student or --layers. Leave it out.")
    args.preset = args.teacher or args.preset  # so that rate and epochs are those of a real model
    splits = read_splits(args)
    source = args.unlabelled
    if args.train is None and source is None:
        source = str(SAMPLE / "sentiment_unlabelled.txt")
    if args.rounds and not source:
        raise ValueError("Rounds of self-training need texts. Received: --rounds without --unlabelled. Add it.")
    columns = [column for column in (args.text_column, args.text_pair_column) if column]
    return splits, read_unlabelled(source, columns, not args.no_header) if source else []


def build_teacher(args: argparse.Namespace, splits: dict) -> keras_bert.BertClassifier:
    """Builds the teacher: fitted already, or to be."""
    known = splits["train"].labels + ([] if args.dev else splits["dev"].labels)  # dev is a part of train
    if not args.teacher:
        teacher = build_classifier(args, label_names(known))
        teacher.compile(learning_rate=learning_rate(args))
        return teacher
    teacher = keras_bert.BertClassifier.from_preset(
        args.teacher,
        sequence_length=args.sequence_length,
        dtype="mixed_bfloat16" if args.mixed_precision else "float32",
    )
    unknown = sorted(set(known) - set(teacher.labels))
    if unknown:
        raise ValueError(
            f"Labels must be the teacher's, {', '.join(teacher.labels[:20])}. Received: {', '.join(unknown[:20])}. "
            "Rename them, or fit a teacher to them."
        )
    teacher.compile(learning_rate=learning_rate(args))
    return teacher


def build_distiller(args: argparse.Namespace, teacher: keras_bert.BertClassifier) -> keras_bert.BertDistiller:
    """Builds the student, and what teaches it."""
    encoder, labels, dtype = teacher.encoder, list(teacher.labels), teacher.dtype_policy
    if args.size:
        sizes = {name: encoder.arguments[name] for name in ("vocabulary_size", "max_sequence_length")}
        encoder = keras_bert.BertEncoder(**sizes, **keras_bert.SIZES[args.size], dtype=dtype)
        student = keras_bert.BertClassifier(encoder, teacher.preprocessor, labels=labels)
    elif args.student:
        student = keras_bert.BertClassifier.from_preset(
            args.student, labels=labels, sequence_length=args.sequence_length, dtype=dtype
        )
        student = student.with_layers(args.layers) if args.layers else student
    else:
        student = teacher.with_layers(args.layers or max(1, len(encoder.blocks) // 2))
    hidden_weight = args.hidden_weight
    if hidden_weight is None:
        hidden_weight = 0.0 if args.size or args.student else 10.0
    distiller = keras_bert.BertDistiller(student, teacher, args.temperature, args.alpha, hidden_weight)
    distiller.compile(learning_rate=learning_rate(args))
    return distiller


if __name__ == "__main__":
    main()
