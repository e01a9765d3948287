"""Raw text from files, one document after another: of the corpus only one document is in memory."""

import codecs
import dataclasses
import glob
import gzip
import itertools
import json
import lzma
import os
import pathlib
import re
import zlib
from collections.abc import Iterable, Iterator

from keras_bert.data.text_records import read_text_records

_OPENERS = {".gz": gzip.open, ".xz": lzma.open}
_FORMATS = (".txt", ".jsonl", ".tfrecord")
SEPARATORS = ("file", "blank_line")
# A longer document is cut, so that a corpus in one file does not end up in memory.
_LONGEST_DOCUMENT = 2**24  # bytes
_UTF16 = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE
_CHECKED = 8192  # bytes at the beginning of a file, in which a NUL tells that it is no text
# Lines that are all shorter are the wrapped lines of one paragraph; longer ones are a paragraph each.
_WRAPPED_LINE = 100  # characters


@dataclasses.dataclass
class ReadingReport:
    """What was read, and what was wrong with it."""

    files: int = 0
    empty_files: int = 0
    documents: int = 0
    cut_documents: int = 0
    bytes: int = 0
    invalid_bytes: int = 0


def find_files(patterns: Iterable[str | os.PathLike]) -> list[pathlib.Path]:
    """Finds text files.

    Args:
        patterns: paths of files, of folders (searched through, but for hidden files), or globs. Files end in `.txt`,
            `.jsonl` or `.tfrecord`, or in these and `.gz` or `.xz`.

    Returns:
        List of paths, sorted, none twice.

    Raises:
        ValueError: a pattern finds nothing, or a file of another kind.

    Example:
    >>> find_files(["corpus/"])
    """
    found = set()
    for pattern in patterns:
        path = pathlib.Path(pattern)
        if path.is_dir():
            matches = [p for p in path.rglob("*") if p.is_file() and _format(p) and not _is_hidden(p, path)]
        else:
            matches = (
                [path]
                if path.is_file()
                else [pathlib.Path(p) for p in glob.glob(str(pattern), recursive=True)]
            )
            wrong = [p for p in matches if not _format(p)]
            if wrong:
                raise ValueError(
                    f"A text file must end in {', '.join(_FORMATS)}, or in these and .gz or .xz. "
                    f"Received: {str(wrong[0])!r}. Rename it, or give its folder to leave it out."
                )
        if not matches:
            raise ValueError(
                f"A corpus must hold text files. Received: {str(pattern)!r}, where there are none."
            )
        found.update(matches)
    return sorted(found)


def read_documents(
    files: Iterable[str | os.PathLike],
    *,
    separator: str = "file",
    sentence_per_line: bool = False,
    text_field: str = "text",
    report: ReadingReport | None = None,
) -> Iterator[list[str]]:
    """Reads documents, each a list of paragraphs; line breaks inside a paragraph are joined.

    Text is UTF-8; a byte order mark and Windows' line ends are dropped, invalid bytes are dropped and counted. Blank
    lines end a paragraph. Lines of at most 100 characters are taken for the wrapped lines of one paragraph.

    Args:
        files: paths of `.txt`, `.jsonl` or `.tfrecord` files, plain, `.gz` or (not TFRecords) `.xz`.
        separator: str, default "file": a `.txt` file is one document; "blank_line": blank lines end a document.
        sentence_per_line: bool, default False. The lines of `.txt` files are sentences: none are joined.
        text_field: str, default "text". The field of a `.jsonl` line, or the feature of a record, a document each,
            that holds the text.
        report: `ReadingReport`, optional. Counts are added to it.

    Yields:
        Lists of str, none empty: paragraphs, or sentences with `sentence_per_line`.

    Raises:
        ValueError: a file that is not text, is cut short, or lacks the field (with the line's number).

    Example:
    >>> for paragraphs in read_documents(find_files(["corpus/"])):
    ...     print(len(paragraphs))
    """
    if separator not in SEPARATORS:
        raise ValueError(f"`separator` must be 'file' or 'blank_line'. Received: separator={separator!r}.")
    report = ReadingReport() if report is None else report
    for file in map(pathlib.Path, files):
        report.files += 1
        before = report.documents
        if _format(file) == ".tfrecord":
            documents = _record_documents(file, text_field, report)
        elif _format(file) == ".jsonl":
            documents = _json_documents(file, _lines(file, report), text_field)
        else:
            documents = _text_documents(_lines(file, report), separator == "blank_line", report)
        for blocks in documents:
            paragraphs = [
                text for block in blocks for text in (block if sentence_per_line else _joined(block))
            ]
            if paragraphs:
                report.documents += 1
                yield paragraphs
        report.empty_files += report.documents == before


