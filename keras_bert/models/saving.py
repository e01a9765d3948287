"""How a task model is saved, and built again from what was saved."""

import os
from collections.abc import Sequence

import keras
import numpy as np

from keras_bert.models.encoder import BertEncoder
from keras_bert.models.weights import assign_weights, encoder_weights, save_model, weight_values
from keras_bert.presets.read import read_preset
from keras_bert.text.preprocessor import BertPreprocessor


class Saving:
    """Presets, `.keras` files and copies of a task model.

    A task has `encoder` and `preprocessor`, and defines `preset_task`, the name of its head in a preset; `head_config`,
    its other arguments; and `head_weights`.
    """

    # Whether the task reads the pooler. Where not, transformers' model of the task has none, and its preset neither.
    has_pooler = True

    def save_to_preset(self, path: str | os.PathLike, storage_dtype: str = "float32") -> None:
        """Writes model, vocabulary and settings as a preset that transformers reads too, whole or not at all.

        Args:
            path: str or path of the directory.
            storage_dtype: str, default "float32". "float16" halves the file.
        """
        self._save(path, self.named_weights(), storage_dtype)

    def save_settings_to_preset(self, path: str | os.PathLike) -> None:
        """Writes vocabulary and settings, but no weights, as a preset that a preprocessor is read from.

        Args:
            path: str or path of the directory.
        """
        self._save(path, None, "float32")

    def named_weights(self) -> dict:
        """Names the weights as a preset does.

        Returns:
            dict of name to `NamedWeight`.
        """
        named = encoder_weights(self.encoder) | self.head_weights()
        return named if self.has_pooler else {n: w for n, w in named.items() if not n.startswith("pooler.")}

    def with_tokens(self, tokens: Sequence[str]):
        """Adds tokens, such as entity markers or words of a trade, to the vocabulary and the embedding.

        Args:
            tokens: sequence of str.

        Returns:
            A new model of this class with the same weights; the new tokens' embeddings are random.

        Raises:
            ValueError: the model has no preprocessor, so no vocabulary.
        """
        if self.preprocessor is None:
            raise ValueError("New tokens need a vocabulary. Received: a model without a preprocessor. Give it one.")
        tokenizer = self.preprocessor.tokenizer.with_tokens(tokens)
        preprocessor = BertPreprocessor(tokenizer, **self.preprocessor.preset_config())
        size = max(len(tokenizer.vocabulary), self.encoder.arguments["vocabulary_size"])
        return self._on(self.encoder.with_vocabulary_size(size), preprocessor, self.frozen_layers())

    def with_layers(self, layers: int | Sequence[int]):
        """Keeps some of the encoder's layers, and the head: what a smaller model begins with.

        Args:
            layers: int or sequence of int, as in `BertEncoder.with_layers`: how many, or which, counted from 0.

        Returns:
            A new model of this class with the same weights, all of them trainable.

        Raises:
            ValueError: no layers, or ones that there are not.

        Example:
        >>> student = teacher.with_layers([1, 3, 5])
        """
        return self._on(self.encoder.with_layers(layers), self.preprocessor)

    def with_dtype(self, dtype):
        """Copies the model into another precision.

        Args:
            dtype: str or `keras.DTypePolicy`: "bfloat16", which keeps the weights in it too; "mixed_bfloat16", which
                keeps them in float32; or "float32".

        Returns:
            A new model of this class with the same weights, rounded where the precision asks for it.
        """
        return self.with_encoder(dtype=keras.dtype_policies.get(dtype))

    def with_encoder(self, **arguments):
        """Copies the model onto an encoder of the same sizes that computes in another way.

        Args:
            **arguments: of `BertEncoder`: `dtype`, `unpadding`.

        Returns:
            A new model of this class with the same weights.
        """
        encoder = type(self.encoder).from_config({**self.encoder.get_config(), **arguments})
        assign_weights(encoder_weights(encoder), weight_values(encoder_weights(self.encoder)))
        return self._on(encoder, self.preprocessor, self.frozen_layers())

    def _save(self, path, named, storage_dtype):
        config = {"encoder": dict(self.encoder.arguments), "task": self.preset_task, "head": self.head_config()}
        save_model(path, config, named, self.preprocessor, storage_dtype)

    def _on(self, encoder, preprocessor, frozen=()):
        model = type(self)(encoder, preprocessor, **self.head_config())
        values = weight_values(self.head_weights())
        for name, weight in model.head_weights().items():
            # A masked-LM head has a bias for each token: that of a new one is 0.
            missing = [(0, new - old) for new, old in zip(weight.shape, values[name].shape, strict=True)]
            values[name] = np.pad(values[name], missing)
        assign_weights(model.head_weights(), values)
        model.set_frozen(list(frozen))
        return model

    def get_config(self):
        preprocessor = self.preprocessor
        return {
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "preprocessor": None if preprocessor is None else keras.saving.serialize_keras_object(preprocessor),
            **self.head_config(),
            "frozen": self.frozen_layers(),
            "name": self.name,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        frozen = config.pop("frozen")
        for name in ("encoder", "preprocessor"):
            if config[name] is not None:
                config[name] = keras.saving.deserialize_keras_object(config[name], custom_objects)
        model = cls(**config)
        model.set_frozen(frozen)
        return model


def preset_parts(preset, load_weights: bool, sequence_length: int | None, dtype, encoder_overrides: dict) -> tuple:
    """Reads what a task model is built from.

    Args:
        preset: str or path.
        load_weights: bool.
        sequence_length: int or None. In the place of the preset's.
        dtype: str, `keras.DTypePolicy` or None.
        encoder_overrides: dict. Arguments of `BertEncoder` in the place of the preset's.

    Returns:
        Tuple of `BertEncoder`, `BertPreprocessor` or None, the preset's config and its weights or None.

    Raises:
        ValueError: no such preset, or parts that do not fit.
    """
    config, vocabulary, weights = read_preset(preset, load_weights)
    encoder = BertEncoder.of_preset_config(config, dtype=dtype, **encoder_overrides)
    length = {} if sequence_length is None else {"sequence_length": sequence_length}
    preprocessor = BertPreprocessor.from_parts(config, vocabulary, **length) if vocabulary is not None else None
    return encoder, preprocessor, config, weights
