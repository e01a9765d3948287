"""Raw texts to rows of which a share of the tokens is hidden: anew in each epoch, as a function of seed and step."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_bert.data.epochs import drawn_batches, fold_seed, without_end
from keras_bert.data.examples import fill_up
from keras_bert.data.inputs import INPUTS, MASKS, check_names, single_texts
from keras_bert.data.steps import without_autotuning
from keras_bert.text.masking import mask_tokens, masking_options
from keras_bert.text.preprocessor import BertPreprocessor

# Texts that are tokenized at a time.
_TEXTS = 1024


def masked_epochs(
    texts,
    preprocessor: BertPreprocessor,
    *,
    seed: tuple[int, int],
    batch_size: int,
    mask_rate: float,
    mask_unit: str,
    padding: str | None = None,
    rows_multiple: int = 1,
) -> Callable:
    """Makes what gives the batches of any epoch: the same for the same seeds, with other masks in each.

    A text that does not fit into a row is cut into several, with nothing left out; one without tokens has none.

    Args:
        texts: list of str, or a `tf.data.Dataset` of strings, one an element or batches.
        preprocessor: `BertPreprocessor`.
        seed: two ints. Draws the masks.
        batch_size: int. Rows of a batch.
        mask_rate: float. See `mask_tokens`.
        mask_unit: str. See `mask_tokens`.
        padding: str, optional. In the place of the preprocessor's own.
        rows_multiple: int, default 1. Rows of padding fill batches up to a multiple.

    Returns:
        Callable of the number of an epoch and of the seed of the rows' order, as `drawn_batches` takes them: a dataset
        keeps its own order. Gives a `tf.data.Dataset` of (inputs, `mask_ids`, `mask_weights`).

    Raises:
        ValueError: no texts, none with a token, or a dataset of other things.
    """
    room = preprocessor.sequence_length - 2
    vocabulary = preprocessor.tokenizer.vocabulary
    begins = tf.constant([not token.startswith("##") for token in vocabulary.tokens])
    how = masking_options(vocabulary, preprocessor.sequence_length, mask_rate=mask_rate, mask_unit=mask_unit)

    @tf.autograph.experimental.do_not_convert
    def mask(seed, inputs):
        if padding is None:
            inputs = _narrow(inputs, tf.reduce_sum(inputs["padding_mask"], axis=1))
        starts = tf.gather(begins, inputs["token_ids"])
        hidden = mask_tokens({**inputs, "word_starts": starts}, seed, **how)
        slots = {name: hidden.pop(name) for name in MASKS}
        if padding is None:
            slots = _narrow(slots, tf.cast(tf.reduce_sum(slots["mask_weights"], axis=1), tf.int32))
        example = _example({**hidden, **slots})
        return example if rows_multiple == 1 else fill_up(example, rows_multiple)

    def packed(epoch, order_seed):
        if dataset is None:
            drawn = drawn_batches(rows, batch_size, epoch, order_seed)
            return drawn.map(lambda chosen: preprocessor.pack((chosen,), padding), tf.data.AUTOTUNE)
        fixed = dataset.map(lambda part: preprocessor.pack((cut(part),), "fixed"), tf.data.AUTOTUNE)
        return fixed.rebatch(batch_size)

    def of_epoch(epoch=0, order_seed=None):
        mask_seed = fold_seed(seed, epoch)

        @tf.autograph.experimental.do_not_convert
        def masked(step, inputs):
            return mask(fold_seed(mask_seed, step), inputs)

        batches = packed(epoch, order_seed).enumerate().map(masked, tf.data.AUTOTUNE)
        return without_autotuning(without_end(batches) if is_endless else batches)

    def cut(part):
        return cut_rows(preprocessor.tokenizer(part), room)

    if isinstance(texts, tf.data.Dataset):
        dataset = _batches_of_strings(texts)
        is_endless = dataset.cardinality() == tf.data.INFINITE_CARDINALITY  # which `rebatch` forgets
        return of_epoch
    dataset, is_endless = None, False
    texts = single_texts(texts)
    rows = [cut(texts[low : low + _TEXTS]) for low in range(0, max(1, len(texts)), _TEXTS)]
    rows = tf.concat(rows, axis=0)
    if not rows.nrows():
        raise ValueError(f"There must be a text with a token. Received: {len(texts)} texts, none with one.")
    return of_epoch


def cut_rows(ids, room: int):
    """Cuts texts into rows, one after the other: all full but the last of a text.

    Args:
        ids: ragged int32 tensor `(B, (T))`.
        room: int. Tokens of a row at most.

    Returns:
        Ragged int32 tensor `(R, (T))`. A text without tokens has no row.
    """
    lengths = tf.cast(ids.row_lengths(), tf.int32)
    counts = (lengths + room - 1) // room
    text = tf.repeat(tf.range(tf.size(counts)), counts)
    number = tf.range(tf.size(text)) - tf.gather(tf.cumsum(counts, exclusive=True), text)
    sizes = tf.minimum(room, tf.gather(lengths, text) - number * room)
    return tf.RaggedTensor.from_row_lengths(ids.flat_values, tf.cast(sizes, tf.int64), validate=False)


def ready_epochs(x, batch_size: int, rows_multiple: int = 1) -> Callable:
    """Makes what gives the batches of any epoch, of rows that are masked already.

    Args:
        x: dict of arrays or a `tf.data.Dataset` of such dicts: the encoder's inputs `(n, T)`, `mask_positions`,
            `mask_ids` and `mask_weights` `(n, P)`.
        batch_size: int.
        rows_multiple: int, default 1. Rows of padding fill batches up to a multiple.

    Returns:
        As of `masked_epochs`.

    Raises:
        ValueError: parts that are missing or do not fit together.
    """
    if isinstance(x, tf.data.Dataset):
        check_names(x.element_spec, MASKS)
        dataset = x.batch(batch_size) if x.element_spec[INPUTS[0]].shape.rank == 1 else x
    else:
        x, dataset = checked_masks(x, MASKS), None

    @tf.autograph.experimental.do_not_convert
    def prepare(rows):
        example = _example(rows)
        return example if rows_multiple == 1 else fill_up(example, rows_multiple)

    def of_epoch(epoch=0, seed=None):
        batches = drawn_batches(x, batch_size, epoch, seed) if dataset is None else dataset
        return without_autotuning(batches.map(prepare, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE))

    return of_epoch


def checked_masks(x: dict, names) -> dict:
    """Checks rows that are masked already.

    Args:
        x: dict of arrays.
        names: sequence of str. What must be there beside the encoder's inputs.

    Returns:
        dict of arrays: int32, `mask_weights` float32.

    Raises:
        ValueError: parts that are missing or do not fit together.
    """
    check_names(x, names)
    arrays = {name: np.asarray(x[name]) for name in (*INPUTS, *names)}
    shapes = {name: array.shape for name, array in arrays.items()}
    widths = [{shapes[name] for name in part} for part in (INPUTS, names)]
    if any(len(part) != 1 or len(next(iter(part))) != 2 for part in widths) or len({s[0] for s in shapes.values()}) > 1:
        raise ValueError(
            "Ready inputs must have one shape, (rows, tokens), and what is masked another, (rows, predictions). "
            f"Received: {shapes}."
        )
    positions = arrays["mask_positions"]
    if positions.size and not 0 <= positions.min() <= positions.max() < shapes["token_ids"][1]:
        raise ValueError(
            f"`mask_positions` must be 0 to {shapes['token_ids'][1] - 1}, places in a row. Received: "
            f"{positions.min()} to {positions.max()}. Fill up with 0, at a weight of 0."
        )
    return {name: array.astype("float32" if name == "mask_weights" else "int32") for name, array in arrays.items()}


def _example(rows):
    inputs = {name: tf.cast(rows[name], tf.int32) for name in (*INPUTS, "mask_positions")}
    return inputs, tf.cast(rows["mask_ids"], tf.int32), tf.cast(rows["mask_weights"], tf.float32)


def _narrow(rows, lengths):
    """Cuts rows to the longest of them."""
    width = tf.reduce_max(tf.concat([lengths, [1]], 0))
    return {name: part[:, :width] for name, part in rows.items()}


def _batches_of_strings(dataset):
    spec = dataset.element_spec
    if not isinstance(spec, tf.TensorSpec) or spec.dtype != tf.string or spec.shape.rank not in (0, 1):
        raise ValueError(f"A dataset must give texts, or dicts of rows that are masked. Received: {spec}.")
    return dataset.batch(_TEXTS) if spec.shape.rank == 0 else dataset
