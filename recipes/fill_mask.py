"""Fills the gaps of texts, tells how unexpected texts are, and adapts the model that does so to a domain.

    python recipes/fill_mask.py "She shook her [MASK] and said nothing."
    python recipes/fill_mask.py --preset PRESET --file texts.txt --top-k 3
    python recipes/fill_mask.py --perplexity "She shook her head." "Head her she shook."
    python recipes/fill_mask.py --train reviews.txt --output output/mine "A [MASK] film."

Without arguments it fills sample sentences with the preset that the package carries, offline. `--train` first learns
from raw texts, as BERT was pre-trained. Then results go to `--output`: `preset/` (the best epoch so far, also while it
trains; for every `from_preset`), `saved_model/1/` (texts with [MASK] in, fillings out), `metrics.json` (the held-out
loss before and after), `learning_curve.png` and `logs/` for TensorBoard (where that is installed).
"""

import argparse
import math
import pathlib
import sys

import guesses
import numpy as np
import report
from finetuning import export_and_ask, learning_rate, preset_of, train
from flags import positive_int, training_flags
from tables import ENDINGS, read_columns
from workers import begin, output_directory

import keras_bert

SAMPLE = [
    "She shook her [MASK] and said nothing.",
    "He opened the [MASK] and went out into the [MASK].",
    "They had been married for twenty [MASK].",
]
PLAIN_SAMPLE = ["She shook her head and said nothing.", "Nothing head her said and shook she."]


def main(argv: list[str] | None = None) -> dict:
    """Runs the recipe and returns what it found: of a training what it writes to `metrics.json`, else the answers."""
    parser = build_parser()
    args = parser.parse_args(argv)
    try:  # everything that can be wrong with the input shows before the first training step
        strategy = begin(args)
        texts = asked_texts(args)
        splits = read_splits(args)
        output = output_directory(strategy, args.output, "preset", "saved_model") if splits else None
        with strategy.scope():
            masked_lm = keras_bert.BertMaskedLM.from_preset(
                preset_of(args),
                sequence_length=args.sequence_length if splits else None,
                mask_rate=args.mask_rate,
                mask_unit=args.mask_unit,
                seed=args.seed,
                dtype="mixed_bfloat16" if args.mixed_precision else "float32",
            )
            masked_lm.compile(learning_rate=learning_rate(args))
        answers = answer(masked_lm, texts, args)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    show(texts, answers, args)
    if not splits:
        return {"texts": texts, "answers": answers}

    counts = {split: len(examples) for split, examples in splits.items()}
    print(f"Texts: {counts}. Results: {output}")
    metrics = {"texts": counts, "before": held_out(masked_lm, splits["dev"])}
    trained = train(
        masked_lm,
        args,
        output,
        counts["train"],
        monitor="val_loss",
        higher_is_better=False,
        x=splits["train"],
        validation_data=splits["dev"],
    )
    metrics |= {"after": held_out(masked_lm, splits["dev"]), **trained, "arguments": vars(args)}
    for when in ("before", "after"):
        print(f"Held out, {when}: " + ", ".join(f"{name} {value:.4f}" for name, value in metrics[when].items()))
    show(texts, answer(masked_lm, texts, args), args)
    if not keras_bert.training.is_chief(strategy):
        return metrics
    report.write_json(output / "metrics.json", metrics)
    export_and_ask(masked_lm, output, {"text": SAMPLE[0] if args.perplexity else texts[0]}, top_k=args.top_k)
    return metrics


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this recipe's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("texts", nargs="*", help="Texts with [MASK]. Default: sample sentences.")
    add = parser.add_argument_group("what is asked").add_argument
    add("--file", help="More texts, a line each; - for standard input.")
    add("--top-k", type=positive_int, default=5, help="Fillings of each [MASK]. Default: 5.")
    add("--perplexity", action="store_true", help="Tells the pseudo-perplexity of whole texts, and fills nothing.")
    add = parser.add_argument_group("data to learn from: a text a line, or .tsv, .csv or .jsonl files").add_argument
    add("--train", help="Texts of the domain. Default: none, the preset answers as it is.")
    add("--dev", help="Texts that choose the best epoch. Default: a tenth of the training data.")
    add("--text-column", default="text", help="Name, or number from 0, of the text in a table. Default: text.")
    add("--mask-rate", type=float, default=0.15, help="Share of the tokens that is hidden. Default: 0.15.")
    units = ("token", "whole_word", "span")
    add("--mask-unit", choices=units, default="token", help="What is hidden as a whole. Default: token, as BERT.")
    training_flags(parser, output="output/fill_mask")
    return parser


