"""The labelled texts that the benchmarks fine-tune on, read from the folder of data sets beside the project."""

import pathlib
import random
from typing import NamedTuple


class LabelledTexts(NamedTuple):
    """A task: one or two columns of texts and their targets, to train on and to evaluate on."""

    train_texts: tuple[list[str], ...]
    train_targets: list
    dev_texts: tuple[list[str], ...]
    dev_targets: list
    labels: list[str] | None  # None: the targets are numbers

    def sizes(self) -> tuple[int, int]:
        """Counts what is trained on and what is evaluated on."""
        return len(self.train_targets), len(self.dev_targets)


def read_task(name: str, folder: pathlib.Path, train_rows: int | None = None, dev_rows: int | None = None):
    """Reads a task.

    Args:
        name: str, of `TASKS`.
        folder: path of the folder of data sets.
        train_rows: int, optional. So many training rows, drawn with a fixed seed.
        dev_rows: int, optional. So many evaluation rows, likewise.

    Returns:
        `LabelledTexts`.
    """
    train, dev, labels = TASKS[name](pathlib.Path(folder))
    if name == "sts" and train_rows is None:
        train_rows = 5000
    return LabelledTexts(*_columns(train, train_rows), *_columns(dev, dev_rows), labels)


def _columns(rows, count):
    if count is not None and count < len(rows):
        rows = random.Random(0).sample(rows, count)
    *texts, targets = (list(column) for column in zip(*rows, strict=True))
    return tuple(texts), targets


def _sst2(folder):
    def read(split):
        rows = (line.rsplit("\t", 1) for line in _lines(folder / "sst2" / f"{split}.tsv"))
        return [(text, int(label)) for text, label in rows]

    return read("train"), read("dev"), ["negative", "positive"]


def _mrpc(folder):
    def read(split):
        rows = (line.split("\t") for line in _lines(folder / "mrpc" / f"msr-para-{split}.tsv")[1:])
        return [(a, b, int(label)) for label, _, _, a, b in rows]  # quotes are literal: this is no CSV

    return read("train"), read("val"), ["different", "paraphrase"]


def _sick(folder):
    labels = ["NEUTRAL", "ENTAILMENT", "CONTRADICTION"]

    def read(split):
        rows = (line.split("\t") for line in _lines(folder / "sick" / f"SICK_{split}.txt")[1:])
        return [(a, b, labels.index(label)) for _, a, b, _, label in rows]

    return read("train"), read("trial"), labels


def _sts(folder):
    def read(patterns):
        files = sorted(file for pattern in patterns for file in (folder / "sts_semeval").glob(pattern))
        rows = (line.split("\t") for file in files for line in _lines(file))
        return [(row[1], row[2], float(row[0]) / 5) for row in rows if row[0]]  # others are unscored

    evaluated = ("headlines", "images", "answers-students")
    train = read(["2012.*.tsv", "2013.*.tsv", "2014.*.tsv"])
    return train, read([f"2015.{part}.test.tsv" for part in evaluated]), None


def _lines(file):
    # Not `splitlines`, which also cuts at characters that stand inside texts.
    return [line for line in file.read_text(encoding="utf-8-sig").split("\n") if line.strip()]


TASKS = {"sst2": _sst2, "mrpc": _mrpc, "sick": _sick, "sts": _sts}
