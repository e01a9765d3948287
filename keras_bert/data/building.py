"""A corpus of raw text to a folder of shards, in several processes; what a killed build has finished stays."""

import collections
import concurrent.futures
import dataclasses
import functools
import hashlib
import itertools
import json
import multiprocessing
import os
import pathlib
import threading
from collections.abc import Callable, Iterable, Iterator

from keras_bert.data.documents import ReadingReport, read_documents
from keras_bert.data.manifest import (
    FILE,
    TOKENIZER_FOLDER,
    Manifest,
    Shard,
    describe_shard,
    is_intact,
    read_manifest,
    vocabulary_checksum,
)
from keras_bert.data.records import write_shard
from keras_bert.text.tokenizer import BertTokenizer

_STARTED = "building.json"


def build_records(
    files: Iterable[str | os.PathLike],
    tokenizer: BertTokenizer,
    output: str | os.PathLike,
    *,
    processes: int = 1,
    shard_size: int = 2**22,
    separator: str = "file",
    sentence_per_line: bool = False,
    text_field: str = "text",
    word_segmentation: str = "pieces",
    on_shard: Callable[[Shard], None] | None = None,
) -> Manifest:
    """Builds the shards that pre-training reads, and their manifest at the end.

    Called again after an interruption it builds the missing shards only, and the result is the same. Called again
    after its end it builds nothing.

    Args:
        files: paths of `.txt` or `.jsonl` files, see `find_files`.
        tokenizer: `BertTokenizer`.
        output: str or path of the folder.
        processes: int, default 1. So many shards are built at the same time.
        shard_size: int, default 4 MiB. Bytes of text in a shard; documents stay whole.
        separator: str, default "file". See `read_documents`.
        sentence_per_line: bool, default False. See `read_documents`.
        text_field: str, default "text". See `read_documents`.
        word_segmentation: str, default "pieces". See `write_shard`.
        on_shard: callable, optional. Gets each `Shard` that is done, also those of an earlier run.

    Returns:
        `Manifest`.

    Raises:
        ValueError: a corpus without text, or a folder with something else in it.
        OSError: the disk is full, for example. Finished shards stay.

    Example:
    >>> manifest = build_records(find_files(["corpus/"]), tokenizer, "records")
    """
    files = [pathlib.Path(file) for file in files]
    folder = pathlib.Path(output)
    reader = {"separator": separator, "sentence_per_line": sentence_per_line, "text_field": text_field}
    writer = {"sentence_per_line": sentence_per_line, "word_segmentation": word_segmentation}
    settings = reader | writer | {"shard_size": shard_size}
    if not all(isinstance(number, int) and number > 0 for number in (processes, shard_size)):
        raise ValueError(
            f"`processes` and `shard_size` must be positive. Received: {processes!r} and {shard_size!r}."
        )
    build = _describe_build(files, tokenizer, settings)
    if (folder / FILE).exists():
        return _finished(folder, build)
    _start(folder, tokenizer, build)
    report = ReadingReport()
    batches = _batches(read_documents(files, report=report, **reader), shard_size)
    work = functools.partial(_build_shard, folder, vocabulary_checksum(tokenizer), writer)
    done = itertools.starmap(work, batches) if processes == 1 else _in_processes(work, batches, processes)
    shards = []
    for shard in done:
        if on_shard is not None:
            on_shard(shard)
        shards.append(shard)
    shards = tuple(shard for shard in shards if shard.documents)
    if not shards:
        raise ValueError(
            f"A corpus must hold text. Received: {report.files} files with {report.bytes} bytes and no words."
        )
    manifest = Manifest(str(folder), **build, reading=dataclasses.asdict(report), shards=shards)
    new = folder / f".{FILE}.new"
    manifest.write(new)
    os.replace(new, folder / FILE)
    for path in (folder / _STARTED, *folder.glob("shard-*.json")):
        path.unlink()
    return manifest


def _describe_build(files, tokenizer, settings):
    listing = json.dumps([[str(file), file.stat().st_size] for file in files])
    corpus = hashlib.sha256(listing.encode()).hexdigest()
    return {"vocabulary_sha256": vocabulary_checksum(tokenizer), "corpus_sha256": corpus, "settings": settings}


def _finished(folder, build):
    manifest = read_manifest(folder)
    _check_same(folder, build, {name: getattr(manifest, name) for name in build})
    return manifest


def _check_same(folder, build, before):
    changed = [name.removesuffix("_sha256") for name in build if build[name] != before[name]]
    if changed:
        raise ValueError(
            f"A build can only go on as it began. Received: {str(folder)!r}, begun with another "
            f"{' and '.join(changed)}. Delete it, or build into a new folder."
        )


def _start(folder, tokenizer, build):
    """Makes the folder, or sees to it that what it holds is of the same build."""
    started = folder / _STARTED
    if started.exists():
        _check_same(folder, build, json.loads(started.read_text()))
        return
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"The output must be a new folder. Received: {str(folder)!r}, which holds other files.")
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_to_preset(folder / TOKENIZER_FOLDER)
    new = folder / f".{_STARTED}.new"
    new.write_text(json.dumps(build))
    os.replace(new, started)


def _batches(documents, shard_size) -> Iterator[tuple[int, list, int]]:
    """Yields number, documents and bytes of the text of each shard."""
    number, batch, size = 0, [], 0
    for document in documents:
        batch.append(document)
        size += sum(len(paragraph.encode("utf-8")) for paragraph in document)
        if size >= shard_size:
            yield number, batch, size
            number, batch, size = number + 1, [], 0
    if batch:
        yield number, batch, size


def _in_processes(work, batches, processes) -> Iterator[Shard]:
    """Works on several batches at a time, of which few are in memory; results come in order."""
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(processes, context, initializer=_end_with_parent)
    try:
        waiting = collections.deque()
        for batch in batches:
            waiting.append(pool.submit(work, *batch))
            if len(waiting) > 2 * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent():
    """Ends this process when its parent does, even if that was killed."""

    def wait():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@functools.cache
def _read_tokenizer(folder, checksum):
    return BertTokenizer.from_preset(folder / TOKENIZER_FOLDER)


def _build_shard(folder, checksum, writer, number, documents, text_size):
    """Writes a shard, and then the note that it is finished."""
    path = folder / f"shard-{number:05d}.tfrecord"
    note = path.with_suffix(".json")
    if note.exists():
        shard = Shard(**json.loads(note.read_text()))
        if is_intact(path, shard):
            return shard
    new, new_note = folder / f".{path.name}.new", folder / f".{note.name}.new"
    try:
        counts = write_shard(new, documents, _read_tokenizer(folder, checksum), **writer)
        shard = describe_shard(new, path.name, text_size, counts)
        new_note.write_text(json.dumps(dataclasses.asdict(shard)))
    except BaseException:
        for part in (new, new_note):
            part.unlink(missing_ok=True)
        raise
    os.replace(new, path)
    os.replace(new_note, note)
    return shard
