"""What an embedder learns from pairs of texts, and how well it does: with scores, or among the other pairs."""

import keras
import tensorflow as tf

from keras_bert.layers.pooling import unit_length
from keras_bert.metrics.correlation import PearsonCorrelation


def cosines(embeddings):
    """Gives the cosine of each pair: `(B,)`, from `embeddings (B, 2, H)`."""
    units = unit_length(embeddings)
    return tf.reduce_sum(units[:, 0] * units[:, 1], axis=-1)


def similarities(embeddings, is_real) -> tuple:
    """Compares the first text of each pair with the second texts of all pairs of the batch, on all replicas.

    Args:
        embeddings: float tensor `(B, 2, H)`.
        is_real: int tensor `(B,)`; 0 for pairs that only fill a batch up.

    Returns:
        Float tensor `(B, all pairs)` of cosines, -1e9 for pairs that are not real, and int32 tensor `(B,)`: which of
        them is the pair's own.
    """
    units = unit_length(embeddings)
    first, second = units[:, 0], units[:, 1]
    rows = tf.shape(first)[0]
    own = tf.range(rows)
    replica = tf.distribute.get_replica_context()
    if replica is not None and replica.num_replicas_in_sync > 1:
        counts = replica.all_gather(rows[tf.newaxis], axis=0)
        number = tf.range(replica.num_replicas_in_sync)
        own += tf.reduce_sum(tf.where(number < replica.replica_id_in_sync_group, counts, 0))
        # What comes from a dataset is on no device, of which several workers' `all_gather` needs one.
        second, is_real = (replica.all_gather(tf.identity(part), axis=0) for part in (second, is_real))
    return tf.where(is_real != 0, tf.matmul(first, second, transpose_b=True), -1e9), own


def are_scores(labels) -> bool:
    """Tells scores, which are floats, from the label of pairs that belong together, which is whole."""
    return tf.as_dtype(labels.dtype).is_floating


@keras.saving.register_keras_serializable("keras_bert")
class PairLoss(keras.losses.Loss):
    """Brings the two texts of a pair as close as their score says, or closer than those of the batch's other pairs.

    With scores, float labels, it is the squared error of the cosine. Without, int labels, it is the cross-entropy of
    finding each first text's own second text among those of the batch, by cosines over the temperature.

    Args:
        temperature: float, default 0.05.
        reduction: str, default "mean_with_sample_weight".
        name: str, default "pair_loss".
        **kwargs: `keras.losses.Loss`'s.

    Call arguments:
        y_true: float tensor `(B,)` of scores; or int tensor `(B,)`, 1, and 0 for pairs that only fill a batch up.
        y_pred: float tensor `(B, 2, H)` of embeddings.

    Reference:
        Reimers and Gurevych, 2019 (https://arxiv.org/abs/1908.10084); Henderson et al., 2017
        (https://arxiv.org/abs/1705.00652).
    """

    def __init__(
        self,
        temperature: float = 0.05,
        reduction: str = "mean_with_sample_weight",
        name: str = "pair_loss",
        **kwargs,
    ):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.temperature = temperature

    def call(self, y_true, y_pred):
        if are_scores(y_true):
            found = cosines(y_pred)
            return tf.square(found - tf.cast(y_true, found.dtype))
        found, own = similarities(y_pred, y_true)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(own, found / self.temperature)

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}


@keras.saving.register_keras_serializable("keras_bert")
class PairCorrelation(PearsonCorrelation):
    """Pearson's correlation of the cosines of pairs with their scores; pairs without scores do not count."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        if are_scores(y_true):
            super().update_state(y_true, cosines(y_pred), sample_weight)

    @property
    def count(self):
        """What it has seen so far."""
        return self.sums[0]


@keras.saving.register_keras_serializable("keras_bert")
class PairAccuracy(keras.metrics.Mean):
    """How often the second text of a pair is the closest of the batch to the first; pairs with scores do not count."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        if not are_scores(y_true):
            found, own = similarities(y_pred, y_true)
            is_found = tf.argmax(found, axis=1, output_type=tf.int32) == own
            weight = tf.cast(y_true, tf.float32)
            super().update_state(is_found, weight if sample_weight is None else weight * sample_weight)
