"""Reads the columns a recipe needs from TSV, CSV and JSONL files, and from TensorFlow Datasets."""

import csv
import json
import os
import pathlib
import re
from collections.abc import Iterator, Sequence

import numpy as np

ENDINGS = (".tsv", ".csv", ".jsonl")
_TFDS = re.compile(r"tfds:(?P<name>[^:]+(?::\d+\.\d+\.\d+)?):(?P<split>.+)")


def read_columns(source: str, columns: Sequence[str], header: bool = True) -> list[tuple]:
    """Reads some columns of a table, every value of every row checked to be there.

    `.tsv` has no quoting: a tab always ends a value, as in GLUE's files. `.csv` is quoted with `"`. `.jsonl` has one
    object or one list a line. Files are UTF-8; empty lines are skipped.

    Args:
        source: str. A path, or `"tfds:NAME:SPLIT"` for TensorFlow Datasets, like `"tfds:glue/sst2:train[:90%]"`.
        columns: sequence of str. The names of the columns, or their numbers, counted from 0.
        header: bool. Whether the first line of a `.tsv` or `.csv` names the columns. Defaults to `True`.

    Returns:
        List of tuples, one a row, with the values of `columns` in their order: str from files of text and class
        names from TensorFlow Datasets; whatever the line holds from `.jsonl`.

    Raises:
        ValueError: if the source cannot be read, is empty, lacks a column or has a bad row, which is named.

    Example:
    >>> read_columns("recipes/sample_data/sentiment_dev.tsv", ["label"])[0]
    ('negative',)
    """
    if source.startswith("tfds:"):
        rows = _tfds_rows(source, columns)
    else:
        path = pathlib.Path(source)
        ending = path.suffix.lower()
        if ending not in ENDINGS:
            raise ValueError(
                f"A data file must end in one of {', '.join(ENDINGS)}. Received: {source!r}. Rename or convert it."
            )
        _check_exists(path)
        if ending == ".jsonl":
            rows = _json_rows(path, columns)
        else:
            lines = _csv_lines(path, header) if ending == ".csv" else _tsv_lines(path)
            rows = (values for _, values in _text_rows(path, lines, columns, header))
    return _at_least_one(list(rows), source)


def read_tsv(
    path: str | os.PathLike, columns: Sequence[str], header: bool = True, torn: list[int] | None = None
) -> list[tuple[int, tuple[str, ...]]]:
    """Reads some columns of a file of tab-separated values, whatever its name ends in, with the lines they are from.

    Args:
        path: str or path.
        columns: as in `read_columns`.
        header: bool, default True. Whether the first line names the columns.
        torn: list, optional. Rows with another number of columns are left out, and their lines added to it; by
            default they are an error.

    Returns:
        List of (line, values).

    Raises:
        ValueError: as in `read_columns`.

    Example:
    >>> read_tsv("recipes/sample_data/sentiment_dev.tsv", ["label"])[0]
    (2, ('negative',))
    """
    path = pathlib.Path(path)
    _check_exists(path)
    return _at_least_one(list(_text_rows(path, _tsv_lines(path), columns, header, torn)), str(path))


def _check_exists(path):
    if not path.is_file():
        raise ValueError(f"A data file must exist. Received: {str(path)!r}. Check the path and the spelling.")


def _at_least_one(rows, source):
    if not rows:
        raise ValueError(f"A data file must hold at least one row. Received: {source!r}, which is empty.")
    return rows


def _tsv_lines(path):
    return ((number, text.split("\t")) for number, text in _lines(path))


def _text_rows(path, lines, columns, header, torn=None) -> Iterator[tuple[int, tuple]]:
    first = next(lines, None)
    if first is None:
        return
    width, positions = len(first[1]), _positions(path, first[1], columns, header)
    rows = lines if header else _chain(first, lines)
    for row, (line, values) in enumerate(rows, start=1):
        if len(values) == width:
            yield line, tuple(values[position] for position in positions)
        elif torn is not None:
            torn.append(line)
        else:
            is_csv = path.suffix.lower() == ".csv"
            raise ValueError(
                f"Every row must have as many columns as the {'header' if header else 'first row'}, {width}. "
                f"Received: {len(values)} in {_place(path, row, line)}. "
                + ("Quote values that hold a comma." if is_csv else "Look for a missing or an extra tab.")
            )


