"""A corpus of raw text to a folder of shards, in several processes; what a killed build has finished stays."""

import collections
import concurrent.futures
import itertools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator

from keras_bert.data.corpus_build import CorpusBuild
from keras_bert.data.documents import ReadingReport
from keras_bert.data.manifest import Manifest, Shard
from keras_bert.text.tokenizer import BertTokenizer


def build_records(
    files: Iterable[str | os.PathLike],
    tokenizer: BertTokenizer,
    output: str | os.PathLike,
    *,
    processes: int = 1,
    on_shard: Callable[[Shard], None] | None = None,
    **settings,
) -> Manifest:
    """Builds the shards that pre-training reads, and their manifest at the end.

    Called again after an interruption it builds the missing shards only, and the result is the same. Called again
    after its end it builds nothing.

    Args:
        files: paths of `.txt` or `.jsonl` files, see `find_files`.
        tokenizer: `BertTokenizer`.
        output: str or path of the folder.
        processes: int, default 1. So many shards are built at the same time.
        on_shard: callable, optional. Gets each `Shard` that is done, also those of an earlier run.
        **settings: `CorpusBuild.plan`'s: `shard_size`, `separator`, `sentence_per_line`, `text_field`,
            `word_segmentation`.

    Returns:
        `Manifest`.

    Raises:
        ValueError: a corpus without text, or a folder with something else in it.
        OSError: the disk is full, for example. Finished shards stay.

    Example:
    >>> manifest = build_records(find_files(["corpus/"]), tokenizer, "records")
    """
    if not isinstance(processes, int) or processes < 1:
        raise ValueError(f"`processes` must be positive. Received: {processes!r}.")
    files = list(files)
    build = CorpusBuild.plan(files, tokenizer, output, **settings)
    if (manifest := build.begin(tokenizer)) is not None:
        return manifest
    report = ReadingReport()
    batches = build.batches(files, report)
    if processes == 1:
        done = itertools.starmap(build.build_shard, batches)
    else:
        done = _in_processes(build.build_shard, batches, processes)
    shards = []
    for shard in done:
        if on_shard is not None:
            on_shard(shard)
        shards.append(shard)
    return build.finish(shards, report)


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
