"""One build of a corpus, step by step, so that any number of processes or machines can share the steps."""

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Iterator

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


@dataclasses.dataclass(frozen=True)
class CorpusBuild:
    """What a folder of shards is built of. Made by `plan`; `build_records` does all its steps.

    Args:
        folder: str.
        vocabulary_sha256: str.
        corpus_sha256: str.
        settings: dict. How the text is read and cut.
    """

    folder: str
    vocabulary_sha256: str
    corpus_sha256: str
    settings: dict

    @classmethod
    def plan(
        cls,
        files: Iterable[str | os.PathLike],
        tokenizer: BertTokenizer,
        folder: str | os.PathLike,
        *,
        shard_size: int = 2**22,
        separator: str = "file",
        sentence_per_line: bool = False,
        text_field: str = "text",
        word_segmentation: str = "pieces",
    ) -> "CorpusBuild":
        """Describes a build without beginning it.

        Args:
            files: paths of `.txt` or `.jsonl` files.
            tokenizer: `BertTokenizer`.
            folder: str or path.
            shard_size: int, default 4 MiB. Bytes of text in a shard; documents stay whole.
            separator: str, default "file". See `read_documents`.
            sentence_per_line: bool, default False. See `read_documents`.
            text_field: str, default "text". See `read_documents`.
            word_segmentation: str, default "pieces". See `write_shard`.

        Returns:
            `CorpusBuild`.

        Raises:
            ValueError: a size that is not positive.
        """
        if not isinstance(shard_size, int) or shard_size < 1:
            raise ValueError(f"`shard_size` must be positive. Received: {shard_size!r}. 4 MiB is usual.")
        listing = json.dumps([[str(file), pathlib.Path(file).stat().st_size] for file in files])
        settings = {
            "shard_size": shard_size,
            "separator": separator,
            "sentence_per_line": sentence_per_line,
            "text_field": text_field,
            "word_segmentation": word_segmentation,
        }
        corpus = hashlib.sha256(listing.encode()).hexdigest()
        return cls(os.fspath(folder), vocabulary_checksum(tokenizer), corpus, settings)

    def begin(self, tokenizer: BertTokenizer) -> Manifest | None:
        """Makes the folder, or sees to it that what it holds is of this build.

        Args:
            tokenizer: `BertTokenizer`, that of `plan`.

        Returns:
            `Manifest` if the build is finished, else None.

        Raises:
            ValueError: the folder holds another build, or something else.
        """
        folder = pathlib.Path(self.folder)
        started = folder / _STARTED
        if (folder / FILE).exists():
            manifest = read_manifest(folder)
            self._check({name: getattr(manifest, name) for name in self._parts()})
            return manifest
        if started.exists():
            self._check(json.loads(started.read_text()))
            return None
        if folder.exists() and any(folder.iterdir()):
            raise ValueError(f"The output must be a new folder. Received: {self.folder!r}, which holds other files.")
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save_to_preset(folder / TOKENIZER_FOLDER)
        new = folder / f".{_STARTED}.new"
        new.write_text(json.dumps(self._parts()))
        os.replace(new, started)
        return None

    def batches(
        self, files: Iterable[str | os.PathLike], report: ReadingReport, first: int = 0
    ) -> Iterator[tuple[int, list, int]]:
        """Reads the documents of one shard after the other.

        Args:
            files: paths.
            report: `ReadingReport`. Counts are added to it.
            first: int, default 0. Number of the first shard.

        Yields:
            Number, documents and bytes of the text of each shard: arguments of `build_shard`.
        """
        names = ("separator", "sentence_per_line", "text_field")
        documents = read_documents(files, report=report, **{name: self.settings[name] for name in names})
        number, batch, size = first, [], 0
        for document in documents:
            batch.append(document)
            size += sum(len(paragraph.encode("utf-8")) for paragraph in document)
            if size >= self.settings["shard_size"]:
                yield number, batch, size
                number, batch, size = number + 1, [], 0
        if batch:
            yield number, batch, size

    def build_shard(self, number: int, documents: list, text_size: int) -> Shard:
        """Writes a shard, and then the note that it is finished; does nothing where that was done before.

        Args:
            number: int.
            documents: list of lists of str.
            text_size: int. Their bytes.

        Returns:
            `Shard`.
        """
        path = pathlib.Path(self.folder, f"shard-{number:05d}.tfrecord")
        note = path.with_suffix(".json")
        if note.exists():
            shard = Shard(**json.loads(note.read_text()))
            if is_intact(path, shard):
                return shard
        # Of this process alone: on several machines, one step may be done twice at the same time.
        new, new_note = (part.with_name(f".{part.name}.{os.getpid()}.new") for part in (path, note))
        try:
            tokenizer = _read_tokenizer(self.folder, self.vocabulary_sha256)
            names = ("sentence_per_line", "word_segmentation")
            counts = write_shard(new, documents, tokenizer, **{name: self.settings[name] for name in names})
            shard = describe_shard(new, path.name, text_size, counts)
            new_note.write_text(json.dumps(dataclasses.asdict(shard)))
        except BaseException:
            for part in (new, new_note):
                part.unlink(missing_ok=True)
            raise
        os.replace(new, path)
        os.replace(new_note, note)
        return shard

    def finish(self, shards: Iterable[Shard], report: ReadingReport) -> Manifest:
        """Writes the manifest, the last of all files.

        Args:
            shards: iterable of `Shard`, all of them, in order.
            report: `ReadingReport` of all files.

        Returns:
            `Manifest`.

        Raises:
            ValueError: there is no text in any shard.
        """
        shards = tuple(shard for shard in shards if shard.documents)
        if not shards:
            raise ValueError(
                f"A corpus must hold text. Received: {report.files} files with {report.bytes} bytes and no words."
            )
        folder = pathlib.Path(self.folder)
        manifest = Manifest(self.folder, **self._parts(), reading=dataclasses.asdict(report), shards=shards)
        new = folder / f".{FILE}.new"
        manifest.write(new)
        os.replace(new, folder / FILE)
        for path in (folder / _STARTED, *folder.glob("shard-*.json"), *folder.glob(".shard-*.new")):
            path.unlink(missing_ok=True)
        return manifest

    def _parts(self):
        return {name: getattr(self, name) for name in ("vocabulary_sha256", "corpus_sha256", "settings")}

    def _check(self, before):
        changed = [name.removesuffix("_sha256") for name, part in self._parts().items() if part != before[name]]
        if changed:
            raise ValueError(
                f"A build can only go on as it began. Received: {self.folder!r}, begun with another "
                f"{' and '.join(changed)}. Delete it, or build into a new folder."
            )


@functools.cache
def _read_tokenizer(folder, checksum):
    return BertTokenizer.from_preset(pathlib.Path(folder, TOKENIZER_FOLDER))
