"""Copies of an encoder in other sizes, on the same weights where both have them."""

import numbers
from collections.abc import Iterable, Sequence

import keras

from keras_bert.models.weights import assign_weights, encoder_weights, weight_values

_BLOCK = "encoder.layer."


class Resizing:
    """What `BertEncoder` can be made into; the encoder itself stays as it is."""

    def with_vocabulary_size(self, vocabulary_size: int):
        """Grows the token table, for added tokens.

        Args:
            vocabulary_size: int, at least today's.

        Returns:
            A new `BertEncoder` with the same weights; the new rows are random. Fewer rows are a `ValueError`.
        """
        size = self.arguments["vocabulary_size"]
        if vocabulary_size < size:
            raise ValueError(
                f"A token table can only grow. Received: vocabulary_size={vocabulary_size}, today's is {size}."
            )
        encoder = type(self).from_config({**self.get_config(), "vocabulary_size": vocabulary_size})
        weights = weight_values(encoder_weights(self))
        table = keras.ops.convert_to_numpy(encoder.embeddings.token_embedding.embeddings).copy()
        table[:size] = weights["embeddings.word_embeddings.weight"]
        assign_weights(encoder_weights(encoder), {**weights, "embeddings.word_embeddings.weight": table})
        return encoder

    def with_layers(self, layers: int | Sequence[int]):
        """Keeps some of the layers, embeddings and pooler: what a smaller model begins with.

        Args:
            layers: int or sequence of int. How many, at even distances, the last one among them; or which, counted
                from 0, in their new order; one may come twice.

        Returns:
            A new `BertEncoder` with the same weights.

        Raises:
            ValueError: no layers, or ones that there are not.

        Example:
        >>> encoder = BertEncoder(vocabulary_size=100, **keras_bert.SIZES["mini"])
        >>> len(encoder.with_layers([0, 3]).blocks)
        2

        Reference:
            Sanh et al., 2019 (https://arxiv.org/abs/1910.01108), section 3.
        """
        layers = chosen_layers(layers, len(self.blocks))
        encoder = type(self).from_config({**self.get_config(), "num_layers": len(layers)})
        weights = weight_values(encoder_weights(self))
        kept = {name: value for name, value in weights.items() if not name.startswith(_BLOCK)}
        for place, layer in enumerate(layers):
            old = f"{_BLOCK}{layer}."
            parts = {name.removeprefix(old): value for name, value in weights.items() if name.startswith(old)}
            kept |= {f"{_BLOCK}{place}.{part}": value for part, value in parts.items()}
        assign_weights(encoder_weights(encoder), kept)
        return encoder


def chosen_layers(layers: int | Sequence[int], count: int) -> list[int]:
    """Tells which layers are meant: 1, 3, 5 by three of six.

    Args:
        layers: int or sequence of int, as `with_layers` takes them.
        count: int. How many there are.

    Returns:
        List of int, counted from 0.

    Raises:
        ValueError: no layers, or ones that there are not.
    """
    received = layers
    if isinstance(layers, numbers.Integral):
        layers = [(place + 1) * count // layers - 1 for place in range(layers)] if layers <= count else []
    layers = list(layers) if isinstance(layers, Iterable) else []
    if not layers or not all(isinstance(layer, numbers.Integral) and 0 <= layer < count for layer in layers):
        raise ValueError(
            f"`layers` must be at most {count}, how many there are, or numbers from 0 to {count - 1}. "
            f"Received: {received!r}. Use {chosen_layers(max(1, count // 2), count)}, for example."
        )
    return layers
