"""Fine-tunes BERT to find entities in texts, or to tag their words.

    python recipes/finetune_tokens.py --preset PRESET --train train.conll --dev dev.conll --test test.conll

Data are CoNLL files: a word a line, with its tag, and an empty line between sentences. `--scheme none` takes tags that
stand for themselves, such as parts of speech. Without arguments it fine-tunes the preset that the package carries on
`recipes/sample_data`, offline. Results go to `--output`: `preset/` (the best epoch so far, also while it trains),
`saved_model/1/` (strings in, entities out), `metrics.json`, `predictions.conll` of the test data (word, tag, predicted
tag), `learning_curve.png` and `logs/` for TensorBoard (where that is installed).

Semantic roles: give the predicate of each sentence as a second segment, `fit((sentences, predicates), tags)`.
Relations: mark the two entities with tokens of their own, `classifier.with_tokens(["[E1]", "[/E1]", "[E2]", "[/E2]"])`,
and classify the sentence with finetune_classifier.py.
"""

import argparse
import pathlib

import numpy as np
import report
from conll import read_conll, write_conll
from finetuning import export_and_ask, learning_rate, preset_of, train
from flags import positive_int, training_flags
from workers import begin, output_directory

import keras_bert

SAMPLE = pathlib.Path(__file__).parent / "sample_data"


def main(argv: list[str] | None = None) -> dict:
    """Runs the recipe and returns what it writes to `metrics.json`."""
    parser = build_parser()
    args = parser.parse_args(argv)
    scheme = None if args.scheme == "none" else args.scheme
    try:  # everything that can be wrong with the input shows before the first training step
        strategy = begin(args)
        output = output_directory(strategy, args.output, "preset", "saved_model")
        splits = read_splits(args)
        found = {tag for _, tags in splits.values() for sentence in tags for tag in sentence}
        names = [*({"O"} & found), *sorted(found - {"O"})]
        with strategy.scope():
            tagger = keras_bert.BertTokenClassifier.from_preset(
                preset_of(args),
                labels=names,
                scheme=scheme,
                sequence_length=args.sequence_length,
                doc_stride=args.doc_stride,
                dtype="mixed_bfloat16" if args.mixed_precision else "float32",
            )
            tagger.compile(learning_rate=learning_rate(args))
    except (ValueError, OSError) as error:
        parser.error(str(error))
    counts = {split: len(words) for split, (words, _) in splits.items()}
    print(f"Sentences: {counts}. Tags: {', '.join(names)}. Results: {output}")

    words, tags = splits["train"]
    scores = [keras_bert.metrics.EntityScores(*splits["dev"], scheme)] if scheme else []
    trained = train(
        tagger,
        args,
        output,
        counts["train"],
        monitor="val_f1" if scheme else "val_accuracy",
        higher_is_better=True,
        callbacks=scores,
        x=words,
        y=tags,
        validation_data=splits["dev"],
    )
    metrics = {"tags": names, "sentences": counts}
    for split in list(splits)[1:]:
        words, tags = splits[split]
        predicted = tagger.predict_tags(words, verbose=0)
        metrics[split] = score(tags, predicted, scheme)
        shown = {name: value for name, value in metrics[split].items() if name not in ("labels", "support")}
        print(f"{split}: " + ", ".join(f"{name} {value:.4f}" for name, value in shown.items()))
    metrics |= {**trained, "arguments": vars(args)}
    if not keras_bert.training.is_chief(strategy):
        return metrics
    report.write_json(output / "metrics.json", metrics)
    # Of the last split: of the test data, or of dev where there is none.
    write_conll(output / "predictions.conll", words, tags, predicted)
    export_and_ask(tagger, output, {"text": " ".join(words[0])})
    return metrics


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this recipe's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument_group("data: CoNLL files").add_argument
    add("--train", help="Data to train on. Default: the sample data, which brings its own dev and test data.")
    add("--dev", help="Data that chooses the best epoch. Default: a tenth of the training data.")
    add("--test", help="Data that is scored once, at the end. Default: none.")
    add("--word-column", type=int, default=0, help="Number of the word's column. Default: 0.")
    add("--tag-column", type=int, default=-1, help="Number of the tag's column. Default: -1, the last.")
    add("--scheme", choices=["bio", "bioes", "bmes", "none"], default="bio", help="Of the tags. Default: bio.")
    add("--doc-stride", type=positive_int, help="Tokens from a window to the next. Default: half a row.")
    training_flags(parser, output="output/finetune_tokens")
    return parser


def read_splits(args: argparse.Namespace) -> dict[str, tuple[list, list]]:
    """Reads words and tags of train, dev and, if there is one, test, in this order."""
    sources = {"train": args.train, "dev": args.dev, "test": args.test}
    if args.train is None:
        if args.dev or args.test or args.scheme != "bio":
            raise ValueError("The sample data has its own dev and test data, in bio. Received: flags for other data.")
        sources = {split: str(SAMPLE / f"entities_{split}.conll") for split in sources}
    columns = (args.word_column, args.tag_column)
    splits = {split: read_conll(source, *columns) for split, source in sources.items() if source}
    if "dev" not in splits:
        words, tags = splits["train"]
        order = np.random.default_rng(args.seed).permutation(len(words))
        if len(order) < 2:
            raise ValueError(f"Training data must have two sentences. Received: one, in {args.train!r}. Add --dev.")
        cut = max(len(order) // 10, 1)
        for split, part in (("dev", order[:cut]), ("train", order[cut:])):
            splits[split] = [words[i] for i in part], [tags[i] for i in part]
    return {split: splits[split] for split in sources if split in splits}


def score(tags: list, predicted: list, scheme: str | None) -> dict:
    """Scores entities, and the share of words that are right."""
    pairs = [(a, b) for row in zip(tags, predicted, strict=True) for a, b in zip(*row, strict=True)]
    right = {"accuracy": sum(a == b for a, b in pairs) / len(pairs)}
    return (keras_bert.metrics.entity_scores(tags, predicted, scheme) if scheme else {}) | right


if __name__ == "__main__":
    main()
