"""Turns the label column of a table into arrays, and says which row is wrong."""

import math
from collections.abc import Sequence

import numpy as np

SEPARATOR = "|"  # between the names of an example with several labels


def parse_label(value, task: str, place: str) -> str | list[str] | float:
    """Reads one label.

    Args:
        value: the value of the column: str, or whatever a line of `.jsonl` holds.
        task: str, `"single_label"`, `"multi_label"` or `"regression"`.
        place: str, where the value is from; for the error.

    Returns:
        A name, a list of names (of none for an empty value), or a float.

    Raises:
        ValueError: if the value is no label of that task.

    Example:
    >>> parse_label("red|blue", "multi_label", "row 1")
    ['red', 'blue']
    """
    if task == "multi_label":
        names = [name for name in value.split(SEPARATOR) if name.strip()] if isinstance(value, str) else value
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return [name.strip() for name in names]
        rule = f"Labels must be names joined by {SEPARATOR!r}, or a list of names"
    elif task == "regression":
        try:
            if math.isfinite(number := float(value)):
                return number
        except (TypeError, ValueError):
            pass
        rule = "A label to regress on must be a finite number"
    else:
        if isinstance(value, (str, int, float)) and str(value).strip():
            return str(value).lower() if isinstance(value, bool) else str(value).strip()
        rule = "A label must be a name or a number"
    raise ValueError(
        f"{rule}. Received: {value!r} in {place}. Correct the row, the label column or the task."
    )


def label_names(labels: Sequence[str | list[str]]) -> list[str]:
    """Returns the distinct names in `labels`, sorted; whole numbers by their value.

    Raises:
        ValueError: if there are fewer than two, which leaves nothing to learn.

    Example:
    >>> label_names(["10", "9", "9"])
    ['9', '10']
    """
    names = {name for label in labels for name in ([label] if isinstance(label, str) else label)}
    if len(names) < 2:
        raise ValueError(
            "The training data must have at least two different labels. "
            f"Received: {sorted(names)}. Check the label column."
        )
    return sorted(names, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))


def label_array(labels: Sequence, names: Sequence[str], task: str, source: str) -> np.ndarray:
    """Turns labels into what a classifier is fitted on.

    Args:
        labels: sequence of what `parse_label` returns.
        names: sequence of str, the labels of the training data in the order of their ids.
        task: str, `"single_label"`, `"multi_label"` or `"regression"`.
        source: str, where they are from; for the error.

    Returns:
        int array `(B,)` of ids, float array `(B, C)` of 0 and 1, or float array `(B,)`.

    Raises:
        ValueError: if a label is not among `names`.

    Example:
    >>> label_array(["no", "yes"], ["no", "yes"], "single_label", "dev.tsv")
    array([0, 1], dtype=int32)
    """
    if task == "regression":
        return np.array(labels, "float32")
    ids = {name: number for number, name in enumerate(names)}
    array = np.zeros((len(labels), len(names)), "float32")
    for row, label in enumerate(labels, start=1):
        for name in [label] if isinstance(label, str) else label:
            if name not in ids:
                shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
                raise ValueError(
                    f"Every label must occur in the training data, which has {shown}. Received: {name!r} in row {row} "
                    f"of {source!r}. Correct the row or add such examples to the training data."
                )
            array[row - 1, ids[name]] = 1
    return array.argmax(axis=1).astype("int32") if task == "single_label" else array
