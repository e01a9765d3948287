"""What a folder of shards holds: counts, checksums, and the vocabulary that its token ids are of."""

import dataclasses
import hashlib
import json
import os

import tensorflow as tf

from keras_bert.text.tokenizer import BertTokenizer

FILE = "manifest.json"
TOKENIZER_FOLDER = "tokenizer"
_FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of records and what is in it: sizes in bytes and counts."""

    name: str
    size: int
    sha256: str
    text_size: int
    documents: int
    long_documents: int
    sentences: int
    tokens: int


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The shards of a corpus.

    Args:
        folder: str. Where the shards are, on a disk or in a bucket.
        vocabulary_sha256: str. See `vocabulary_checksum`.
        corpus_sha256: str. Of the names and sizes of the files of text.
        settings: dict. How the corpus was read.
        reading: dict of int. The counts of `ReadingReport`.
        shards: tuple of `Shard`.
    """

    folder: str
    vocabulary_sha256: str
    corpus_sha256: str
    settings: dict
    reading: dict
    shards: tuple[Shard, ...]

    def total(self, count: str) -> int:
        """Adds up a count of all shards.

        Args:
            count: str. A field of `Shard`: "tokens", say.

        Returns:
            int.
        """
        return sum(getattr(shard, count) for shard in self.shards)

    def path_of(self, shard: Shard) -> str:
        """Gives the path of a shard.

        Args:
            shard: `Shard`.

        Returns:
            str.
        """
        return tf.io.gfile.join(self.folder, shard.name)

    def tokenizer(self) -> BertTokenizer:
        """Reads the tokenizer that the token ids are from.

        Returns:
            `BertTokenizer`.
        """
        return BertTokenizer.from_preset(tf.io.gfile.join(self.folder, TOKENIZER_FOLDER))

    def check_tokenizer(self, tokenizer: BertTokenizer) -> None:
        """Makes sure that a model's tokenizer is the one that the token ids are from.

        Args:
            tokenizer: `BertTokenizer`.

        Raises:
            ValueError: it is another one.
        """
        if vocabulary_checksum(tokenizer) != self.vocabulary_sha256:
            raise ValueError(
                f"Model and data must have one vocabulary and one way to tokenize. Received: {self.folder!r} with "
                f"{len(self.tokenizer().vocabulary):,} pieces, and a model with {len(tokenizer.vocabulary):,}, or with "
                "other settings. Build the data anew with the model's."
            )

    def hold_out(self, share: float) -> tuple["Manifest", "Manifest"]:
        """Puts shards aside to evaluate on: the last ones, one at least.

        Args:
            share: float. About so much of the shards.

        Returns:
            Two `Manifest`s: to train on and to evaluate on.

        Raises:
            ValueError: a single shard.
        """
        if len(self.shards) < 2:
            raise ValueError(
                f"To hold out shards there must be two at least. Received: {self.folder!r} with {len(self.shards)}. "
                "Build the data with smaller shards."
            )
        count = min(max(1, round(share * len(self.shards))), len(self.shards) - 1)
        parts = self.shards[:-count], self.shards[-count:]
        return tuple(dataclasses.replace(self, shards=shards) for shards in parts)

    def write(self, path: str | os.PathLike) -> None:
        """Writes the manifest.

        Args:
            path: str or path of the new file.
        """
        content = {"format_version": _FORMAT_VERSION} | dataclasses.asdict(self)
        del content["folder"]
        with tf.io.gfile.GFile(os.fspath(path), "w") as file:
            file.write(json.dumps(content, indent=1) + "\n")


def read_manifest(folder: str | os.PathLike, verify: bool = True) -> Manifest:
    """Reads the manifest of a folder of shards.

    Args:
        folder: str or path, on a disk or in a bucket (`gs://...`).
        verify: bool, default True. Reads all shards once and compares their checksums; `False` compares sizes only.

    Returns:
        `Manifest`.

    Raises:
        ValueError: no manifest, one of another version, or a shard that is missing, truncated or changed.

    Example:
    >>> read_manifest("records").total("tokens")
    """
    folder = os.fspath(folder)
    path = tf.io.gfile.join(folder, FILE)
    if not tf.io.gfile.exists(path):
        raise ValueError(
            f"A folder of pre-training data must hold {FILE}, which is written when all shards are. Received: "
            f"{folder!r}. Build the data, or go on with it after an interruption: tools/build_pretraining_data.py."
        )
    with tf.io.gfile.GFile(path) as file:
        content = json.loads(file.read())
    version = content.pop("format_version")
    if version != _FORMAT_VERSION:
        raise ValueError(
            f"Pre-training data must be of format {_FORMAT_VERSION}. Received: {version} in {path!r}. Build it anew."
        )
    shards = tuple(Shard(**shard) for shard in content.pop("shards"))
    manifest = Manifest(folder=folder, shards=shards, **content)
    for shard in shards:
        wrong = _difference(manifest.path_of(shard), shard, verify)
        if wrong:
            raise ValueError(
                f"Shards must be as they were written. Received: {manifest.path_of(shard)!r}, which {wrong}. "
                "Fetch it again, or build the data anew."
            )
    return manifest


def describe_shard(path: str | os.PathLike, name: str, text_size: int, counts: dict) -> Shard:
    """Takes size and checksum of a written shard.

    Args:
        path: str or path of the file.
        name: str. The name that it will have in the folder.
        text_size: int. Bytes of the text that went in.
        counts: dict. What `write_shard` returned.

    Returns:
        `Shard`.
    """
    size = tf.io.gfile.stat(os.fspath(path)).length
    return Shard(name=name, size=size, sha256=_checksum(os.fspath(path)), text_size=text_size, **counts)


def vocabulary_checksum(tokenizer: BertTokenizer) -> str:
    """Tells tokenizers apart that would give other ids.

    Args:
        tokenizer: `BertTokenizer`.

    Returns:
        str. SHA-256 of the pieces and the settings.
    """
    parts = [list(tokenizer.vocabulary.tokens), tokenizer.preset_config()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def is_intact(path: str | os.PathLike, shard: Shard) -> bool:
    """Tells whether a file is as its shard was written.

    Args:
        path: str or path of the file.
        shard: `Shard`.

    Returns:
        bool.
    """
    return _difference(os.fspath(path), shard, verify=True) is None


def _difference(path, shard, verify):
    if not tf.io.gfile.exists(path):
        return "is missing"
    size = tf.io.gfile.stat(path).length
    if size != shard.size:
        return f"has {size} bytes in the place of {shard.size}"
    if verify and _checksum(path) != shard.sha256:
        return "was changed: its checksum is another one"
    return None


def _checksum(path):
    digest = hashlib.sha256()
    with tf.io.gfile.GFile(path, "rb") as file:
        while block := file.read(2**24):
            digest.update(block)
    return digest.hexdigest()