def _format(path):
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _OPENERS:
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in _FORMATS else None


def _is_hidden(path, folder):
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _lines(file, report):
    """Yields the lines of a file, stripped."""
    opener = _OPENERS.get(file.suffix.lower(), open)
    try:
        with opener(file, "rb") as stream:
            seen = 0
            for line in stream:
                if seen < _CHECKED and (line.startswith(_UTF16) and not seen or b"\0" in line[:_CHECKED]):
                    raise ValueError(
                        f"A text file must be UTF-8. Received: {str(file)!r}, which is binary or UTF-16. "
                        "Convert it, or leave it out."
                    )
                if not seen:
                    line = line.removeprefix(codecs.BOM_UTF8)
                seen += len(line)
                report.bytes += len(line)
                yield _decode(line, report).strip()
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise ValueError(
            f"A compressed file must be whole. Received: {str(file)!r} ({error}). Fetch it again."
        ) from error


def _decode(line, report):
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        text = line.decode("utf-8", errors="ignore")
        report.invalid_bytes += len(line) - len(text.encode("utf-8"))
        return text


def _text_documents(lines, blank_line_ends, report):
    """Yields documents as lists of blocks, which are lists of lines between blank ones."""
    blocks, block, size = [], [], 0
    for line in lines:
        if line:
            block.append(line)
            size += len(line.encode("utf-8"))
            if size < _LONGEST_DOCUMENT:
                continue
            report.cut_documents += 1
        if block:
            blocks.append(block)
            block = []
        if blocks and (blank_line_ends or size >= _LONGEST_DOCUMENT):
            yield blocks
            blocks, size = [], 0
    if block:
        blocks.append(block)
    if blocks:
        yield blocks


def _json_documents(file, lines, text_field):
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            text = json.loads(line)[text_field]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"Every line must be a JSON object with the field {text_field!r}. "
                f"Received: {line[:80]!r} in line {number} of {str(file)!r} ({type(error).__name__}). Correct it."
            ) from error
        if not isinstance(text, str):
            raise ValueError(
                f"The field {text_field!r} must be a string. Received: {str(text)[:80]} in line {number} of "
                f"{str(file)!r}. Correct it, or name another field."
            )
        yield _blocks(text)


def _record_documents(file, text_field, report):
    for text in read_text_records(file, text_field):
        report.bytes += len(text)
        yield _blocks(_decode(text, report))


def _blocks(text):
    """Gives the lines between blank ones."""
    blocks = (block.splitlines() for block in re.split(r"\n\s*\n", text))
    return [[line.strip() for line in block if line.strip()] for block in blocks if block]


def _joined(block):
    """Gives the paragraphs of a block of lines."""
    if len(block) < 2 or max(map(len, block)) > _WRAPPED_LINE:
        return block
    parts = block[:1]
    for before, line in itertools.pairwise(block):
        parts += ["" if _is_wide(before[-1]) and _is_wide(line[0]) else " ", line]
    return ["".join(parts)]


def _is_wide(character):
    """Tells whether a character is of a script that is written without spaces."""
    return "\u2e80" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or character >= "\uff00"
