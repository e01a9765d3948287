"""Addresses a model's variables by the names that checkpoints give them."""

import logging
from typing import NamedTuple

import keras
import numpy as np

from keras_bert.presets.names import check_weights
from keras_bert.presets.write import write_preset

# Hugging Face's name of a part of a block: ours.
_BLOCK_PARTS = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "attention_output",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "intermediate",
    "output.dense": "output_dense",
    "output.LayerNorm": "output_norm",
}


class NamedWeight(NamedTuple):
    """Where a checkpoint's tensor lives: a layer, its attribute, and whether it is stored transposed."""

    layer: keras.layers.Layer
    attribute: str
    transposed: bool = False

    @property
    def shape(self) -> tuple:
        shape = tuple(getattr(self.layer, self.attribute).shape)
        return shape[::-1] if self.transposed else shape

    def value(self) -> np.ndarray:
        # A kernel with LoRA is a tensor: the merged one.
        value = keras.ops.convert_to_numpy(getattr(self.layer, self.attribute))
        return np.ascontiguousarray(value.T) if self.transposed else value

    def assign(self, array: np.ndarray) -> None:
        getattr(self.layer, self.attribute).assign(array.T if self.transposed else array)


def dense_weights(name: str, dense: keras.layers.Dense) -> dict[str, NamedWeight]:
    """Names a Dense layer's two weights; a checkpoint keeps the kernel transposed.

    Args:
        name: str. The checkpoint's name of the layer.
        dense: `keras.layers.Dense`.

    Returns:
        dict of name to `NamedWeight`.
    """
    return {f"{name}.weight": NamedWeight(dense, "kernel", True), f"{name}.bias": NamedWeight(dense, "bias")}


def _norm_weights(name, norm):
    return {f"{name}.weight": NamedWeight(norm, "gamma"), f"{name}.bias": NamedWeight(norm, "beta")}


def encoder_weights(encoder) -> dict[str, NamedWeight]:
    """Names all weights of an encoder as Hugging Face's BERT does, without the `bert.` prefix.

    Args:
        encoder: `BertEncoder`.

    Returns:
        dict of name to `NamedWeight`.
    """
    embeddings = encoder.embeddings
    named = {
        "embeddings.word_embeddings.weight": NamedWeight(embeddings.token_embedding, "embeddings"),
        "embeddings.position_embeddings.weight": NamedWeight(embeddings.position_embedding, "embeddings"),
        "embeddings.token_type_embeddings.weight": NamedWeight(embeddings.segment_embedding, "embeddings"),
    }
    named |= _norm_weights("embeddings.LayerNorm", embeddings.norm)
    for i, block in enumerate(encoder.blocks):
        for theirs, ours in _BLOCK_PARTS.items():
            add = _norm_weights if ours.endswith("norm") else dense_weights
            named |= add(f"encoder.layer.{i}.{theirs}", getattr(block, ours))
    return named | dense_weights("pooler.dense", encoder.pooler.dense)


def masked_lm_weights(head) -> dict[str, NamedWeight]:
    """Names the weights of a masked-LM head that are not the token table.

    Args:
        head: `MaskedLMHead`.

    Returns:
        dict of name to `NamedWeight`.
    """
    transform = "cls.predictions.transform"
    named = dense_weights(f"{transform}.dense", head.dense) | _norm_weights(f"{transform}.LayerNorm", head.norm)
    return named | {"cls.predictions.bias": NamedWeight(head, "bias")}


def weight_values(named: dict[str, NamedWeight]) -> dict[str, np.ndarray]:
    """Reads weights out of a model.

    Args:
        named: dict of name to `NamedWeight`.

    Returns:
        dict of name to array, in the checkpoint's shapes.
    """
    return {name: weight.value() for name, weight in named.items()}


def assign_weights(named: dict[str, NamedWeight], weights: dict[str, np.ndarray], optional: tuple = ()) -> None:
    """Puts a checkpoint's weights into a model, and logs what it lacked or had too much of.

    Args:
        named: dict of name to `NamedWeight`.
        weights: dict of name to array.
        optional: tuple of str, default (). Beginnings of names that may be missing: those weights stay random.

    Raises:
        ValueError: weights are missing or have other shapes.
    """
    missing, left_over = check_weights({name: weight.shape for name, weight in named.items()}, weights, optional)
    for name, weight in named.items():
        if name in weights:
            weight.assign(weights[name])
    log = logging.getLogger("keras_bert")
    if missing:
        log.warning("Not in the preset, so new and random, to be trained: %s.", ", ".join(missing))
    if left_over:
        log.warning("In the preset and not used here: %s.", ", ".join(left_over))


def save_model(path, config: dict, named: dict[str, NamedWeight] | None, preprocessor, storage_dtype: str) -> None:
    """Writes a model with its preprocessor, if it has one, as a preset, whole or not at all.

    Args:
        path: str or path of the directory.
        config: dict, as `write_preset` takes it, of the model.
        named: dict of name to `NamedWeight`, or None: settings alone are written.
        preprocessor: `BertPreprocessor`, or None.
        storage_dtype: str. "float32" or "float16".
    """
    vocabulary = None
    if preprocessor is not None:
        tokenizer = preprocessor.tokenizer
        config = config | {"tokenizer": tokenizer.preset_config(), "preprocessor": preprocessor.preset_config()}
        vocabulary = list(tokenizer.vocabulary.tokens)
    weights = None if named is None else weight_values(named)
    write_preset(path, config, vocabulary, weights, storage_dtype)
