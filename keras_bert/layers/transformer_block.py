"""BERT's transformer block: self-attention and feed-forward, each with its norm behind it."""

import keras
from keras import ops

from keras_bert.layers.activation import activation_function
from keras_bert.layers.dropout import Dropout
from keras_bert.layers.gathering import (
    attention_bias_of,
    merge_heads,
    positions_are_real,
    split_heads,
    take_positions,
)
from keras_bert.layers.norm import LayerNormalization


@keras.saving.register_keras_serializable("keras_bert")
class TransformerBlock(keras.layers.Layer):
    """Self-attention and feed-forward, each followed by a residual connection and a norm.

    Works on the real tokens of the batch, `(N, H)`; only the attention itself sees rows, through the layout of
    `Unpadding`. Positions with another value in `padding_mask`, or 0, are not attended to. A last block of which only
    some `positions` are read leaves the others out: they are then keys and values, and nothing else.

    Args:
        num_heads: int. Attention heads.
        intermediate_dim: int. Width of the feed-forward part.
        dropout: float, default 0.1. Share dropped from both parts' outputs.
        attention_dropout: float, default 0.1. Share dropped from the attention scores.
        activation: str, default "gelu". A Keras activation or "gelu_approximate".
        layer_norm_epsilon: float, default 1e-12.
        rematerialize: bool, default False. In training keeps `hidden` alone for the gradients, and computes the rest
            a second time there.
        **kwargs: `keras.layers.Layer`'s.

    Call arguments:
        hidden: float tensor `(N, H)`.
        layout: dict of `Unpadding`.
        training: bool.
        return_attention_scores: bool, default False.
        positions: int tensor `(B, P)`, optional. The positions of each row to compute; `None`: all.

    Returns:
        Float tensor `(N, H)`; with `positions` `(B * P, H)`, 0 at padding. With `return_attention_scores` also the
        scores `(B, N heads, T, T)`; with `positions` `(B, N heads, P, T)`.

    Example:
    >>> from keras_bert.layers.unpadding import Unpadding
    >>> layout = Unpadding(num_heads=3)(np.array([[1, 1, 1, 0], [1, 1, 0, 0]]))
    >>> TransformerBlock(num_heads=3, intermediate_dim=20)(np.ones((5, 12)), layout).shape
    TensorShape([5, 12])

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805); Vaswani et al., 2017.
    """

    def __init__(
        self,
        num_heads: int,
        intermediate_dim: int,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        activation: str = "gelu",
        layer_norm_epsilon: float = 1e-12,
        rematerialize: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.activation = activation
        self.layer_norm_epsilon = layer_norm_epsilon
        self.rematerialize = rematerialize

    def build(self, hidden_shape, layout_shape=None):
        hidden_dim = hidden_shape[-1]

        def dense(name, width, activation=None):
            return keras.layers.Dense(
                width,
                activation=activation,
                kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
                dtype=self.dtype_policy,
                name=name,
            )

        def norm(name):
            return LayerNormalization(epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=name)

        self.query = dense("query", hidden_dim)
        self.key = dense("key", hidden_dim)
        self.value = dense("value", hidden_dim)
        self.attention_dropout_layer = Dropout(self.attention_dropout, dtype=self.dtype_policy)
        self.attention_output = dense("attention_output", hidden_dim)
        self.attention_norm = norm("attention_norm")
        self.intermediate = dense("intermediate", self.intermediate_dim, activation_function(self.activation))
        self.output_dense = dense("output", hidden_dim)
        self.output_norm = norm("output_norm")
        self.dropout_layer = Dropout(self.dropout, dtype=self.dtype_policy)
        for layer in (self.query, self.key, self.value, self.attention_output, self.intermediate):
            layer.build((None, hidden_dim))
        self.output_dense.build((None, self.intermediate_dim))
        for layer in (self.attention_norm, self.output_norm):
            layer.build((None, hidden_dim))

    def call(self, hidden, layout, training=False, return_attention_scores=False, positions=None):
        # Drawn here, so that the second computation drops the same units.
        layers = (self.attention_dropout_layer, self.dropout_layer, self.dropout_layer)
        seeds = [layer.draw() if training else None for layer in layers]

        def compute(hidden):
            return self._compute(hidden, layout, seeds, training, return_attention_scores, positions)

        if self.rematerialize and training and not return_attention_scores:
            return keras.remat(compute)(hidden)
        return compute(hidden)

    def _compute(self, hidden, layout, seeds, training, return_attention_scores, positions):
        attention_seed, attended_seed, output_seed = seeds
        hidden_dim = hidden.shape[-1]
        key = split_heads(self.key(hidden), layout, self.num_heads)  # (B, heads, T, D)
        value = split_heads(self.value(hidden), layout, self.num_heads)
        if positions is None:
            bias = layout["attention_bias"]  # (B, 1, T, T)
        else:
            bias = attention_bias_of(layout, positions)  # (B, 1, P, T)
            hidden = take_positions(hidden, layout, positions)  # (B * P, H)
        query = self.query(hidden) * ops.cast((hidden_dim // self.num_heads) ** -0.5, self.compute_dtype)
        query = split_heads(query, layout, self.num_heads, positions)
        scores = ops.matmul(query, ops.swapaxes(key, -1, -2))  # (B, heads, T, T)
        scores = ops.softmax(scores + ops.cast(bias, scores.dtype))
        kept = self.attention_dropout_layer(scores, training=training, seed=attention_seed)
        mixed = ops.matmul(kept, value)  # (B, heads, T, D)
        attended = self.attention_output(merge_heads(mixed, layout, positions))  # (N, H)
        attended = self.dropout_layer(attended, training=training, seed=attended_seed)
        hidden = self.attention_norm(attended + hidden)
        output = self.output_dense(self.intermediate(hidden))  # (N, I), then (N, H)
        hidden = self.output_norm(self.dropout_layer(output, training=training, seed=output_seed) + hidden)
        if positions is not None:
            hidden = hidden * ops.cast(positions_are_real(layout, positions), hidden.dtype)
        return (hidden, scores) if return_attention_scores else hidden

    def compute_output_spec(self, hidden, layout, training=False, return_attention_scores=False, positions=None):
        rows, _, length, _ = layout["attention_bias"].shape
        shape = hidden.shape if positions is None else (None, hidden.shape[-1])
        output = keras.KerasTensor(shape, self.compute_dtype)
        if not return_attention_scores:
            return output
        queries = length if positions is None else positions.shape[1]
        return output, keras.KerasTensor((rows, self.num_heads, queries, length), self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "activation": self.activation,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "rematerialize": self.rematerialize,
        }
