"""Dropout whose replicas draw different masks, and whose random numbers cost little."""

import keras
from keras import ops


class ReplicaSeedGenerator(keras.random.SeedGenerator):
    """A seed a call, another for each replica of a `tf.distribute` strategy.

    Keras keeps one seed state for all replicas, so under `MirroredStrategy` all would drop the same units.
    """

    def next(self, ordered: bool = True):
        seed = super().next(ordered=ordered)
        if keras.backend.backend() != "tensorflow":
            return seed
        import tensorflow as tf

        replica = tf.distribute.get_replica_context()
        if replica is None or replica.num_replicas_in_sync == 1:
            return seed
        return seed + tf.stack([tf.cast(replica.replica_id_in_sync_group, seed.dtype), tf.zeros((), seed.dtype)])


@keras.saving.register_keras_serializable("keras_bert")
class Dropout(keras.layers.Layer):
    """Sets units to 0 in training and scales the rest up, as Srivastava et al. (2014).

    16 random bits a unit decide, not a 32-bit float: on CPUs the drawing of floats takes longer than BERT's
    attention. The share that is kept is a multiple of 2**-16, and the scale its inverse.

    Args:
        rate: float in [0, 1). The share of units set to 0.
        seed: int, optional. Defaults to Keras' global seed.
        **kwargs: `keras.layers.Layer`'s.

    Call arguments:
        inputs: float tensor of any shape.
        training: bool.
        seed: what `draw` gave, optional. By default it is drawn here.

    Returns:
        Tensor of the shape of `inputs`.

    Example:
    >>> Dropout(0.1)(np.ones((2, 3)), training=True).shape
    TensorShape([2, 3])
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"`rate` must be at least 0 and below 1. Received: rate={rate}. Use 0.1, as BERT does.")
        self.rate = rate
        self.seed = seed
        self.supports_masking = True
        if rate > 0:
            self.seed_generator = ReplicaSeedGenerator(seed)
        self.built = True

    def draw(self):
        """Draws the seed of one call: ahead of what is computed twice, which must drop the same units both times."""
        if self.rate == 0:
            return None
        if keras.backend.backend() == "torch":  # drops by torch's own generator, whose state `keras.remat` puts back
            return self.seed_generator
        return self.seed_generator.next()

    def call(self, inputs, training=False, seed=None):
        if not training or self.rate == 0:
            return inputs
        seed = self.draw() if seed is None else seed
        if keras.backend.backend() != "tensorflow":
            return keras.random.dropout(inputs, self.rate, seed=seed)
        import tensorflow as tf

        kept = min(max(round((1 - self.rate) * 2**16), 1), 2**16 - 1)
        size = tf.size(inputs)
        words = tf.random.stateless_uniform(
            [(size + 1) // 2], tf.cast(seed, tf.int32), minval=None, maxval=None, dtype=tf.int32
        )
        bits = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint16), [-1])[:size], tf.shape(inputs))
        keep, scale = bits < kept, ops.cast(2**16 / kept, inputs.dtype)

        @tf.custom_gradient
        def drop(x):
            # The gradient keeps a byte a unit. By other operations than `x`'s, or TensorFlow, which computes nothing
            # twice, would keep their factors.
            def gradient(upstream):
                return tf.where(keep, upstream * scale, tf.zeros_like(upstream))

            return x * (ops.cast(keep, x.dtype) * scale), gradient

        return drop(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
