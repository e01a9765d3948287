"""Tagged words to fine-tune on, in keras_bert and in PyTorch transformers: WNUT-17 and MSRA NER."""

import argparse
import lzma
import pathlib
import random
import re
import time
from typing import NamedTuple

from benchmark_torch import fine_tune, outputs_of, torch_and_transformers

# The files of a task. Where there is one alone, its last tenth is not trained on.
FILES = {
    "wnut17": ("wnut17train.conll", "emerging.dev.conll"),
    "msra_ner": ("train.txt.xz",),
}


class TaggedWords(NamedTuple):
    """Sentences, lists of words and of their tags, to train on and to evaluate on."""

    train: list[tuple[list[str], list[str]]]
    dev: list[tuple[list[str], list[str]]]
    tags: list[str]

    def sizes(self) -> tuple[int, int]:
        """Counts sentences to train on and entities to evaluate on."""
        return len(self.train), sum(tag.startswith("B-") for _, tags in self.dev for tag in tags)


def read_task(name: str, folder: pathlib.Path, train_rows: int | None, dev_rows: int | None) -> TaggedWords:
    """Reads the train set and the dev set.

    Args:
        name: str, of `FILES`.
        folder: path of the folder of data sets.
        train_rows: int, optional. So many sentences, drawn with a fixed seed.
        dev_rows: int, optional. Likewise.

    Returns:
        `TaggedWords`.
    """
    train, *others = (_sentences(folder / name / file) for file in FILES[name])
    kept = len(train) if others else len(train) * 9 // 10
    dev, train = (others[0] if others else train[kept:]), train[:kept]
    tags = sorted({tag for _, row in train for tag in row} - {"O"})
    return TaggedWords(_drawn(train, train_rows), _drawn(dev, dev_rows), ["O", *tags])


def _sentences(file):
    content = file.read_bytes()
    text = (lzma.decompress(content) if file.suffix == ".xz" else content).decode("utf-8")
    blocks = ([line.split() for line in block.split("\n") if line.strip()] for block in re.split(r"\n\s*\n", text))
    found = [tuple(map(list, zip(*((row[0], row[-1]) for row in block), strict=True))) for block in blocks if block]
    return [(words, tags) for words, tags in found]


def _drawn(rows, count):
    return random.Random(0).sample(rows, count) if count is not None and count < len(rows) else rows


def score(task: TaggedWords, predictions: list[list[str]]) -> dict[str, float]:
    """Scores entities, strictly."""
    import keras_bert

    scores = keras_bert.metrics.entity_scores([tags for _, tags in task.dev], predictions)
    return {name: scores[name] for name in ("f1", "precision", "recall")}


def run_keras_bert(args: argparse.Namespace, task: TaggedWords) -> dict:
    """Trains with `fit` on words."""
    import keras

    import keras_bert

    keras.utils.set_random_seed(args.seed)
    tagger = keras_bert.BertTokenClassifier.from_preset(
        args.model,
        labels=task.tags,
        sequence_length=args.sequence_length,
        dtype="mixed_bfloat16" if args.precision == "bfloat16" else "float32",
    )
    tagger.compile(learning_rate=args.learning_rate)
    words, tags = map(list, zip(*task.train, strict=True))
    started, cpu_started = time.perf_counter(), time.process_time()
    history = tagger.fit(words, tags, batch_size=args.batch_size, epochs=args.epochs, verbose=0).history
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    started = time.perf_counter()
    predictions = tagger.predict_tags([words for words, _ in task.dev], verbose=0)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "evaluation_seconds": time.perf_counter() - started,
        "loss": history["loss"][-1],
        "predictions": predictions,
    }


def run_transformers(args: argparse.Namespace, task: TaggedWords) -> dict:
    """Trains with a plain loop, as transformers' own example does: the first token of a word has its tag."""
    torch, transformers = torch_and_transformers(args)
    names = dict(enumerate(task.tags))
    model = transformers.BertForTokenClassification.from_pretrained(
        args.model, dtype=torch.float32, id2label=names, ignore_mismatched_sizes=True
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model, use_fast=True)
    collate = transformers.DataCollatorForTokenClassification(tokenizer)
    numbers = {tag: number for number, tag in names.items()}

    def features(sentences):
        words = [words for words, _ in sentences]
        encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=args.sequence_length)
        rows = []
        for row, (_, tags) in enumerate(sentences):
            seen, labels = set(), []
            for word in encoded.word_ids(row):
                labels.append(-100 if word is None or word in seen else numbers.get(tags[word], 0))
                seen.add(word)
            rows.append({**{name: encoded[name][row] for name in encoded}, "labels": labels})
        return rows, [encoded.word_ids(row) for row in range(len(sentences))]

    figures = fine_tune(model, lambda: features(task.train)[0], collate, args)
    started = time.perf_counter()
    rows, word_ids = features(task.dev)
    chosen = [row for found in outputs_of(model, rows, collate, args) for row in found.logits.argmax(-1).tolist()]
    predictions = []
    for (words, _), tags, places in zip(task.dev, chosen, word_ids, strict=True):
        found = ["O"] * len(words)
        for place, word in reversed(list(enumerate(places))):
            if word is not None:
                found[word] = names[tags[place]]
        predictions.append(found)
    return figures | {"evaluation_seconds": time.perf_counter() - started, "predictions": predictions}


PEERS = {"keras_bert": run_keras_bert, "transformers": run_transformers}
