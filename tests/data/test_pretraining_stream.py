"""The stream of pre-training: any batch can be had again, by step, from any host."""

import itertools
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data import pretraining_stream
from keras_bert.data.building import build_records
from keras_bert.data.pretraining_stream import groups, pretraining_batches
from keras_bert.text.tokenizer import BertTokenizer

WORDS = ["w" + "abcdefghij"[i // 10] + "abcdefghij"[i % 10] for i in range(100)]
TOKENIZER = BertTokenizer([*["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "##s"], *WORDS])
PAD, CLS, SEP, MASK = 0, 3, 4, 5


def text(rng, sentences):
    return " ".join(" ".join(rng.choice(WORDS, rng.integers(3, 20))).capitalize() + "." for _ in range(sentences))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    for i in range(40):
        (folder / f"{i:02d}.txt").write_text(text(rng, 30 + i))
    return build_records(sorted(folder.iterdir()), TOKENIZER, folder / "data", shard_size=9000)


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr(pretraining_stream, "_GROUP_TOKENS", 4000)


def numpy(dataset, count):
    return [tf.nest.map_structure(lambda t: t.numpy(), batch) for batch in dataset.take(count)]


def assert_equal(one, other):
    tf.nest.map_structure(np.testing.assert_array_equal, one, other)


def join(*batches):
    return tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *batches)


@pytest.mark.parametrize("first_step", [7, 333])
def test_a_stream_begins_anywhere(manifest, first_step):
    options = {"batch_size": 12, "row_size": 64, "num_streams": 3, "mask_unit": "whole_word", "seed": 5}
    whole = numpy(pretraining_batches(manifest, **options).skip(first_step), 3)
    assert_equal(numpy(pretraining_batches(manifest, first_step=first_step, **options), 3), whole)


def test_hosts_give_the_parts_of_the_batch_of_one(manifest):
    options = {"batch_size": 12, "row_size": 64, "num_streams": 4, "first_step": 5}
    whole = numpy(pretraining_batches(manifest, **options), 4)
    hosts = [numpy(pretraining_batches(manifest, host=host, num_hosts=2, **options), 4) for host in range(2)]
    assert_equal([join(*parts) for parts in zip(*hosts, strict=True)], whole)


def test_seeds_differ(manifest):
    one, other = (numpy(pretraining_batches(manifest, batch_size=4, seed=seed), 1)[0] for seed in (0, 1))
    assert (one[0]["token_ids"] != other[0]["token_ids"]).mean() > 0.5


def test_an_epoch_reads_every_shard_once_in_a_new_order(manifest):
    tokens = {manifest.path_of(shard): shard.tokens for shard in manifest.shards}
    every = groups(manifest, 64, seed=3)
    epochs = [[]]
    for group in itertools.islice(every, 100):
        if group.seed[0] == len(epochs):
            epochs.append([])
        assert group.rows == sum(tokens[file] for file in group.files) // 64
        epochs[-1].append(group.files)
    orders = [list(itertools.chain(*epoch)) for epoch in epochs[:-1]]
    assert len(orders) > 3 and len(epochs[0]) > 3
    for order in orders:
        assert sorted(order) == sorted(tokens)
    assert len({tuple(order) for order in orders}) == len(orders)


def test_batches_have_static_shapes_and_what_a_pretrainer_reads(manifest):
    dataset = pretraining_batches(manifest, batch_size=6, row_size=64)
    inputs, labels, weights = dataset.element_spec
    assert {name: tuple(spec.shape) for name, spec in inputs.items()} == {
        **dict.fromkeys(("token_ids", "segment_ids", "padding_mask"), (6, 64)),
        "mask_positions": (6, 16),
        "cls_positions": (6, 8),
    }  # fmt: skip
    for part in (labels, weights):
        assert {name: tuple(spec.shape) for name, spec in part.items()} == {
            "masked_lm_logits": (6, 16), "next_sentence_logits": (6, 8),
        }  # fmt: skip
    inputs, labels, weights = join(*numpy(dataset, 20))
    real = inputs["padding_mask"] > 0
    assert real.mean() > 0.95
    assert not inputs["token_ids"][~real].any() and not inputs["segment_ids"][~real].any()
    at_cls = np.take_along_axis(inputs["token_ids"], inputs["cls_positions"], 1)
    assert (at_cls[weights["next_sentence_logits"] > 0] == CLS).all()
    assert weights["next_sentence_logits"].sum() == (inputs["token_ids"] == CLS).sum()
    hidden = weights["masked_lm_logits"] > 0
    shown = np.take_along_axis(inputs["token_ids"], inputs["mask_positions"], 1)[hidden]
    original = labels["masked_lm_logits"][hidden]
    assert not np.isin(original, [PAD, CLS, SEP, MASK]).any() and (shown == MASK).mean() > 0.7
    assert shown.min() > SEP  # a random token is never a special or an unused one
    assert hidden.sum() / (real.sum() - (inputs["token_ids"] == CLS).sum() * 3) == pytest.approx(0.15, abs=0.01)


def test_without_next_sentences_nothing_is_asked_about_them(manifest):
    inputs, labels, weights = numpy(pretraining_batches(manifest, batch_size=6, next_sentence="none"), 1)[0]
    assert set(labels) == set(weights) == {"masked_lm_logits"}
    assert not inputs["segment_ids"].any() and (inputs["padding_mask"] > 0).mean() > 0.9


def test_hardly_a_row_comes_twice_in_two_epochs(manifest):
    first = next(iter(groups(manifest, 64, seed=0)))
    rows = sum(group.rows for group in itertools.takewhile(lambda g: g.seed[0] == 0, groups(manifest, 64, 0)))
    batches = numpy(pretraining_batches(manifest, batch_size=rows, row_size=64), 2)
    assert first.rows < rows
    one, other = ({row.tobytes() for row in batch[0]["token_ids"]} for batch in batches)
    assert len(one) > 0.95 * rows and len(one & other) < 0.05 * rows


def corpus_of(folder, *texts):
    for i, content in enumerate(texts):
        (folder / f"{i}.txt").write_text(content)
    return build_records(sorted(folder.glob("*.txt")), TOKENIZER, folder / "data")


def test_a_single_document_has_no_pairs(tmp_path):
    manifest = corpus_of(tmp_path, "Waa wab. Wac wad. Wae waf.")
    with pytest.raises(ValueError, match=r"one document only: .*next_sentence=\"none\", or tell where documents end"):
        pretraining_batches(manifest, batch_size=2)
    batch = numpy(pretraining_batches(manifest, batch_size=2, next_sentence="sop", row_size=16), 1)[0]
    assert (batch[0]["padding_mask"] > 0).any()


def test_a_single_sentence_is_enough_without_pairs(tmp_path):
    manifest = corpus_of(tmp_path, "Waa wab.")
    with pytest.raises(ValueError, match="documents of one sentence only: pairs need two"):
        pretraining_batches(manifest, batch_size=2, next_sentence="sop")
    inputs, _, _ = numpy(pretraining_batches(manifest, batch_size=2, next_sentence="none", row_size=16), 1)[0]
    assert inputs["padding_mask"].sum(axis=1).tolist() == [5, 5]


def test_sizes_must_divide(manifest):
    with pytest.raises(ValueError, match="`num_streams` must divide the batch.*batch_size=7, num_streams=2"):
        pretraining_batches(manifest, batch_size=7, num_streams=2)
    with pytest.raises(ValueError, match="and `num_hosts` the streams.*num_streams=4, num_hosts=3"):
        pretraining_batches(manifest, batch_size=8, num_streams=4, num_hosts=3)


def test_a_shard_that_is_edited_after_it_was_checked_is_not_read(tmp_path):
    manifest = corpus_of(tmp_path, "Waa wab. Wac wad.", "Wae waf. Waa wab.")
    path = pathlib.Path(manifest.path_of(manifest.shards[0]))
    content = path.read_bytes()
    path.write_bytes(content[:60] + bytes([content[60] ^ 1]) + content[61:])
    with pytest.raises(tf.errors.DataLossError, match="corrupted record"):
        numpy(pretraining_batches(manifest, batch_size=2, row_size=16), 1)
