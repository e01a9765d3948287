"""The Beam pipeline, run by Beam's own runner: the same data as the tool for one machine."""

import random

import pytest

import keras_bert

pytest.importorskip("apache_beam", reason="apache-beam (the extra beam) runs the pipeline")

WORDS = ["the", "cat", "sat", "on", "mat"]


@pytest.fixture
def build(tool, tmp_path):
    (tmp_path / "corpus").mkdir()
    draw = random.Random(0)
    for i in range(5):
        lines = [" ".join(draw.choices(WORDS, k=9)).capitalize() + "." for _ in range(8000 * (1 + i % 2))]
        (tmp_path / "corpus" / f"{i}.txt").write_text("\n\n".join(lines))
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *WORDS]))

    def run(name, output, *flags):
        flags = ["--vocabulary", tmp_path / "vocab.txt", "--output", tmp_path / output, "--shard-size", 1, *flags]
        return tool(name).main([str(tmp_path / "corpus"), *map(str, flags)])

    return run


def test_it_builds_what_one_machine_builds(build, tmp_path):
    beam = build("build_pretraining_data_beam", "beam", "--runner", "DirectRunner")
    one = build("build_pretraining_data", "one", "--processes", 1)
    for count in ("documents", "sentences", "tokens", "text_size"):
        assert beam.total(count) == one.total(count)
    assert beam.reading == one.reading and beam.settings == one.settings
    assert len(beam.shards) > 1
    assert keras_bert.data.read_manifest(tmp_path / "beam").shards == beam.shards
    batch = next(iter(keras_bert.data.pretraining_batches(beam, batch_size=4)))
    assert batch[0]["token_ids"].shape == (4, 128)
    assert build("build_pretraining_data_beam", "beam").shards == beam.shards  # finished: nothing to do


def test_a_corpus_without_text_fails(build, tmp_path):
    for path in (tmp_path / "corpus").iterdir():
        path.write_text("\n")
    with pytest.raises(Exception, match="must hold text"):
        build("build_pretraining_data_beam", "beam", "--runner", "DirectRunner")
    assert not (tmp_path / "beam" / "manifest.json").exists()
