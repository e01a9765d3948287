"""Texts without labels: reads them, and chooses those that a classifier is sure of."""

import pathlib

import numpy as np
from tables import read_columns

import keras_bert


def read_unlabelled(source: str, columns: list[str], header: bool) -> list[tuple[str, ...]]:
    """Reads texts, or pairs of texts.

    Args:
        source: str. A `.txt` file with a text a line, or what `read_columns` reads.
        columns: list of str. The columns of a text, one or two; not those of a `.txt` file.
        header: bool. Whether the first line of a `.tsv` or `.csv` names the columns.

    Returns:
        List of tuples of one or two texts.

    Raises:
        ValueError: no texts, or what `read_columns` refuses.
    """
    if not source.lower().endswith(".txt"):
        return read_columns(source, columns, header)
    if len(columns) > 1:
        raise ValueError(f"Pairs of texts need a table. Received: {source!r}. Use .tsv, .csv or .jsonl.")
    lines = pathlib.Path(source).read_text(encoding="utf-8-sig").split("\n")
    texts = [(line.rstrip("\r"),) for line in lines if line.strip()]
    if not texts:
        raise ValueError(f"A data file must hold at least one row. Received: {source!r}, which is empty.")
    return texts


def choose(teacher: keras_bert.BertClassifier, unlabelled: list, confidence: float) -> tuple[list, np.ndarray]:
    """Takes the texts that the teacher is sure of, and prints how many of each label.

    Args:
        teacher: `BertClassifier` of one label a text.
        unlabelled: list of tuples of one or two texts.
        confidence: float. The least probability.

    Returns:
        List of the texts that are taken, and an int array of their labels' ids.

    Raises:
        ValueError: it is sure of none.
    """
    probabilities = teacher.predict(as_inputs(unlabelled), verbose=0)
    rows = keras_bert.data.confident_rows(probabilities, confidence)
    labels = probabilities[rows].argmax(axis=1)
    counts = np.bincount(labels, minlength=len(teacher.labels))
    shown = ", ".join(f"{label} {count}" for label, count in zip(teacher.labels, counts, strict=True))
    print(f"Of {len(unlabelled)} unlabelled texts {len(rows)} are taken, by a probability of {confidence}: {shown}")
    return [unlabelled[row] for row in rows], labels


def as_inputs(texts: list[tuple[str, ...]]) -> list[str] | tuple[list[str], ...]:
    """Gives texts, or pairs of them, as `fit` and `predict` take them."""
    columns = tuple(list(column) for column in zip(*texts, strict=True))
    return columns if len(columns) == 2 else columns[0]
