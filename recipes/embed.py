"""Turns texts into embeddings that can be searched, and trains on pairs of texts first where there are any.

    python recipes/embed.py --preset hf://sentence-transformers/all-MiniLM-L6-v2 --texts sentences.txt
    python recipes/embed.py --index output/embed --search "another query" "and one more"
    python recipes/embed.py --preset PRESET --train pairs.tsv --score-column score --texts sentences.tsv

Without arguments it embeds the sample reviews with the preset that the package carries, offline, and searches them: a
plain encoder, which knows words better than meanings. Results go to `--output`: `embeddings.npy`, one row a text, of
length 1; `texts.txt`, one line a text; `preset/`, with which they were made; `metrics.json`; after a training also
`learning_curve.png` and `logs/` for TensorBoard (where that is installed).

Pairs without scores (questions and their answers, two wordings of the same) learn to find each other among the pairs of
a batch: --batch-size matters. Scores are from -1 to 1; `--largest-score 5` divides those from 0 to 5.
"""

import argparse
import pathlib
import time

import numpy as np
import report
from finetuning import learning_rate, preset_of, train
from flags import positive_float, positive_int, training_flags
from tables import read_columns
from workers import begin, output_directory

import keras_bert

SAMPLE = pathlib.Path(__file__).parent / "sample_data" / "sentiment_train.tsv"
SAMPLE_QUERIES = ["The machine is too loud.", "I learned a lot and laughed."]


def main(argv: list[str] | None = None) -> dict:
    """Runs the recipe and returns what it writes to `metrics.json`; of a search alone, what was found."""
    parser = build_parser()
    args = parser.parse_args(argv)
    queries = args.search or ([] if args.texts or args.index else SAMPLE_QUERIES)
    try:  # everything that can be wrong with the input shows before the first training step
        if args.index:
            return {"found": search(*read_index(args), queries, args.top_k)}
        strategy = begin(args)
        output = output_directory(strategy, args.output, "preset")
        texts = read_texts(args)
        pairs = read_pairs(args)
        with strategy.scope():
            embedder = keras_bert.BertEmbedder.from_preset(
                preset_of(args),
                sequence_length=args.sequence_length,
                dtype="mixed_bfloat16" if args.mixed_precision else "float32",
            )
            embedder.compile(learning_rate=learning_rate(args))
    except (ValueError, OSError) as error:
        parser.error(str(error))
    metrics = {"texts": len(texts), "pairs": {split: len(rows[0][0]) for split, rows in pairs.items()}}
    print(f"Texts: {len(texts)}. Pairs: {metrics['pairs'] or 'none'}. Results: {output}")
    if pairs:
        metrics |= learn(embedder, args, output, pairs)
    started = time.perf_counter()
    embeddings = embedder.predict(texts)
    metrics |= {"seconds_of_embedding": time.perf_counter() - started, "arguments": vars(args)}
    if keras_bert.training.is_chief(strategy):
        write_index(output, embedder, texts, embeddings)
        report.write_json(output / "metrics.json", metrics)
    search(embedder, texts, embeddings, queries, args.top_k)
    return metrics


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of this recipe's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument_group("texts: .txt, one a line, or .tsv, .csv, .jsonl, or tfds:NAME:SPLIT").add_argument
    add("--texts", help="What is embedded. Default: the sample reviews.")
    add("--text-column", default="text", help="Name, or number from 0, of the text in a table. Default: text.")
    add("--no-header", action="store_true", help="The first line is data. Default: it names the columns.")
    add = parser.add_argument_group("search").add_argument
    add("--search", nargs="+", help="Queries, whose closest texts are printed. Default: none; two on the sample.")
    add("--top-k", type=positive_int, default=3, help="How many of each. Default: 3.")
    add("--index", help="An --output of an earlier run, to be searched. Default: none, a new one is made.")
    add = parser.add_argument_group("pairs: .tsv, .csv or .jsonl files, or tfds:NAME:SPLIT").add_argument
    add("--train", help="Pairs to train on. Default: none, the preset embeds as it is.")
    add("--dev", help="Pairs that choose the best epoch. Default: a tenth of the training data.")
    add("--first-column", default="first", help="Name or number of the first text. Default: first.")
    add("--second-column", default="second", help="Name or number of the second text. Default: second.")
    add("--score-column", help="Name or number of the score. Default: none, the texts of a pair belong together.")
    add("--largest-score", type=positive_float, default=1.0, help="Scores are divided by it. Default: 1.")
    training_flags(parser, output="output/embed")
    return parser


