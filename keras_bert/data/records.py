"""Shards of a corpus: documents as token ids with the bounds of sentences and words, masked only when they are read."""

import itertools
import os
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from keras_bert.data.sentence_pairs import Documents
from keras_bert.data.sentences import split_sentences
from keras_bert.text.tokenizer import BertTokenizer

WORD_SEGMENTATIONS = ("pieces", "spaces")
_LONGEST_SENTENCE = 128  # tokens; what has no full stops is cut, or pairs would lose all that does not fit in a row
_BATCH = 8192  # sentences that are tokenized at a time
_FEATURES = ("token_ids", "sentence_sizes", "word_starts")


def write_shard(
    path: str | os.PathLike,
    documents: Iterable[Sequence[str]],
    tokenizer: BertTokenizer,
    *,
    sentence_per_line: bool = False,
    word_segmentation: str = "pieces",
) -> dict:
    """Tokenizes documents and writes them as a TFRecord file, a `tf.train.Example` each.

    An example holds three byte strings: `token_ids` and `sentence_sizes` (tokens of each sentence), little-endian
    int32; `word_starts`, uint8, 1 where a word begins. A sentence of more than 128 tokens is cut between words.

    Args:
        path: str or path of the file. Whoever calls sees to it that the file appears whole or not at all.
        documents: iterable of lists of paragraphs, as `read_documents` yields.
        tokenizer: `BertTokenizer`.
        sentence_per_line: bool, default False. The paragraphs are sentences already.
        word_segmentation: str, default "pieces": a word is a first piece and its "##" pieces, so that every Chinese
            character is one; "spaces": what stands between spaces is a word, for text that was segmented before.

    Returns:
        dict of int: `documents` with tokens, `long_documents` of two sentences or more, `sentences`, `tokens`.

    Raises:
        ValueError: an unknown `word_segmentation`.

    Example:
    >>> write_shard("shard.tfrecord", [["One sentence. Another one."]], tokenizer)["sentences"]
    2
    """
    if word_segmentation not in WORD_SEGMENTATIONS:
        raise ValueError(
            f"`word_segmentation` must be one of {', '.join(WORD_SEGMENTATIONS)}. Received: {word_segmentation!r}."
        )
    sentences, counts = [], []
    for paragraphs in documents:
        before = len(sentences)
        sentences.extend(paragraphs if sentence_per_line else itertools.chain(*map(split_sentences, paragraphs)))
        counts.append(len(sentences) - before)
    token_ids, word_starts, sizes = _tokenize(sentences, tokenizer, word_segmentation)
    starts = _starts(sizes)
    bounds = _sentence_bounds(starts, np.flatnonzero(word_starts))
    document_bounds = starts[_starts(counts)]
    places = np.searchsorted(bounds, document_bounds)
    found = dict.fromkeys(("documents", "long_documents", "sentences", "tokens"), 0)
    with tf.io.TFRecordWriter(os.fspath(path)) as writer:
        for (low, high), (first, last) in zip(
            itertools.pairwise(document_bounds), itertools.pairwise(places), strict=True
        ):
            if low == high:
                continue
            arrays = token_ids[low:high], np.diff(bounds[first : last + 1]), word_starts[low:high]
            writer.write(_example(*arrays))
            found["documents"] += 1
            found["long_documents"] += int(last - first > 1)
            found["sentences"] += int(last - first)
            found["tokens"] += int(high - low)
    return found


def read_shards(files):
    """Reads whole shards in the graph.

    Args:
        files: string tensor `(F,)`, paths of shards that are not empty.

    Returns:
        `token_ids` int32 `(N,)`, `word_starts` bool `(N,)` and `Documents`.
    """
    records = tf.data.TFRecordDataset(files).batch(2**31 - 1).get_single_element()
    feature = tf.io.FixedLenFeature([], tf.string)
    parsed = tf.io.parse_example(records, dict.fromkeys(_FEATURES, feature))
    token_ids, sizes = (
        tf.io.decode_raw(tf.strings.reduce_join(parsed[name]), tf.int32) for name in _FEATURES[:2]
    )
    word_starts = tf.io.decode_raw(tf.strings.reduce_join(parsed["word_starts"]), tf.uint8)
    counts = tf.strings.length(parsed["sentence_sizes"]) // 4
    documents = Documents(*(tf.pad(tf.cumsum(numbers), [[1, 0]]) for numbers in (sizes, counts)))
    return token_ids, word_starts > 0, documents


def read_token_ids(path: str | os.PathLike) -> np.ndarray:
    """Reads the token ids of a shard, document after document.

    Args:
        path: str or path, as `Manifest.path_of` gives it.

    Returns:
        int32 array `(N,)`.
    """
    return read_shards([os.fspath(path)])[0].numpy()


def _tokenize(sentences, tokenizer, word_segmentation):
    """Gives the ids of all sentences in one array, where words begin, and the sentences' sizes."""
    continues = np.array([token.startswith("##") for token in tokenizer.vocabulary.tokens])
    ids, starts, sizes = [], [], []
    for at in range(0, len(sentences), _BATCH):
        batch = sentences[at : at + _BATCH]
        if word_segmentation == "pieces":
            pieces = tokenizer(tf.constant(batch))
            ids.append(pieces.flat_values.numpy())
            starts.append(~continues[ids[-1]])
            sizes.append(pieces.row_lengths().numpy())
        else:
            words = tf.strings.split(tf.constant(batch))
            pieces = tokenizer(words.flat_values)
            ids.append(pieces.flat_values.numpy())
            starts.append(np.zeros(len(ids[-1]), bool))
            bounds = pieces.row_splits.numpy()
            starts[-1][bounds[:-1][np.diff(bounds) > 0]] = True
            sizes.append(np.diff(bounds[words.row_splits.numpy()]))
    empty = np.zeros(0, np.int64)
    return tuple(np.concatenate([empty.astype(kind), *parts]) for kind, parts in zip("i?l", (ids, starts, sizes)))


def _starts(sizes):
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


def _sentence_bounds(starts, words):
    """Gives where sentences begin, and the end of the last; without empty ones, long ones cut at words."""
    cuts = (np.diff(starts) - 1).clip(0) // _LONGEST_SENTENCE
    number = np.arange(cuts.sum()) - np.repeat(_starts(cuts)[:-1], cuts)  # of a cut in its sentence
    places = np.repeat(starts[:-1], cuts) + _LONGEST_SENTENCE * (number + 1)
    snapped = words[np.searchsorted(words, places, side="right") - 1] if len(words) else places
    return np.unique(np.concatenate([starts, snapped]))


def _example(token_ids, sentence_sizes, word_starts):
    arrays = token_ids.astype("<i4"), sentence_sizes.astype("<i4"), word_starts.astype("u1")
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[array.tobytes()]))
        for name, array in zip(_FEATURES, arrays, strict=True)
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)