def _positions(path, first, columns, header):
    names = [name.strip() for name in first] if header else []
    shown = f"the columns {', '.join(names)}" if header else f"{len(first)} columns and no names"
    positions = []
    for column in columns:
        if names.count(column) == 1:
            positions.append(names.index(column))
        elif column not in names and column.isdecimal() and int(column) < len(first):
            positions.append(int(column))
        else:
            raise ValueError(
                f"A column must be one of the names in the header, or a number counted from 0. Received: "
                f"{column!r}, but {str(path)!r} has {shown}. Name one of them"
                + (" (a header that names it once)." if column in names else ".")
            )
    return positions


def _json_rows(path, columns) -> Iterator[tuple]:
    for row, (line, text) in enumerate(_lines(path), start=1):
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"A line of a .jsonl file must be JSON. Received: {error} in {_place(path, row, line)}."
            ) from error
        if isinstance(record, list):
            record = {str(number): value for number, value in enumerate(record)}
        if not isinstance(record, dict):
            raise ValueError(
                "A line of a .jsonl file must be an object or a list. Received: "
                f"{type(record).__name__} in {_place(path, row, line)}. Write one object with named columns a line."
            )
        for column in columns:
            if record.get(column) is None:
                raise ValueError(
                    f"Every row must have the column {column!r}. Received: {', '.join(record) or 'nothing'} in "
                    f"{_place(path, row, line)}. Name another column or fill it in."
                )
        yield tuple(record[column] for column in columns)


def _lines(path, skip_empty=True) -> Iterator[tuple[int, str]]:
    # Bytes are split at "\n" alone: str.splitlines also breaks at characters that text may hold.
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"A data file must be UTF-8. Received: {error.reason} at byte {error.start} of line {number} "
                    f"of {str(path)!r}. Convert the file, for example with iconv."
                ) from error
            if text or not skip_empty:
                yield number, text


def _csv_lines(path, header) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(1 << 30)  # the default of 128 kB is less than a long document
    reader = csv.reader((text + "\n" for _, text in _lines(path, skip_empty=False)), strict=True)
    row, line = 0 if header else 1, 1  # of the row being read
    try:
        for values in reader:
            if values:
                yield line, values
                row += 1
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"A .csv file must be quoted with double quotes. Received: {error} in {_place(path, row, line)}. "
            'Write "" for a quote inside a quoted value.'
        ) from error


def _chain(first, rest):
    yield first
    yield from rest


def _place(path, row, line):
    return f"row {row} (line {line}) of {str(path)!r}"


def _tfds_rows(source, columns) -> Iterator[tuple]:
    match = _TFDS.fullmatch(source)
    if not match:
        raise ValueError(
            'A TensorFlow dataset is written "tfds:NAME:SPLIT". '
            f'Received: {source!r}. Write, for example, "tfds:glue/sst2:train".'
        )
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ValueError(
            f"Reading {source!r} needs TensorFlow Datasets, which is not installed. "
            "Run `pip install tensorflow-datasets`, or give a .tsv, .csv or .jsonl file."
        ) from error
    dataset, info = tfds.load(match["name"], split=match["split"], with_info=True, shuffle_files=False)
    for column in columns:
        if column not in info.features:
            raise ValueError(
                f"A column must be a feature of the dataset. Received: {column!r}, but {source!r} has "
                f"{', '.join(info.features)}. Name one of them."
            )
    for row, record in enumerate(tfds.as_numpy(dataset), start=1):
        yield tuple(_plain(source, row, info.features[column], record[column]) for column in columns)


def _plain(source, row, feature, value):
    if hasattr(feature, "int2str"):  # a class label; -1 stands for a hidden one
        if int(value) < 0:
            raise ValueError(
                f"Every row must have a label. Received: none in row {row} of {source!r}. Take another split."
            )
        return feature.int2str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return value.item() if isinstance(value, np.generic) else value
