"""Reads GLUE's tasks from the files that its own download leaves, each with its own columns."""

import os
import pathlib
from typing import NamedTuple

from labels import parse_label
from tables import read_tsv

import keras_bert

SOURCE = "https://gluebenchmark.com/tasks"
HIGHEST = 5.0  # of STS-B's scores, whose lowest is 0


class Columns(NamedTuple):
    """Where a task's files have texts and label: names in the header, or numbers where there is none."""

    texts: tuple[str, ...]
    label: str
    has_header: bool = True


class Examples(NamedTuple):
    """Examples of one file: columns of texts, their labels, and the lines that were torn and left out."""

    texts: tuple[list[str], ...]
    labels: list
    torn: list[int]

    def inputs(self):
        return self.texts if len(self.texts) == 2 else self.texts[0]


SENTENCES = ("sentence1", "sentence2")
TASKS = {
    "CoLA": Columns(("3",), "1", has_header=False),
    "SST-2": Columns(("sentence",), "label"),
    "MRPC": Columns(("#1 String", "#2 String"), "Quality"),
    "STS-B": Columns(SENTENCES, "score"),
    "QQP": Columns(("question1", "question2"), "is_duplicate"),
    "MNLI": Columns(SENTENCES, "gold_label"),
    "QNLI": Columns(("question", "sentence"), "label"),
    "RTE": Columns(SENTENCES, "label"),
    "WNLI": Columns(SENTENCES, "label"),
}
# Its texts hold line ends, which tear their rows in two; everyone trains without those.
HAS_TORN_ROWS = "QQP"
_MNLI_TESTS = {"m": "matched", "mm": "mismatched"}
_DEV_IDS = ("dev_ids.tsv", "mrpc_dev_ids.tsv")


def read_task(data: str | os.PathLike, task: str) -> dict[str, Examples]:
    """Reads what a task is trained and scored on.

    MRPC is read from `train.tsv` and `dev.tsv`, or where they are absent from what GLUE makes these of:
    `msr_paraphrase_train.txt` and the pairs in `dev_ids.tsv` (or `mrpc_dev_ids.tsv`).

    Args:
        data: str or path. The folder of GLUE, with a folder for each task.
        task: str. One of `TASKS`.

    Returns:
        dict of `Examples`: `train`, then `dev`, or MNLI's `dev_matched` and `dev_mismatched`. Labels are names as in
        the file, for STS-B floats.

    Raises:
        ValueError: a file that is missing, empty or has a bad row, with its line.

    Example:
    >>> read_task("glue_data", "RTE")["train"].inputs()
    """
    folder = pathlib.Path(data) / task
    dev_sets = ("dev_matched", "dev_mismatched") if task == "MNLI" else ("dev",)
    if task == "MRPC" and not (folder / "train.tsv").is_file() and _msr_file(folder, "train").is_file():
        return _divided_msr(folder)
    sets = {}
    for name in ("train", *dev_sets):
        torn = [] if task == HAS_TORN_ROWS else None
        rows = _rows(task, folder / f"{name}.tsv", (*TASKS[task].texts, TASKS[task].label), torn=torn)
        sets[name] = _examples(task, folder / f"{name}.tsv", rows, torn)
    return sets


def test_files(data: str | os.PathLike, task: str) -> dict[str, pathlib.Path]:
    """Finds the test data of a task, for MNLI also the diagnostic set, by the names that GLUE gives the predictions."""
    data = pathlib.Path(data)
    files = {task: data / task / "test.tsv"}
    if task == "MNLI":
        files = {f"MNLI-{short}": data / task / f"test_{name}.tsv" for short, name in _MNLI_TESTS.items()}
        files["AX"] = data / "diagnostic" / "diagnostic.tsv"
    if task == "MRPC" and not files[task].is_file():
        files[task] = _msr_file(data / task, "test")
    return {name: path for name, path in files.items() if path.is_file()}


def read_tests(data: str | os.PathLike, task: str) -> dict[str, tuple[list[str], Examples]]:
    """Reads the test data that `test_files` finds.

    Args:
        data: str or path. The folder of GLUE.
        task: str. One of `TASKS`.

    Returns:
        dict from the name that GLUE gives the predictions (`CoLA`, `MNLI-m`, `AX`, ...) to the indices and
        `Examples` without labels.

    Raises:
        ValueError: a file that is empty or has a bad row, with its line.

    Example:
    >>> indices, examples = read_tests("glue_data", "RTE")["RTE"]
    """
    tests = {}
    for name, path in test_files(data, task).items():
        columns = ("sentence",) if task == "CoLA" else TASKS[task].texts
        rows = [values for _, values in read_tsv(path, ("0", *columns))]
        indices, *texts = (list(column) for column in zip(*rows, strict=True))
        if path.suffix == ".txt":  # its first column is the label
            indices = [str(row) for row in range(len(rows))]
        tests[name] = indices, Examples(tuple(texts), [], [])
    return tests


def _rows(task, path, columns, has_header=None, torn=None):
    if not path.is_file():
        raise ValueError(
            f"GLUE's {task} must have {path.name}. Received: no file {str(path)!r}. Get it from {SOURCE}, or leave "
            "the task out of --tasks."
        )
    return read_tsv(path, columns, TASKS[task].has_header if has_header is None else has_header, torn)


def _examples(task, path, rows, torn=None):
    labels = [_label(task, values[-1], f"line {line} of {str(path)!r}") for line, values in rows]
    texts = zip(*(values[:-1] for _, values in rows), strict=True)
    return Examples(tuple(list(column) for column in texts), labels, torn or [])


def _label(task, value, place):
    names = keras_bert.metrics.GLUE_LABELS[task]
    if names:
        label, rule = value.strip(), f"one of {', '.join(names)}"
        is_right = label in names
    else:
        label, rule = parse_label(value, "regression", place), f"a number from 0 to {HIGHEST:.0f}"
        is_right = 0 <= label <= HIGHEST
    if not is_right:
        raise ValueError(f"A label of {task} must be {rule}. Received: {value!r} in {place}. Correct the row.")
    return label


def _msr_file(folder, split):
    return folder / f"msr_paraphrase_{split}.txt"


def _divided_msr(folder):
    path = _msr_file(folder, "train")
    ids_path = next((folder / name for name in _DEV_IDS if (folder / name).is_file()), folder / _DEV_IDS[0])
    dev_ids = {ids for _, ids in _rows("MRPC", ids_path, ("0", "1"), has_header=False)}
    rows = _rows("MRPC", path, ("#1 ID", "#2 ID", *TASKS["MRPC"].texts, TASKS["MRPC"].label))
    sets = {"train": [], "dev": []}
    for line, (first, second, *values) in rows:
        sets["dev" if (first, second) in dev_ids else "train"].append((line, values))
    if not all(sets.values()):
        raise ValueError(
            f"{ids_path.name} must name a part of the pairs in {path.name}. Received: "
            f"{len(sets['dev'])} of {len(rows)} pairs in {str(ids_path)!r}. Get both from {SOURCE}."
        )
    return {name: _examples("MRPC", path, part) for name, part in sets.items()}
