"""Shards to batches for a pretrainer: a pure function of seed and step, so that training can go on anywhere in it."""

import functools
import hashlib
import itertools
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from keras_bert.data.manifest import Manifest
from keras_bert.data.pretraining_rows import build_rows
from keras_bert.data.records import read_shards
from keras_bert.data.steps import without_autotuning
from keras_bert.text.masking import mask_tokens, masking_options

_GROUP_TOKENS = 2**20
_ROWS = ("token_ids", "segment_ids", "padding_mask", "word_starts")


class Group(NamedTuple):
    """Shards that are in memory together, and the rows to take of them.

    Pairs are drawn and rows are put in random order within a group.
    """

    files: tuple[str, ...]
    rows: int
    seed: tuple[int, int]


def pretraining_batches(
    manifest: Manifest,
    *,
    batch_size: int,
    first_step: int = 0,
    row_size: int = 128,
    max_examples: int | None = None,
    next_sentence: str = "nsp",
    short_sequence_probability: float = 0.1,
    mask_unit: str = "token",
    mask_rate: float = 0.15,
    max_predictions: int | None = None,
    seed: int = 0,
    num_streams: int = 1,
    host: int = 0,
    num_hosts: int = 1,
) -> tf.data.Dataset:
    """Streams masked, packed batches without end, from any step on.

    An epoch goes once through the shards in a new order, some of them (a million tokens or more, two documents at
    least) at a time; of these it takes as many rows as the tokens would fill. Pairs and masks are new in each epoch.
    The same arguments give the same batch at a step, whatever `first_step` is and however many hosts there are.

    Args:
        manifest: `Manifest`.
        batch_size: int. B, rows of a batch over all hosts.
        first_step: int, default 0. Number of the first batch.
        row_size: int, default 128. T.
        max_examples: int, optional. K, examples packed into a row at most. Default: 8, or one in 32 tokens if more.
        next_sentence: str, default "nsp". "sop" or "none": see `draw_pairs`.
        short_sequence_probability: float, default 0.1. See `draw_pairs`.
        mask_unit: str, default "token". "whole_word" or "span": see `mask_tokens`.
        mask_rate: float, default 0.15. See `mask_tokens`.
        max_predictions: int, optional. P. Default: a tenth more than `mask_rate` asks for, and a multiple of 8.
        seed: int, default 0.
        num_streams: int, default 1. Parts of a batch that are read independently; `num_hosts` divides it.
        host: int, default 0. Number of this host (input pipeline).
        num_hosts: int, default 1.

    Returns:
        `tf.data.Dataset` of (inputs, labels, weights) for `BertPretrainer.fit`, `batch_size / num_hosts` rows each.

    Raises:
        ValueError: pairs of a corpus that has none, or sizes that do not divide.

    Example:
    >>> batches = pretraining_batches(read_manifest("records"), batch_size=32)
    >>> pretrainer.fit(batches, steps_per_epoch=1000)
    """
    if batch_size % num_streams or num_streams % num_hosts:
        raise ValueError(
            "`num_streams` must divide the batch, and `num_hosts` the streams. Received: "
            f"batch_size={batch_size}, num_streams={num_streams}, num_hosts={num_hosts}."
        )
    _check_pairs(manifest, next_sentence)
    vocabulary = manifest.tokenizer().vocabulary
    rows = {
        "cls_id": vocabulary.cls_id,
        "sep_id": vocabulary.sep_id,
        "row_size": row_size,
        "max_examples": max_examples or max(8, row_size // 32),
        "next_sentence": next_sentence,
        "short_sequence_probability": short_sequence_probability,
    }
    masks = masking_options(
        vocabulary, row_size, mask_rate=mask_rate, mask_unit=mask_unit, max_predictions=max_predictions
    )
    # Traced once for all streams.
    build = tf.function(functools.partial(_build_group, seed, rows), autograph=False)
    mask = tf.function(functools.partial(_mask_batch, seed, masks), autograph=False)
    share = num_streams // num_hosts
    streams = []
    for stream in range(host * share, (host + 1) * share):
        mine = functools.partial(_groups_of_stream, manifest, row_size, seed, stream, num_streams)
        streams.append(_stream(mine, stream, batch_size // num_streams, first_step, build, mask))
    batches = tf.data.Dataset.zip(tuple(streams)).map(
        lambda *parts: tf.nest.map_structure(lambda *tensors: tf.concat(tensors, axis=0), *parts)
    )
    batches = batches.map(lambda batch: _as_example(batch, next_sentence != "none"))
    # Keras asks, and would take a generator for one that may end.
    endless = tf.data.experimental.assert_cardinality(tf.data.experimental.INFINITE_CARDINALITY)
    return without_autotuning(batches.apply(endless).prefetch(tf.data.AUTOTUNE))


def groups(manifest: Manifest, row_size: int, seed: int) -> Iterator[Group]:
    """Lists what is read, epoch after epoch without end.

    Args:
        manifest: `Manifest`.
        row_size: int.
        seed: int.

    Yields:
        `Group`s.
    """
    for epoch in itertools.count():

        def key(shard, epoch=epoch):
            return hashlib.sha256(f"{seed}/{epoch}/{shard.name}".encode()).digest()

        members, found = [], []
        for shard in sorted(manifest.shards, key=key):
            members.append(shard)
            if sum(m.tokens for m in members) >= _GROUP_TOKENS and sum(m.documents for m in members) > 1:
                found.append(members)
                members = []
        if members:  # the rest, which may be a single document
            found[-1:] = [[*found[-1], *members]] if found else [members]
        for number, members in enumerate(found):
            files = tuple(manifest.path_of(shard) for shard in members)
            rows = max(1, sum(shard.tokens for shard in members) // row_size)
            yield Group(files, rows, (epoch, number))


def _groups_of_stream(manifest, row_size, seed, stream, num_streams, first_row):
    """Yields every `num_streams`-th group, without the rows before `first_row`."""
    found = itertools.islice(groups(manifest, row_size, seed), stream, None, num_streams)
    for group in found:
        if first_row < group.rows:
            yield list(group.files), first_row, group.rows, group.seed
            break
        first_row -= group.rows
    for group in found:
        yield list(group.files), 0, group.rows, group.seed


def _build_group(seed, options, files, first_row, count, numbers):
    group_seed = _fold(_fold([seed, 0], numbers[0]), numbers[1])
    found = build_rows(*read_shards(files), group_seed, **options)
    # Rows from the front again if there are fewer than the tokens would fill.
    places = tf.range(first_row, count) % tf.shape(found["token_ids"])[0]
    return {name: tf.gather(tensor, places) for name, tensor in found.items()}


def _mask_batch(seed, options, stream, step, batch):
    batch_seed = _fold(_fold([seed, 1], stream), step)
    hidden = mask_tokens({name: batch[name] for name in _ROWS}, batch_seed, **options)
    return {name: tensor for name, tensor in batch.items() if name not in _ROWS} | hidden


def _stream(mine, stream, batch_size, first_step, build, mask):
    scalar = tf.TensorSpec((), tf.int32)
    signature = (tf.TensorSpec((None,), tf.string), scalar, scalar, tf.TensorSpec((2,), tf.int32))
    dataset = tf.data.Dataset.from_generator(
        functools.partial(mine, first_step * batch_size), output_signature=signature
    )
    dataset = dataset.map(build).prefetch(1).rebatch(batch_size, drop_remainder=True)
    stream = tf.constant(stream)
    return dataset.enumerate(first_step).map(
        lambda step, batch: mask(stream, step, batch), num_parallel_calls=tf.data.AUTOTUNE
    )


def _fold(seed, number):
    return tf.random.experimental.stateless_fold_in(tf.cast(seed, tf.int32), tf.cast(number, tf.int32))


def _as_example(batch, next_sentence):
    inputs = ("token_ids", "segment_ids", "padding_mask", "mask_positions", "cls_positions")
    labels = {"masked_lm_logits": batch["mask_ids"]}
    weights = {"masked_lm_logits": batch["mask_weights"]}
    if next_sentence:
        labels["next_sentence_logits"] = batch["next_sentence_labels"]
        weights["next_sentence_logits"] = tf.cast(batch["cls_weights"], tf.float32)
    return {name: batch[name] for name in inputs}, labels, weights


def _check_pairs(manifest, next_sentence):
    documents, long_documents = manifest.total("documents"), manifest.total("long_documents")
    if next_sentence == "nsp" and documents < 2:
        wrong = "one document only: a second segment from another document is needed"
    elif next_sentence != "none" and not long_documents:
        wrong = "documents of one sentence only: pairs need two"
    else:
        return
    raise ValueError(
        f"This corpus has no pairs for next_sentence={next_sentence!r}. Received: {manifest.folder!r}, with {wrong}. "
        'Use next_sentence="none", or tell where documents end: separator="blank_line".'
    )
