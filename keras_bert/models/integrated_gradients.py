"""How much each token's embedding adds to a score: gradients, integrated on the way from a baseline to the text."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_bert.data.token_budget import batch_bounds

FIRST_STEPS = 16
MOST_STEPS = 512
TOLERANCE = 0.01  # of the difference of the scores


class IntegratedGradients(NamedTuple):
    """What tokens add to scores, and how exact that is.

    Attributes:
        values: float64 array `(B, T)`; 0 where text and baseline have the same token.
        scores: float64 array `(B,)`, of the texts.
        baseline_scores: float64 array `(B,)`, of the baselines.
        steps: int array `(B,)`. Places on the way at which gradients were taken.
        is_complete: bool array `(B,)`. Whether the values of a row sum to the difference of its scores, to 1 %.
    """

    values: np.ndarray
    scores: np.ndarray
    baseline_scores: np.ndarray
    steps: np.ndarray
    is_complete: np.ndarray


def integrated_gradients(
    score_of: Callable, token_table, inputs: dict, baseline_ids: np.ndarray, targets: np.ndarray
) -> IntegratedGradients:
    """Integrates the gradients of scores along the straight line from a baseline's token embeddings to the text's.

    The integral is taken at the places of Gauss and Legendre, with which a smooth function needs few: first 16, and
    twice as many for the rows whose values do not yet sum to the difference of the scores, up to 512.

    Args:
        score_of: function of `inputs`, `token_embeddings (B, T, H)` and `targets`, all of some rows, that gives their
            scores `(B,)`. A row must not depend on the others.
        token_table: float variable `(V, H)`.
        inputs: dict of int arrays `(B, T)`, the encoder's; padding stands at the end.
        baseline_ids: int array `(B, T)`. The tokens that the line begins at.
        targets: int array `(B, ...)`. Which score of a row is meant, in the words of `score_of`.

    Returns:
        `IntegratedGradients`. A row that is not complete after 512 steps is told of in a warning.

    Example:
    >>> table = tf.constant([[0.0, 0.0], [1.0, 2.0]])
    >>> inputs = {"token_ids": np.array([[1, 0]]), "padding_mask": np.array([[1, 1]])}
    >>> linear = lambda inputs, token_embeddings, targets: tf.reduce_sum(token_embeddings, (1, 2))
    >>> integrated_gradients(linear, table, inputs, np.array([[0, 0]]), np.array([0])).values
    array([[3., 0.]])

    Reference:
        Sundararajan et al., 2017 (https://arxiv.org/abs/1703.01365).
    """
    inputs = {name: np.asarray(part) for name, part in inputs.items()}
    lengths = (inputs["padding_mask"] != 0).sum(axis=1)
    rows = np.argsort(-lengths, kind="stable")  # those to be computed, longest first

    def along_the_line(rows, places):
        """Yields batches of places of rows: numbers of rows and of places, what is computed there."""
        row, place = (part.ravel() for part in np.meshgrid(rows, np.arange(len(places)), indexing="ij"))
        bounds = batch_bounds(np.maximum(lengths[row], 1), None)
        for low, high in zip(bounds[:-1], bounds[1:], strict=True):
            batch, width = row[low:high], max(lengths[row[low]], 1)
            part = {name: tf.constant(array[batch, :width]) for name, array in inputs.items()}
            begin = _embeddings(token_table, baseline_ids[batch, :width])
            way = _embeddings(token_table, inputs["token_ids"][batch, :width]) - begin
            embeddings = begin + places[place[low:high], None, None] * way
            yield batch, place[low:high], part, embeddings, way, tf.constant(targets[batch])

    scores = np.zeros((len(rows), 2))
    for batch, place, part, embeddings, _, target in along_the_line(rows, np.array([0, 1], "float32")):
        scores[batch, place] = score_of(part, embeddings, target).numpy()
    difference = scores[:, 1] - scores[:, 0]

    values, steps = np.zeros(inputs["token_ids"].shape), np.zeros(len(rows), int)
    count = FIRST_STEPS
    while len(rows) and count <= MOST_STEPS:
        nodes, weights = np.polynomial.legendre.leggauss(count)
        values[rows], steps[rows] = 0, count
        for batch, place, part, embeddings, way, target in along_the_line(rows, (nodes.astype("float32") + 1) / 2):
            with tf.GradientTape() as tape:
                tape.watch(embeddings)
                total = tf.reduce_sum(score_of(part, embeddings, target))
            added = tf.reduce_sum(tape.gradient(total, embeddings) * way, axis=-1).numpy()
            np.add.at(values[:, : added.shape[1]], batch, weights[place, None] / 2 * added)
        gap = np.abs(values.sum(axis=1) - difference)
        rows = rows[~(gap[rows] <= TOLERANCE * np.abs(difference[rows]))]  # NaN stays
        count *= 2
    if len(rows):
        worst = rows[np.argmax(gap[rows])]
        warnings.warn(
            f"The attributions of {len(rows)} of {len(values)} rows do not sum to the difference of the scores, to "
            f"{TOLERANCE:.0%}, after {MOST_STEPS} steps: {values[worst].sum():.4g} for {difference[worst]:.4g} in row "
            f"{worst}, for example.",
            stacklevel=4,
        )
    is_complete = np.ones(len(values), bool)
    is_complete[rows] = False
    return IntegratedGradients(values, scores[:, 1], scores[:, 0], steps, is_complete)


def _embeddings(token_table, ids):
    return tf.cast(tf.gather(tf.convert_to_tensor(token_table), ids), tf.float32)
