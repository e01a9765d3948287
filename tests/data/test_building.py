"""Building the data of pre-training: the same shards however it was interrupted, and nothing half-written."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from keras_bert.data.building import build_records
from keras_bert.data.documents import find_files
from keras_bert.data.manifest import read_manifest, vocabulary_checksum
from keras_bert.text.tokenizer import BertTokenizer

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "on", "a", "mat", ".", "##s"]
TOKENIZER = BertTokenizer(PIECES)
SENTENCES = ("The cat sat on a mat. ", "A mat sat. ", "The mats sat on the cats. ")


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for i in range(12):
        (folder / f"{i:02d}.txt").write_text("".join(SENTENCES[(i + j) % 3] for j in range(40 + 7 * i)))
    return find_files([folder])


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(pathlib.Path(folder).glob("*.tfrecord"))}


def test_processes_give_the_same_shards_and_a_manifest_that_adds_up(corpus, tmp_path):
    manifest = build_records(corpus, TOKENIZER, tmp_path / "one", shard_size=4000)
    again = build_records(corpus, TOKENIZER, tmp_path / "two", shard_size=4000, processes=2)
    assert content(tmp_path / "one") == content(tmp_path / "two") and len(manifest.shards) > 3
    assert manifest.shards == again.shards
    assert manifest.total("documents") == 12 == manifest.total("long_documents")
    text = "".join(path.read_text() for path in corpus)
    assert manifest.total("tokens") == len(TOKENIZER(text))
    assert manifest.total("sentences") == text.count(".")
    assert manifest.reading["bytes"] == len(text)
    read = read_manifest(tmp_path / "one")
    assert read == manifest and read.vocabulary_sha256 == vocabulary_checksum(read.tokenizer())
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert names == {"manifest.json", "tokenizer", *content(tmp_path / "one")}


def test_the_last_shards_are_held_out(corpus, tmp_path):
    manifest = build_records(corpus, TOKENIZER, tmp_path / "data", shard_size=4000)
    train, held_out = manifest.hold_out(0.3)
    assert train.shards + held_out.shards == manifest.shards
    assert len(held_out.shards) == round(0.3 * len(manifest.shards))
    whole = build_records(corpus, TOKENIZER, tmp_path / "whole")
    with pytest.raises(ValueError, match=r"there must be two at least\. Received: .*whole' with 1"):
        whole.hold_out(0.3)


BUILD = """
import sys
from tests.data.test_building import *
if __name__ == "__main__":
    def slowly(shard):
        print(shard.name, flush=True)
        time.sleep(0.2)
    build_records(find_files([sys.argv[1]]), TOKENIZER, sys.argv[2], shard_size=4000, on_shard=slowly)
"""


def test_a_killed_build_goes_on(corpus, tmp_path):
    whole = build_records(corpus, TOKENIZER, tmp_path / "whole", shard_size=4000)
    output = tmp_path / "killed"
    root = pathlib.Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD, str(corpus[0].parent), str(output)],
        cwd=root, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert process.stdout.readline() and process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with pytest.raises(ValueError, match=r"must hold manifest\.json, which is written when all shards are"):
        read_manifest(output)
    finished = sorted(output.glob("shard-*.json"))
    assert 2 <= len(finished) < len(whole.shards)
    times = {path.name: path.with_suffix(".tfrecord").stat().st_mtime_ns for path in finished}
    # One of them is damaged since: only that one and the missing ones are built.
    damaged = finished[0].with_suffix(".tfrecord")
    damaged.write_bytes(damaged.read_bytes()[:-5])
    time.sleep(0.01)
    assert build_records(corpus, TOKENIZER, output, shard_size=4000).shards == whole.shards
    assert content(output) == content(tmp_path / "whole")
    for path in finished[1:]:
        assert path.with_suffix(".tfrecord").stat().st_mtime_ns == times[path.name]


def test_a_build_goes_on_only_as_it_began(corpus, tmp_path):
    def stop(shard):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_records(corpus, TOKENIZER, tmp_path / "data", shard_size=4000, on_shard=stop)
    other = BertTokenizer([*PIECES, "more"])
    with pytest.raises(ValueError, match="begun with another vocabulary and settings"):
        build_records(corpus, other, tmp_path / "data", shard_size=5000)
    with pytest.raises(ValueError, match=r"begun with another corpus\. Delete it"):
        build_records(corpus[1:], TOKENIZER, tmp_path / "data", shard_size=4000)
    manifest = build_records(corpus, TOKENIZER, tmp_path / "data", shard_size=4000)
    assert build_records(corpus, TOKENIZER, tmp_path / "data", shard_size=4000) == manifest
    with pytest.raises(ValueError, match="begun with another settings"):
        build_records(corpus, TOKENIZER, tmp_path / "data", shard_size=5000)


def test_a_tokenizer_of_another_model_is_refused(corpus, tmp_path):
    manifest = build_records(corpus, TOKENIZER, tmp_path / "data")
    manifest.check_tokenizer(BertTokenizer(PIECES))
    for other in (BertTokenizer([*PIECES, "more"]), BertTokenizer(PIECES, lowercase=False)):
        with pytest.raises(ValueError, match="must have one vocabulary and one way to tokenize.*13 pieces"):
            manifest.check_tokenizer(other)


def test_nothing_else_is_written_into(corpus, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(ValueError, match="must be a new folder.*other files"):
        build_records(corpus, TOKENIZER, tmp_path)


def test_a_corpus_without_text_is_refused(tmp_path):
    (tmp_path / "empty.txt").write_text(" \n\n")
    with pytest.raises(ValueError, match="must hold text. Received: 1 files with 3 bytes and no words"):
        build_records([tmp_path / "empty.txt"], TOKENIZER, tmp_path / "data")
    assert not (tmp_path / "data" / "manifest.json").exists()


def test_a_full_disk_leaves_no_half_shard(corpus, tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    # The second shard's temporary name leads to a device that is always full.
    output = tmp_path / "data"

    def fill(shard):
        (output / f".shard-00001.tfrecord.{os.getpid()}.new").symlink_to("/dev/full")

    with pytest.raises(Exception, match=r"(?i)no space left|full"):
        build_records(corpus, TOKENIZER, output, shard_size=4000, on_shard=fill)
    assert sorted(content(output)) == ["shard-00000.tfrecord"] and not (output / "manifest.json").exists()
    whole = build_records(corpus, TOKENIZER, tmp_path / "whole", shard_size=4000)
    assert build_records(corpus, TOKENIZER, output, shard_size=4000).shards == whole.shards


@pytest.mark.parametrize("harm", ["truncated", "edited", "missing", "version"])
def test_shards_that_are_not_as_written_are_refused(harm, corpus, tmp_path):
    manifest = build_records(corpus, TOKENIZER, tmp_path / "data", shard_size=4000)
    path = pathlib.Path(manifest.path_of(manifest.shards[1]))
    whole = path.read_bytes()
    if harm == "truncated":
        path.write_bytes(whole[:-1])
        message = rf"{path.name}', which has {len(whole) - 1} bytes in the place of {len(whole)}"
    elif harm == "edited":
        path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
        message = rf"{path.name}', which was changed"
    elif harm == "missing":
        path.unlink()
        message = rf"{path.name}', which is missing"
    else:
        file = tmp_path / "data" / "manifest.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "format_version": 7}))
        message = "must be of format 1. Received: 7"
    with pytest.raises(ValueError, match=message):
        read_manifest(tmp_path / "data")