def asked_texts(args: argparse.Namespace) -> list[str]:
    """Gathers the texts of the command line and of --file, or the sample."""
    texts = list(args.texts)
    if args.file == "-":
        texts += texts_of_lines(sys.stdin.buffer.read(), "standard input")
    elif args.file:
        texts += read_texts(args.file)
    if not texts and args.file:
        raise ValueError(f"There must be a text. Received: {args.file!r}, which is empty.")
    return texts or (PLAIN_SAMPLE if args.perplexity else SAMPLE)


def read_splits(args: argparse.Namespace) -> dict[str, list[str]]:
    """Reads the texts to train on and those that are held out; nothing without --train."""
    if args.train is None:
        if args.dev:
            raise ValueError("Data for dev need training data. Received: no --train. Add it.")
        return {}
    splits = {"train": read_texts(args.train, args.text_column)}
    if args.dev:
        return {**splits, "dev": read_texts(args.dev, args.text_column)}
    texts = splits["train"]
    if len(texts) < 2:
        raise ValueError(f"Training data must have two texts. Received: {len(texts)}, in {args.train!r}. Add --dev.")
    order = np.random.default_rng(args.seed).permutation(len(texts))
    cut = max(len(order) // 10, 1)
    return {"train": [texts[i] for i in order[cut:]], "dev": [texts[i] for i in order[:cut]]}


def read_texts(source: str, column: str = "text") -> list[str]:
    """Reads the texts of a file: of a table's column, else a line each."""
    path = pathlib.Path(source)
    if path.suffix.lower() in ENDINGS:
        return [text for (text,) in read_columns(source, [column])]
    if not path.is_file():
        raise ValueError(f"A file of texts must exist. Received: {source!r}. Check the path and the spelling.")
    texts = texts_of_lines(path.read_bytes(), repr(source))
    if not texts:
        raise ValueError(f"A file of texts must hold one. Received: {source!r}, which is empty.")
    return texts


def texts_of_lines(content: bytes, source: str) -> list[str]:
    """Returns the lines that are not empty."""
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Texts must be UTF-8. Received: {error.reason} at byte {error.start} of {source}. Convert the file."
        ) from error
    return [line.strip() for line in lines if line.strip()]


def answer(masked_lm: keras_bert.BertMaskedLM, texts: list[str], args: argparse.Namespace) -> list:
    """Fills the texts, or judges them."""
    if args.perplexity:
        return masked_lm.pseudo_perplexity(texts, verbose=0).tolist()
    return masked_lm.predict(texts, top_k=args.top_k, verbose=0)


def show(texts: list[str], answers: list, args: argparse.Namespace) -> None:
    """Prints what was said to each text."""
    for text, found in zip(texts, answers, strict=True):
        if args.perplexity:
            print(f"{found:12.2f}  {text}")
        else:
            print(*guesses.lines(text, found), sep="\n")


def held_out(masked_lm: keras_bert.BertMaskedLM, texts: list[str]) -> dict:
    """Measures what the model guesses of texts, with the same masks each time."""
    logs = masked_lm.evaluate(texts, verbose=0, return_dict=True)
    return {"loss": logs["loss"], "perplexity": math.exp(logs["loss"]), "accuracy": logs["accuracy"]}


if __name__ == "__main__":
    main()
