"""BERT's encoder: token ids in, a vector for every token and one for the text out."""

import os

import keras

from keras_bert.layers.embeddings import BertEmbeddings
from keras_bert.layers.pooler import Padding, Pooler
from keras_bert.layers.transformer_block import TransformerBlock
from keras_bert.layers.unpadding import Unpadding
from keras_bert.models.layer_outputs import LayerOutputs
from keras_bert.models.resizing import Resizing
from keras_bert.models.weights import assign_weights, encoder_weights, save_model
from keras_bert.presets.read import read_preset


@keras.saving.register_keras_serializable("keras_bert")
class BertEncoder(Resizing, keras.Model):
    """The encoder of BERT: token ids in, a vector for every token and one for the whole text out.

    Padding is not computed: layers work on the real tokens of the batch, unless XLA compiles the call.

    Args:
        vocabulary_size: int, default 30522.
        num_layers: int, default 12.
        num_heads: int, default 12. Must divide `hidden_dim`.
        hidden_dim: int, default 768.
        intermediate_dim: int, default 3072. Width of the feed-forward parts.
        max_sequence_length: int, default 512. Rows of the position table.
        num_segments: int, default 2.
        dropout: float, default 0.1.
        attention_dropout: float, optional. Defaults to `dropout`.
        activation: str, default "gelu" (exact); "gelu_approximate" is the tanh form of Google's releases.
        layer_norm_epsilon: float, default 1e-12.
        unpadding: bool, optional. `None`, the default, skips padding unless XLA compiles the call.
        rematerialize: bool, default False. In training keeps what enters each block, and computes the rest of it a
            second time for the gradients: a fraction of the memory for one more forward pass. Not saved in presets.
        dtype: str or `keras.DTypePolicy`, optional. "mixed_bfloat16", for example.
        **kwargs: `keras.Model`'s.

    Call arguments:
        inputs: dict of int tensors `(B, T)`: `token_ids`, `segment_ids`, `padding_mask`. In `padding_mask` 0 is
            padding; positions attend to each other where their values are equal, so 1, 2, 3, ... pack several
            examples in a row.
        training: bool.

    Returns:
        dict: `sequence_output (B, T, H)`, 0 at padding, and `pooled_output (B, H)`.

    Raises:
        ValueError: for sizes that do not fit together.

    Example:
    >>> encoder = keras_bert.BertEncoder(vocabulary_size=100, **keras_bert.SIZES["tiny"])
    >>> ids = np.array([[2, 17, 3, 0]])
    >>> out = encoder({"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids > 0})
    >>> out["sequence_output"].shape
    TensorShape([1, 4, 128])

    Reference:
        Devlin et al., 2018 (https://arxiv.org/abs/1810.04805).
    """

    def __init__(
        self,
        vocabulary_size: int = 30522,
        num_layers: int = 12,
        num_heads: int = 12,
        hidden_dim: int = 768,
        intermediate_dim: int = 3072,
        max_sequence_length: int = 512,
        num_segments: int = 2,
        dropout: float = 0.1,
        attention_dropout: float | None = None,
        activation: str = "gelu",
        layer_norm_epsilon: float = 1e-12,
        unpadding: bool | None = None,
        rematerialize: bool = False,
        dtype=None,
        **kwargs,
    ):
        sizes = {
            "vocabulary_size": vocabulary_size,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "hidden_dim": hidden_dim,
            "intermediate_dim": intermediate_dim,
            "max_sequence_length": max_sequence_length,
            "num_segments": num_segments,
        }
        for name, size in sizes.items():
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"`{name}` must be a whole number, at least 1. Received: {name}={size!r}.")
        if hidden_dim % num_heads:
            raise ValueError(
                "`hidden_dim` must be a multiple of `num_heads`. Received: "
                f"hidden_dim={hidden_dim}, num_heads={num_heads}. "
                f"Use a hidden_dim of {(hidden_dim // num_heads + 1) * num_heads}, for example."
            )
        attention_dropout = dropout if attention_dropout is None else attention_dropout
        dtype = keras.dtype_policies.get(dtype or keras.config.dtype_policy())

        # Layers
        layout_layer = Unpadding(num_heads, unpadding, dtype=dtype, name="unpadding")
        embeddings = BertEmbeddings(
            vocabulary_size,
            hidden_dim,
            max_sequence_length,
            num_segments,
            dropout,
            layer_norm_epsilon,
            dtype=dtype,
            name="embeddings",
        )
        blocks = [
            TransformerBlock(
                num_heads,
                intermediate_dim,
                dropout,
                attention_dropout,
                activation,
                layer_norm_epsilon,
                rematerialize,
                dtype=dtype,
                name=f"transformer_block_{i}",
            )
            for i in range(num_layers)
        ]
        padding = Padding(dtype=dtype, name="padding")
        pooler = Pooler(dtype=dtype, name="pooler")

        # Graph
        inputs = {
            name: keras.Input((None,), dtype="int32", name=name)
            for name in ("token_ids", "segment_ids", "padding_mask")
        }
        layout = layout_layer(inputs["padding_mask"])
        hidden = embeddings(inputs["token_ids"], inputs["segment_ids"], layout)
        for block in blocks:
            hidden = block(hidden, layout)
        sequence_output = padding(hidden, layout)
        pooled_output = pooler(sequence_output[:, 0])
        super().__init__(
            inputs=inputs,
            outputs={"sequence_output": sequence_output, "pooled_output": pooled_output},
            **{"name": "bert_encoder", **kwargs},
        )

        # Arguments
        self.dtype_policy = dtype
        self.arguments = {
            **sizes,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation": activation,
            "layer_norm_epsilon": layer_norm_epsilon,
        }
        self.unpadding, self.rematerialize = unpadding, rematerialize
        self.layout_layer, self.embeddings, self.blocks = layout_layer, embeddings, blocks
        self.padding, self.pooler = padding, pooler

    def get_config(self):
        return {
            **self.arguments,
            "unpadding": self.unpadding,
            "rematerialize": self.rematerialize,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "name": self.name,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)

    @classmethod
    def from_preset(cls, preset: str | os.PathLike, load_weights: bool = True, **overrides) -> "BertEncoder":
        """Builds an encoder from a preset.

        Args:
            preset: str or path. A directory, `hf://owner/repo`, `kaggle://...` or a KerasHub name.
            load_weights: bool, default True. `False` gives the architecture with random weights.
            **overrides: arguments of `BertEncoder` to use in the place of the preset's: `dropout`, `dtype`, ...

        Returns:
            `BertEncoder`.

        Raises:
            ValueError: no such preset, or weights that are missing or do not fit.

        Example:
        >>> BertEncoder(vocabulary_size=100, **keras_bert.SIZES["tiny"]).save_to_preset("my_encoder")
        >>> encoder = BertEncoder.from_preset("my_encoder", dropout=0.0)
        """
        config, _, weights = read_preset(preset, load_weights)
        encoder = cls.of_preset_config(config, **overrides)
        if weights is not None:
            assign_weights(encoder_weights(encoder), weights, optional=("pooler.",))
        return encoder

    @classmethod
    def of_preset_config(cls, config: dict, **overrides) -> "BertEncoder":
        """Builds an encoder with random weights from a preset's configuration; `overrides` win."""
        if "encoder" not in config:
            raise ValueError("An encoder needs a preset with a model. Received: one with a tokenizer only.")
        if "dropout" in overrides:  # as in `BertEncoder`: of the attention too, unless said otherwise
            overrides = {"attention_dropout": overrides["dropout"], **overrides}
        return cls(**{**config["encoder"], **overrides})

    def save_to_preset(self, path: str | os.PathLike, storage_dtype: str = "float32") -> None:
        """Writes configuration and weights as a preset that transformers reads too, whole or not at all.

        Args:
            path: str or path of the directory.
            storage_dtype: str, default "float32". "float16" halves the file.
        """
        save_model(path, {"encoder": dict(self.arguments)}, encoder_weights(self), None, storage_dtype)

    def with_layer_outputs(self) -> keras.Model:
        """Shows the inside: the hidden states and attention scores of every layer.

        Returns:
            `keras.Model` on the same weights. Its outputs are the encoder's and `hidden_states`, a list of
            `num_layers + 1` tensors `(B, T, H)` that begins with the embeddings, and `attention_scores`, a list of
            `num_layers` tensors `(B, N heads, T, T)`.

        Example:
        >>> encoder = BertEncoder(vocabulary_size=100, **keras_bert.SIZES["tiny"])
        >>> ids = np.array([[2, 17, 3, 0]])
        >>> inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids > 0}
        >>> encoder.with_layer_outputs()(inputs)["attention_scores"][0].shape
        TensorShape([1, 2, 4, 4])
        """
        return LayerOutputs(self)
