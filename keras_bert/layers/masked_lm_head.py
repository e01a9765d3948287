"""From a vector to a guess of the token that was masked there."""

import keras
from keras import ops

from keras_bert.layers.activation import activation_function
from keras_bert.layers.norm import LayerNormalization


@keras.saving.register_keras_serializable("keras_bert")
class MaskedLMHead(keras.layers.Layer):
    """Gives every token of the vocabulary a logit: dense layer, activation, norm, then the token table and a bias.

    Args:
        token_embedding: `keras.layers.ReversibleEmbedding`, the encoder's own: its table is the output layer too.
        activation: str, default "gelu". The encoder's.
        layer_norm_epsilon: float, default 1e-12. The encoder's.
        **kwargs: `keras.layers.Layer`'s.

    Call arguments:
        hidden: float tensor `(..., H)`.

    Returns:
        Float32 tensor `(..., V)` of logits.

    Example:
    >>> encoder = keras_bert.BertEncoder(vocabulary_size=100, **keras_bert.SIZES["tiny"])
    >>> MaskedLMHead(encoder.embeddings.token_embedding)(np.ones((5, 128))).shape
    TensorShape([5, 100])

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), section 3.1.
    """

    def __init__(
        self, token_embedding, activation: str = "gelu", layer_norm_epsilon: float = 1e-12, **kwargs
    ):
        super().__init__(**kwargs)
        self.token_embedding = token_embedding
        self.activation = activation
        self.layer_norm_epsilon = layer_norm_epsilon

    def build(self, hidden_shape):
        self.dense = keras.layers.Dense(
            hidden_shape[-1],
            activation=activation_function(self.activation),
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.norm = LayerNormalization(epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name="norm")
        for layer in (self.dense, self.norm):
            layer.build((None, hidden_shape[-1]))
        self.bias = self.add_weight((self.token_embedding.input_dim,), "zeros", name="bias")

    def call(self, hidden):
        # Keras' own way back keeps the table in float32: under mixed precision the largest product of all.
        table = ops.cast(self.token_embedding.embeddings, self.compute_dtype)
        logits = ops.matmul(self.norm(self.dense(hidden)), ops.transpose(table))
        # In float32 also under mixed precision: the loss is a difference of large numbers.
        return ops.add(ops.cast(logits, "float32"), ops.cast(self.bias, "float32"))

    def compute_output_spec(self, hidden):
        return keras.KerasTensor((*hidden.shape[:-1], self.token_embedding.input_dim), "float32")

    def get_config(self):
        return {
            **super().get_config(),
            "token_embedding": keras.saving.serialize_keras_object(self.token_embedding),
            "activation": self.activation,
            "layer_norm_epsilon": self.layer_norm_epsilon,
        }

    @classmethod
    def from_config(cls, config):
        token_embedding = keras.saving.deserialize_keras_object(config["token_embedding"])
        return cls(**{**config, "token_embedding": token_embedding})