def read_texts(args: argparse.Namespace) -> list[str]:
    """Reads the texts that are embedded, of a table one column; white space becomes single spaces, as it is to BERT."""
    source = args.texts or str(SAMPLE)
    if pathlib.Path(source).suffix.lower() != ".txt":
        header = not (args.no_header and args.texts)
        column = args.text_column if args.texts else "text"
        return [" ".join(str(text).split()) for (text,) in read_columns(source, [column], header=header)]
    try:
        lines = pathlib.Path(source).read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"A data file must be UTF-8. Received: {error} in {source!r}. Convert it.") from error
    texts = [" ".join(line.split()) for line in lines if line.strip()]
    if not texts:
        raise ValueError(f"A data file must hold at least one text. Received: {source!r}, which is empty.")
    return texts


def read_pairs(args: argparse.Namespace) -> dict[str, tuple]:
    """Reads the pairs of train and dev, `((first, second), scores or None)`; none without --train."""
    if args.train is None:
        if args.dev:
            raise ValueError("Pairs for dev need training data. Received: --dev without --train. Add it.")
        return {}
    splits = {"train": read_split(args.train, args)}
    if args.dev:
        return splits | {"dev": read_split(args.dev, args)}
    (first, second), scores = splits["train"]
    if len(first) < 4:
        raise ValueError(f"Training data must have four pairs. Received: {len(first)}, in {args.train!r}. Add --dev.")
    order = np.random.default_rng(args.seed).permutation(len(first))
    cut = max(len(order) // 10, 2)

    def part(rows):
        texts = tuple([side[i] for i in rows] for side in (first, second))
        return texts, None if scores is None else scores[rows]

    return {"train": part(order[cut:]), "dev": part(order[:cut])}


def read_split(source: str, args: argparse.Namespace) -> tuple:
    """Reads the pairs of one file or dataset, and their scores."""
    columns = [args.first_column, args.second_column, *([args.score_column] if args.score_column else [])]
    first, second, *scores = zip(*read_columns(source, columns, header=not args.no_header), strict=True)
    texts = ([str(text) for text in first], [str(text) for text in second])
    if not scores:
        return texts, None
    try:
        values = np.array([float(score) for score in scores[0]], "float32") / args.largest_score
    except ValueError as error:
        raise ValueError(f"A score must be a number. Received: {error} in {source!r}. Correct the column.") from error
    bad = np.flatnonzero(~(np.abs(values) <= 1))
    if bad.size:
        raise ValueError(
            f"Scores must be from -1 to 1. Received: {scores[0][bad[0]]} in row {bad[0] + 1} of {source!r}. "
            "Divide them with --largest-score."
        )
    return texts, values


def learn(embedder: keras_bert.BertEmbedder, args: argparse.Namespace, output: pathlib.Path, pairs: dict) -> dict:
    """Trains on the pairs, and tells how well those of dev are told apart before and after."""
    name = "accuracy" if pairs["dev"][1] is None else "pearson"
    options = {"batch_size": args.batch_size, "verbose": 0, "return_dict": True}
    before = embedder.evaluate(*pairs["dev"], **options)
    x, y = pairs["train"]
    trained = train(
        embedder,
        args,
        output,
        len(x[0]),
        monitor=f"val_{name}",
        higher_is_better=True,
        x=x,
        y=y,
        validation_data=pairs["dev"],
    )
    after = embedder.evaluate(*pairs["dev"], **options)
    print(f"dev: {name} {before[name]:.4f} before, {after[name]:.4f} after the training")
    return {"before": before, "dev": after, **trained}


def write_index(output: pathlib.Path, embedder, texts: list[str], embeddings: np.ndarray) -> None:
    """Writes embeddings, texts and the preset, each whole or not at all."""
    embedder.save_to_preset(output / "preset")
    with keras_bert.presets.atomic_file(output / "embeddings.npy") as new, open(new, "wb") as file:
        np.save(file, embeddings)
    with keras_bert.presets.atomic_file(output / "texts.txt") as new:
        new.write_text("".join(text + "\n" for text in texts), encoding="utf-8", newline="\n")


def read_index(args: argparse.Namespace) -> tuple:
    """Reads what `write_index` wrote; the embeddings stay on the disk."""
    if args.texts or args.train:
        raise ValueError("An index is searched as it is. Received: --index and --texts or --train. Leave one out.")
    if not args.search:
        raise ValueError("An index is there to be searched. Received: --index without --search. Add a query.")
    folder = pathlib.Path(args.index)
    embedder = keras_bert.BertEmbedder.from_preset(folder / "preset")
    texts = (folder / "texts.txt").read_text(encoding="utf-8").split("\n")[:-1]
    return embedder, texts, np.load(folder / "embeddings.npy", mmap_mode="r")


def search(embedder, texts: list[str], embeddings: np.ndarray, queries: list[str], top_k: int) -> list[list[dict]]:
    """Prints the closest texts of each query, and returns them."""
    found = embedder.search(queries, embeddings, top_k)
    for query, best in zip(queries, found, strict=True):
        print(f"\n{query}")
        for one in best:
            one["text"] = texts[one["index"]]
            print(f"  {one['score']:.3f}  {one['text']}")
    return found


if __name__ == "__main__":
    main()
