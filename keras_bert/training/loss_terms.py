"""Losses as sums and counts, which can be added up over replicas and parts of a batch."""

import keras
import tensorflow as tf
from keras import ops


class LossTerm:
    """One output's loss as a sum and what it is divided by, so that both can be added up over replicas and parts.

    Args:
        loss: `keras.losses.Loss`, a function of `(y_true, y_pred)`, or a name of either.
        share: float, default 1.0. The term's share in the whole loss.

    Raises:
        ValueError: the loss is not reduced to one number.
    """

    def __init__(self, loss, share: float = 1.0):
        self.loss = keras.losses.get(loss)
        self.share = share
        self.reduction = getattr(self.loss, "reduction", "sum_over_batch_size")
        if self.reduction in (None, "none"):
            raise ValueError(
                "A loss must be reduced to one number. Received: reduction=None. "
                "Use reduction='mean_with_sample_weight' or 'sum_over_batch_size'."
            )

    def values(self, y_true, y_pred):
        """Gives the loss of every element: float32 `(B,)`, or more dimensions where a row has many predictions."""
        y_pred = ops.cast(y_pred, "float32")
        compute = self.loss.call if isinstance(self.loss, keras.losses.Loss) else self.loss
        return ops.cast(compute(y_true, y_pred), "float32")

    def total(self, values, weights):
        """Sums the values `(B, ...)`, weighted by `(B,)` or by as many weights as values."""
        return ops.sum(values * expand(weights, values))

    def count(self, weights, is_real, values):
        """Gives what the total of a batch is divided by.

        Args:
            weights: float tensor `(B,)` or of the rank of `values`; 0 in rows that are not real.
            is_real: bool tensor `(B,)`. False for rows that only fill a batch up.
            values: float tensor, the loss values of any rows: they tell how many a row has.

        Returns:
            Float scalar.
        """
        if self.reduction == "sum":
            return ops.ones(())
        counted = weights if self.reduction == "mean_with_sample_weight" else ops.cast(is_real, "float32")
        per_row = ops.cast(ops.prod(ops.shape(values)[len(counted.shape) :]), "float32")
        return ops.sum(counted) * per_row


def loss_terms(losses, shares=None) -> dict:
    """Makes the terms of a loss.

    Args:
        losses: one loss, or a dict of output name to loss.
        shares: dict of output name to float, optional.

    Returns:
        dict of output name, None for a single output, to `LossTerm`.
    """
    if not isinstance(losses, dict):
        return {None: LossTerm(losses)}
    return {name: LossTerm(loss, (shares or {}).get(name, 1.0)) for name, loss in losses.items()}


def expand(x, like):
    """Gives `x` the rank of `like`, by axes of one."""
    return tf.reshape(x, tf.concat([tf.shape(x), tf.ones((like.shape.rank - x.shape.rank,), tf.int32)], 0))
