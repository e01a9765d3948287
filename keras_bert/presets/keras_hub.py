"""Reading KerasHub's presets through its public API."""

import numpy as np

# Inside `transformer_layer_{i}/`. The kernels of the first four have the heads as an axis of their own.
_BLOCK = {
    "self_attention_layer/query": "attention.self.query",
    "self_attention_layer/key": "attention.self.key",
    "self_attention_layer/value": "attention.self.value",
    "self_attention_layer/attention_output": "attention.output.dense",
    "self_attention_layer_norm": "attention.output.LayerNorm",
    "feedforward_intermediate_dense": "intermediate.dense",
    "feedforward_output_dense": "output.dense",
    "feedforward_layer_norm": "output.LayerNorm",
}
_OUTSIDE = {
    "token_embedding": "embeddings.word_embeddings",
    "position_embedding": "embeddings.position_embeddings",
    "segment_embedding": "embeddings.token_type_embeddings",
    "embeddings_layer_norm": "embeddings.LayerNorm",
    "pooled_dense": "pooler.dense",
}
_LEAVES = {
    "kernel": "weight",
    "embeddings": "weight",
    "position_embeddings": "weight",
    "gamma": "weight",
    "beta": "bias",
}


def read_keras_hub(
    preset: str, load_weights: bool = True
) -> tuple[dict, list[str] | None, dict[str, np.ndarray] | None]:
    """Reads one of KerasHub's BERT presets. Needs keras-hub (which keras-nlp installs).

    Args:
        preset: str. A name such as `"bert_base_en_uncased"`, `"kaggle://..."`, or a directory that KerasHub
            saved.
        load_weights: bool. Whether to fetch the weights. Defaults to True.

    Returns:
        `(config, vocabulary, weights)`; see `read_preset`.

    Raises:
        ValueError: if KerasHub is not installed or does not know the name.
    """
    try:
        import keras_hub
    except ImportError as error:
        raise ValueError(
            f"Reading the KerasHub preset {preset!r} needs keras-hub, which is not installed. `pip install "
            "keras-hub`, or give a directory or 'hf://owner/repo'."
        ) from error
    known = keras_hub.models.BertBackbone.presets
    if preset.isidentifier() and preset not in known:
        raise ValueError(
            "`preset` must be a directory, 'hf://owner/repo', 'kaggle://...', or one of KerasHub's names: "
            f"{', '.join(sorted(known))}. Received: {preset!r}, which is none of these."
        )
    backbone = keras_hub.models.BertBackbone.from_preset(preset, load_weights=load_weights)
    tokenizer = keras_hub.models.BertTokenizer.from_preset(preset)
    config, vocabulary, weights = from_backbone(backbone, tokenizer)
    return config, vocabulary, weights if load_weights else None


def from_backbone(backbone, tokenizer=None) -> tuple[dict, list[str] | None, dict[str, np.ndarray]]:
    """Returns what a `keras_hub.models.BertBackbone` holds, in Hugging Face's names and shapes.

    Args:
        backbone: `keras_hub.models.BertBackbone`.
        tokenizer: `keras_hub.models.BertTokenizer`. Defaults to None: then there is no vocabulary.

    Returns:
        `(config, vocabulary, weights)`; see `read_preset`.
    """
    encoder = {
        name: getattr(backbone, name)
        for name in ("vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim")
        + ("max_sequence_length", "num_segments", "dropout")
    }
    # KerasHub has no arguments for these: its code sets them.
    encoder.update(
        attention_dropout=backbone.dropout, activation="gelu_approximate", layer_norm_epsilon=1e-12
    )
    settings = {
        "lowercase": True if tokenizer is None else bool(tokenizer.lowercase),
        # KerasHub's BertTokenizer leaves accents even where it lowercases; the texts that these weights
        # were trained on had theirs stripped then, which is what None means.
        "strip_accents": True if tokenizer is not None and tokenizer.strip_accents else None,
        "special_tokens_in_text": bool(tokenizer is not None and tokenizer.special_tokens_in_strings),
        "never_split": [],
    }
    config = {"encoder": encoder, "tokenizer": settings, "preprocessor": {}, "task": None, "head": {}}
    weights = {}
    for variable in backbone.variables:
        if "seed_generator" not in variable.path:
            layer, leaf = variable.path.rsplit("/", 1)
            name = f"{_hugging_face_layer(layer)}.{_LEAVES.get(leaf, leaf)}"
            weights[name] = _hugging_face_shape(
                name, np.asarray(variable, dtype="float32"), leaf, encoder["hidden_dim"]
            )
    return config, None if tokenizer is None else list(tokenizer.get_vocabulary()), weights


def _hugging_face_layer(layer):
    if not layer.startswith("transformer_layer_"):
        return _OUTSIDE.get(layer, layer)
    block, inner = layer.split("/", 1)
    return f"encoder.layer.{block.removeprefix('transformer_layer_')}.{_BLOCK.get(inner, inner)}"


def _hugging_face_shape(name, tensor, leaf, hidden_dim):
    if ".attention." in name and leaf == "bias":
        return tensor.reshape(hidden_dim)
    if ".attention." in name and leaf == "kernel":
        tensor = tensor.reshape(
            hidden_dim, hidden_dim
        )  # the heads lie on the output axis, or on the input axis
    return tensor.T if leaf == "kernel" else tensor
