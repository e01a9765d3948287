"""BERT's input: token, position and segment embeddings, summed and normed."""

import keras
from keras import ops

from keras_bert.layers.dropout import Dropout
from keras_bert.layers.gathering import gather_rows, unpad
from keras_bert.layers.norm import LayerNormalization


@keras.saving.register_keras_serializable("keras_bert")
class BertEmbeddings(keras.layers.Layer):
    """Sums the embeddings of each real token, its position and its segment, and norms the sum.

    Args:
        vocabulary_size: int. Rows of the token table.
        hidden_dim: int. Width.
        max_sequence_length: int. Rows of the position table.
        num_segments: int, default 2. Rows of the segment table.
        dropout: float, default 0.1.
        layer_norm_epsilon: float, default 1e-12.
        **kwargs: `keras.layers.Layer`'s.

    Call arguments:
        token_ids: int tensor `(B, T)`.
        segment_ids: int tensor `(B, T)`.
        layout: dict of `Unpadding`.
        training: bool.
        token_embeddings: float tensor `(B, T, H)`, optional. In the place of the token table's rows, for what asks how
            the output depends on them.

    Returns:
        Float tensor `(N, H)`, a row for each real token.

    Raises:
        ValueError: at call, for a sequence longer than the position table.

    Example:
    >>> from keras_bert.layers.unpadding import Unpadding
    >>> layout = Unpadding(num_heads=3)(np.array([[1, 1, 1, 0], [1, 1, 0, 0]]))
    >>> embeddings = BertEmbeddings(vocabulary_size=11, hidden_dim=12, max_sequence_length=7)
    >>> embeddings(np.array([[2, 7, 3, 0], [2, 3, 0, 0]]), np.zeros((2, 4), "int32"), layout).shape
    TensorShape([5, 12])

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805), figure 2.
    """

    def __init__(
        self,
        vocabulary_size: int,
        hidden_dim: int,
        max_sequence_length: int,
        num_segments: int = 2,
        dropout: float = 0.1,
        layer_norm_epsilon: float = 1e-12,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.autocast = False  # rows of the tables are cast, not whole tables
        self.vocabulary_size = vocabulary_size
        self.hidden_dim = hidden_dim
        self.max_sequence_length = max_sequence_length
        self.num_segments = num_segments
        self.dropout = dropout
        self.layer_norm_epsilon = layer_norm_epsilon

    def build(self, token_ids_shape, segment_ids_shape=None, layout_shape=None):
        def table(name, rows, kind=keras.layers.Embedding):
            layer = kind(
                rows,
                self.hidden_dim,
                embeddings_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
                dtype=self.dtype_policy,
                name=name,
            )
            layer.build((None,))
            return layer

        # Its table is the masked-LM head's output layer too.
        reversible = keras.layers.ReversibleEmbedding
        self.token_embedding = table("token_embedding", self.vocabulary_size, reversible)
        self.position_embedding = table("position_embedding", self.max_sequence_length)
        self.segment_embedding = table("segment_embedding", self.num_segments)
        self.norm = LayerNormalization(epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name="norm")
        self.norm.build((None, self.hidden_dim))
        self.dropout_layer = Dropout(self.dropout, dtype=self.dtype_policy)

    def call(self, token_ids, segment_ids, layout, training=False, token_embeddings=None):
        length = token_ids.shape[1]
        if length is not None and length > self.max_sequence_length:
            raise ValueError(
                "A sequence must not be longer than the position table. "
                f"Received: {length} tokens, max_sequence_length={self.max_sequence_length}. "
                "Use a preprocessor with a smaller `sequence_length`."
            )
        positions = unpad(layout["position_ids"], layout)  # (N,)
        if token_embeddings is None:
            tokens = self._look_up(self.token_embedding, unpad(token_ids, layout))
        else:
            tokens = ops.cast(unpad(token_embeddings, layout), self.compute_dtype)
        summed = (
            tokens
            + self._look_up(self.position_embedding, positions)
            + self._look_up(self.segment_embedding, unpad(segment_ids, layout))
        )  # (N, H)
        return self.dropout_layer(self.norm(summed), training=training)

    def _look_up(self, embedding, ids):
        return ops.cast(gather_rows(embedding.embeddings, ids), self.compute_dtype)

    def compute_output_spec(self, token_ids, segment_ids, layout, training=False, token_embeddings=None):
        return keras.KerasTensor((None, self.hidden_dim), self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "hidden_dim": self.hidden_dim,
            "max_sequence_length": self.max_sequence_length,
            "num_segments": self.num_segments,
            "dropout": self.dropout,
            "layer_norm_epsilon": self.layer_norm_epsilon,
        }
