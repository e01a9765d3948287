"""Integrated gradients of functions whose integrals are known, and of a function that has none."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.models.integrated_gradients import integrated_gradients

RNG = np.random.default_rng(3)
TABLE = tf.constant(RNG.normal(size=(7, 5)), tf.float32)
MASK = np.array([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
INPUTS = {"token_ids": RNG.integers(1, 7, MASK.shape) * MASK, "padding_mask": MASK}
BASELINE = np.where(MASK, INPUTS["token_ids"] % 6 + 1, 0)
WEIGHTS = RNG.normal(size=(2, 5))  # a way to score for each target
TARGETS = np.array([1, 0, 1, 0])


def sums(inputs, token_embeddings, targets):
    """A linear score of the real tokens, later ones count more."""
    real = tf.cast(inputs["padding_mask"], tf.float32) * (1 + tf.range(inputs["token_ids"].shape[1], dtype=tf.float32))
    each = tf.einsum("bth,bh->bt", token_embeddings, tf.gather(tf.constant(WEIGHTS, tf.float32), targets))
    return tf.reduce_sum(each * real, axis=1)


def parts():
    """What each token adds to a linear score, in NumPy."""
    way = TABLE.numpy()[INPUTS["token_ids"]] - TABLE.numpy()[BASELINE]
    return np.einsum("bth,bh->bt", way, WEIGHTS[TARGETS]) * (1, 2, 3, 4) * MASK


def test_of_a_linear_score_they_are_its_terms():
    found = integrated_gradients(sums, TABLE, INPUTS, BASELINE, TARGETS)
    np.testing.assert_allclose(found.values, parts(), atol=1e-5)
    np.testing.assert_allclose(found.scores - found.baseline_scores, parts().sum(axis=1), atol=1e-5)
    assert found.is_complete.all() and (found.steps == 16).all()
    assert (np.abs(found.values) > 0.01).tolist() == (MASK == 1).tolist()


def test_of_a_product_each_factor_has_its_half():
    # (a + b)(c + d) along a line from the origin: the integral of a gradient is half the product.
    def product(inputs, token_embeddings, targets):
        return tf.reduce_prod(token_embeddings[:, :2, 0], axis=1)

    inputs = {"token_ids": np.array([[1, 2, 3]]), "padding_mask": np.array([[1, 1, 1]])}
    table = tf.constant([[0.0, 0.0], [3.0, 1.0], [-5.0, 1.0], [7.0, 1.0]])
    found = integrated_gradients(product, table, inputs, np.zeros((1, 3), int), np.zeros(1, int))
    np.testing.assert_allclose(found.values, [[-7.5, -7.5, 0]], rtol=1e-6)
    assert (found.scores, found.baseline_scores) == (-15, 0)


def test_a_steep_score_takes_more_steps_and_the_others_no_more():
    def steep(inputs, token_embeddings, targets):
        return tf.where(targets == 1, tf.tanh(20 * sums(inputs, token_embeddings, targets)), 1.0)

    found = integrated_gradients(steep, TABLE, INPUTS, BASELINE, TARGETS)
    assert found.is_complete.all()
    assert found.steps[1] == found.steps[3] == 16 < found.steps[0]
    difference = found.scores - found.baseline_scores
    assert (np.abs(found.values.sum(axis=1) - difference) <= 0.01 * np.abs(difference)).all()
    assert abs(difference[0]) > 0.5


def test_a_score_that_jumps_is_told_of():
    def jumps(inputs, token_embeddings, targets):
        total = sums(inputs, token_embeddings, targets)
        return tf.where(targets == 1, tf.stop_gradient(total), total)  # with a slope that is 0 wherever one looks

    rule = "The attributions of 2 of 4 rows do not sum to the difference of the scores, to 1%, after 512 steps: 0 for"
    with pytest.warns(UserWarning, match=rule):
        found = integrated_gradients(jumps, TABLE, INPUTS, BASELINE, TARGETS)
    assert found.is_complete.tolist() == [False, True, False, True]
    assert found.steps.tolist() == [512, 16, 512, 16]


def test_numbers_that_are_none_are_not_complete():
    with pytest.warns(UserWarning, match="do not sum"):
        found = integrated_gradients(
            lambda *inputs: sums(*inputs) * np.nan, TABLE, INPUTS, BASELINE, TARGETS
        )
    assert not found.is_complete.any()


def test_of_no_rows_there_are_none():
    nothing = {name: part[:0] for name, part in INPUTS.items()}
    found = integrated_gradients(sums, TABLE, nothing, BASELINE[:0], TARGETS[:0])
    assert found.values.shape == (0, 4) and found.scores.shape == found.is_complete.shape == (0,)
