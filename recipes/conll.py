"""Reads and writes tagged words: a word a line, with its tag, and an empty line between sentences."""

import pathlib
from collections.abc import Sequence

import keras_bert


def read_conll(path: str, word_column: int = 0, tag_column: int = -1) -> tuple[list[list[str]], list[list[str]]]:
    """Reads words and tags; lines that begin with -DOCSTART- are left out.

    Args:
        path: str. A UTF-8 file, with tabs between columns, or spaces where a line has no tab.
        word_column: int, default 0.
        tag_column: int, default -1, the last.

    Returns:
        Two lists of sentences: words, tags.

    Raises:
        ValueError: no such file, none that is text, no sentence, or a line without these columns, with its number.

    Example:
    >>> words, tags = read_conll("recipes/sample_data/entities_dev.conll")
    """
    file = pathlib.Path(path)
    if not file.is_file():
        raise ValueError(f"A data file must exist. Received: {path!r}. Check the path and the spelling.")
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"A data file must be UTF-8. Received: {path!r} ({error}). Convert it.") from error
    words, tags = [[]], [[]]
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r")
        if not line.strip() or line.startswith("-DOCSTART-"):
            if words[-1]:
                words.append([])
                tags.append([])
            continue
        columns = line.split("\t") if "\t" in line else line.split()
        if not all(-len(columns) <= column < len(columns) for column in (word_column, tag_column)) or len(columns) < 2:
            raise ValueError(
                f"A line must have a word and a tag. Received: {line!r:.80} in line {number} of {path!r}. "
                "Correct it, or name the columns."
            )
        words[-1].append(columns[word_column])
        tags[-1].append(columns[tag_column].strip())
    if not words[-1]:
        words.pop()
        tags.pop()
    if not words:
        raise ValueError(f"A data file must hold a sentence. Received: {path!r}, which is empty.")
    return words, tags


def write_conll(path: pathlib.Path, *columns: Sequence[Sequence[str]]) -> None:
    """Writes sentences, a line for each word, whole or not at all.

    Args:
        path: `pathlib.Path`.
        *columns: lists of sentences: words, tags, predicted tags.
    """
    with keras_bert.presets.atomic_file(path) as new, open(new, "w", encoding="utf-8", newline="\n") as file:
        for sentence in zip(*columns, strict=True):
            file.writelines("\t".join(values) + "\n" for values in zip(*sentence, strict=True))
            file.write("\n")
