"""Texts that hold [MASK], and texts of which one token at a time is hidden."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_bert.data.token_budget import packed_batches
from keras_bert.text.masking import chosen_positions
from keras_bert.text.preprocessor import BertPreprocessor


class MaskedTexts(NamedTuple):
    """Texts with masks to fill.

    Attributes:
        texts: string tensor `(B,)`, valid UTF-8.
        ids: ragged int32 tensor `(B, (T))`, the tokens that a row holds, without special tokens around them.
        starts: ragged int32 tensor `(B, (P))`. The byte at which each [MASK] of a row begins in its text.
        ends: ragged int32 tensor `(B, (P))`. Where it ends.
        is_cut: bool tensor `(B,)`. Whether there is a [MASK] behind what the row holds.
    """

    texts: tf.Tensor
    ids: tf.RaggedTensor
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor
    is_cut: tf.Tensor


def read_masks(preprocessor: BertPreprocessor, texts) -> MaskedTexts:
    """Cuts texts into tokens and finds their masks, in the graph.

    Args:
        preprocessor: `BertPreprocessor`. Its tokenizer takes "[MASK]" in a text for that token.
        texts: string tensor `(B,)`. Bytes that are no UTF-8 are dropped.

    Returns:
        `MaskedTexts`.
    """
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
    ids, starts, ends = preprocessor.tokenizer.tokenize_with_offsets(texts, unit="byte")
    is_mask = ids.with_values(ids.flat_values == preprocessor.tokenizer.vocabulary.mask_id)
    room = preprocessor.sequence_length - 2
    fits = is_mask.with_values(tf.ragged.range(ids.row_lengths()).flat_values < room)
    chosen = is_mask.with_values(is_mask.flat_values & fits.flat_values)
    is_cut = is_mask.with_values(tf.cast(is_mask.flat_values & ~fits.flat_values, tf.int32))
    return MaskedTexts(
        texts,
        tf.ragged.boolean_mask(ids, fits),
        tf.ragged.boolean_mask(starts, chosen),
        tf.ragged.boolean_mask(ends, chosen),
        tf.reduce_sum(is_cut, axis=1) > 0,
    )


def check_masks(masked: MaskedTexts, first: int, room: int) -> None:
    """Refuses texts without a [MASK], and those with one that a row does not hold.

    Args:
        masked: `MaskedTexts`.
        first: int. Number of the first of the texts, for the error.
        room: int. Tokens of a text that a row holds.

    Raises:
        ValueError: naming the first such text.
    """
    without = np.flatnonzero((masked.starts.row_lengths().numpy() == 0) & ~masked.is_cut.numpy())
    if len(without):
        raise ValueError(
            f"Each text must hold [MASK]. Received: {_shown(masked, without[0])} at index {first + without[0]}. "
            "Write [MASK] where a token is to be guessed."
        )
    cut = np.flatnonzero(masked.is_cut.numpy())
    if len(cut):
        raise ValueError(
            f"Each [MASK] must be among the first {room} tokens of its text, which is what a row holds. Received: "
            f"{_shown(masked, cut[0])} at index {first + cut[0]}. Cut the text around the mask, or use a longer "
            "sequence_length."
        )


def mask_batches(ids, preprocessor: BertPreprocessor, width: int, top_k: int, batch_size: int | None, padding):
    """Makes batches of texts with masks, longest first.

    Args:
        ids: ragged int32 tensor `(n, (T))`, as `read_masks` gives it.
        preprocessor: `BertPreprocessor`, the one that read them.
        width: int, P. At least the masks of any of the texts.
        top_k: int. How many tokens to ask for at each.
        batch_size: int, or None: about 2,048 tokens a batch.
        padding: str, or None: in the place of the preprocessor's own.

    Returns:
        `tf.data.Dataset` of (inputs, what is asked for), and the order `(n,)` in which it gives the rows.
    """
    mask_id = preprocessor.tokenizer.vocabulary.mask_id
    size = tf.constant(width)  # a tensor, so that there is one graph for all widths

    def finish(inputs, numbers):
        positions, _ = chosen_positions(inputs["token_ids"] == mask_id, size)
        # A shape, so that the graph is made for it: XLA knows no other number of tokens.
        asked = {"top_k": tf.zeros([tf.size(numbers), top_k], tf.int32)}
        return {**inputs, "mask_positions": positions}, asked

    return packed_batches((ids,), preprocessor, batch_size, padding, finish=finish)


def single_mask_batches(ids, preprocessor: BertPreprocessor, batch_size: int | None, padding: str | None):
    """Makes batches in which each row hides one token; a text has as many rows as tokens, but for special ones.

    Args:
        ids: ragged int32 tensor `(n, (T))`, without special tokens around them.
        preprocessor: `BertPreprocessor`.
        batch_size: int, or None: about 2,048 tokens a batch.
        padding: str, or None: in the place of the preprocessor's own.

    Returns:
        `tf.data.Dataset` of (inputs, what is asked for), and of its rows the text `(R,)` that each belongs to; None in
        the place of the dataset if there are no rows.
    """
    vocabulary = preprocessor.tokenizer.vocabulary
    special = (vocabulary.pad_id, vocabulary.unknown_id, vocabulary.cls_id, vocabulary.sep_id, vocabulary.mask_id)
    ids = ids[:, : preprocessor.sequence_length - 2]
    counted = ~np.isin(ids.flat_values.numpy(), special)
    texts = ids.value_rowids().numpy()[counted]
    if not len(texts):
        return None, texts
    places = tf.constant(tf.ragged.range(ids.row_lengths()).flat_values.numpy()[counted] + 1, tf.int32)

    def finish(inputs, numbers):
        positions = tf.gather(places, numbers)[:, tf.newaxis]
        hidden = tf.gather(inputs["token_ids"], positions, batch_dims=1)
        is_hidden = tf.range(tf.shape(inputs["token_ids"])[1]) == positions
        token_ids = tf.where(is_hidden, vocabulary.mask_id, inputs["token_ids"])
        return {**inputs, "token_ids": token_ids, "mask_positions": positions}, {"mask_ids": hidden}

    dataset, order = packed_batches((ids,), preprocessor, batch_size, padding, texts=texts, finish=finish)
    return dataset, texts[order]


def _shown(masked, row):
    return f"{masked.texts[int(row)].numpy().decode('utf-8'):.60}".__repr__()
