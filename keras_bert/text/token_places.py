"""Where the tokens of packed rows stand in the texts that the user wrote."""

from typing import NamedTuple

import numpy as np


class TokenPlaces(NamedTuple):
    """What leads from a place in a row back to its text.

    Attributes:
        segments: int array `(B, T)`. 0 or 1, the text that a token is of; -1 for special tokens and padding.
        starts: int array `(B, T)`. Where a token begins in its text; 0 for special tokens and padding.
        ends: int array `(B, T)`. Where it ends, exclusive.
        is_cut: bool array `(B,)`. Whether a text has tokens that are not in its row.
    """

    segments: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    is_cut: np.ndarray


def token_places(inputs: dict, offsets) -> TokenPlaces:
    """Finds where the tokens of rows [CLS] A [SEP], or [CLS] A [SEP] B [SEP], stand in A and B.

    Args:
        inputs: dict of int arrays `(B, T)`, the encoder's.
        offsets: sequence of pairs (starts, ends) of ragged int tensors `(B, (T))`, of all tokens of A, and of B. With
            one pair the tokens of B have no place.

    Returns:
        `TokenPlaces`.

    Example:
    >>> inputs = {"segment_ids": np.array([[0, 0, 0, 0]]), "padding_mask": np.array([[1, 1, 1, 0]])}
    >>> starts, ends = tf.ragged.constant([[4, 9]]), tf.ragged.constant([[8, 11]])
    >>> token_places(inputs, [(starts, ends)]).starts
    array([[0, 4, 0, 0]], dtype=int32)
    """
    segment_ids, is_real = np.asarray(inputs["segment_ids"]), np.asarray(inputs["padding_mask"]) != 0
    segments = np.full(segment_ids.shape, -1, "int32")
    found = np.zeros((2, *segments.shape), "int32")
    is_cut, begin = np.zeros(len(segments), bool), 1
    for number, pair in enumerate(offsets):
        in_row = (is_real & (segment_ids == number)).sum(axis=1) - (2 if number == 0 else 1)  # less [CLS] and [SEP]
        offset = np.arange(segments.shape[1]) - np.reshape(begin, (-1, 1))
        inside = (offset >= 0) & (offset < in_row[:, None])
        segments[inside] = number
        token = (pair[0].row_starts().numpy()[:, None] + offset)[inside]
        for part, ragged in zip(found, pair, strict=True):
            part[inside] = ragged.flat_values.numpy()[token]
        is_cut |= pair[0].row_lengths().numpy() > in_row
        begin = in_row + 2
    return TokenPlaces(segments, *found, is_cut)
