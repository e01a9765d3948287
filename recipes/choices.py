"""Reads questions with choices: RACE's JSON, and tables with SWAG's columns."""

import json
import pathlib
from typing import NamedTuple

from tables import read_columns

SWAG = ("sent1", "sent2", "ending0", "ending1", "ending2", "ending3", "label")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Question(NamedTuple):
    """A question, the passage it belongs to, its choices and the number of the right one."""

    name: str
    passage: str
    context: str
    question: str
    choices: list[str]
    answer: int


def read_choices(source: str) -> list[Question]:
    """Reads the questions of one source.

    Args:
        source: str. A `.json` file with a list of RACE's passages; a folder of RACE's `.txt` files, one passage each;
            or what `read_columns` reads, with SWAG's columns.

    Returns:
        List of `Question`.

    Raises:
        ValueError: if it cannot be read, is empty, or has a passage or row that is not complete, which is named.
    """
    path = pathlib.Path(source)
    if path.suffix.lower() == ".json":
        found = [question for passage in _passages(path) for question in _of_passage(passage, source)]
    elif path.is_dir():
        files = sorted(path.rglob("*.txt"))
        found = [question for file in files for question in _of_passage(_json(file), str(file))]
    else:
        found = [_of_row(row, *columns) for row, columns in enumerate(read_columns(source, SWAG), start=1)]
    if not found:
        raise ValueError(f"Data must hold at least one question. Received: {source!r}, which has none.")
    return found


def _passages(path):
    passages = _json(path)
    if not isinstance(passages, list):
        raise ValueError(f"A .json file must hold a list of RACE's passages. Received: {str(path)!r} with another.")
    return passages


def _json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{str(path)!r} must be JSON in UTF-8. Received: {error}.") from error


def _of_passage(passage, source):
    name = passage.get("id", "") if isinstance(passage, dict) else ""
    try:
        context = passage["article"]
        parts = list(zip(passage["questions"], passage["options"], passage["answers"], strict=True))
        found = [
            Question(f"{name}/{number}", f"{source}:{name}", context, question, list(options), LETTERS.index(answer))
            for number, (question, options, answer) in enumerate(parts, start=1)
        ]
        texts = [text for one in found for text in (one.context, one.question, *one.choices)]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a text that is none")
        if any(one.answer >= len(one.choices) for one in found):
            raise ValueError("an answer beyond the options")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            "A passage must have `article`, and as many `questions`, `options` (lists of texts) and `answers` (letters)"
            f". Received: {type(error).__name__}: {error} in passage {name!r} of {source!r}."
        ) from error
    return found


def _of_row(row, context, question, *choices_and_label):
    *choices, label = choices_and_label
    if str(label) not in ("0", "1", "2", "3"):
        raise ValueError(f"A label must be 0 to 3, which ending is right. Received: {label!r} in row {row}.")
    return Question(str(row), str(row), context, question, choices, int(label))
