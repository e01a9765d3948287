"""The encoder of tasks that read some positions of a text, and not all."""

import keras
from keras import ops

from keras_bert.layers.masked_lm_head import MaskedLMHead


def hidden_at(encoder, inputs, positions, token_embeddings=None):
    """Wires an encoder's layers so that the last one computes some positions of each row only.

    Same numbers as `sequence_output` there, same weights. The other positions are keys and values of the last layer's
    attention and nothing else: with six layers and one position that leaves out a seventh of the arithmetic.

    Args:
        encoder: `BertEncoder`.
        inputs: dict of tensors, the encoder's, symbolic or not.
        positions: int tensor `(B, P)`.
        token_embeddings: float tensor `(B, T, H)`, optional. In the place of the token table's rows.

    Returns:
        Float tensor `(B * P, H)`, 0 at padding.
    """
    layout = encoder.layout_layer(inputs["padding_mask"])
    ids = inputs["token_ids"], inputs["segment_ids"]
    hidden = encoder.embeddings(*ids, layout, token_embeddings=token_embeddings)
    for block in encoder.blocks[:-1]:
        hidden = block(hidden, layout)
    return encoder.blocks[-1](hidden, layout, positions=positions)


def pooled_encoder(encoder) -> keras.Model:
    """Wires an encoder for `pooled_output` alone.

    Args:
        encoder: `BertEncoder`.

    Returns:
        `keras.Model` from the encoder's inputs to `pooled_output (B, H)`.
    """
    return keras.Model(encoder.input, encoder.pooler(_first(encoder)), name=f"{encoder.name}_pooled")


def first_encoder(encoder) -> keras.Model:
    """Wires an encoder for the first position of `sequence_output` alone: its pooler is no part of the model.

    Args:
        encoder: `BertEncoder`.

    Returns:
        `keras.Model` from the encoder's inputs to `(B, H)`.
    """
    return keras.Model(encoder.input, _first(encoder), name=f"{encoder.name}_first")


def sequence_encoder(encoder) -> keras.Model:
    """Wires an encoder for `sequence_output` alone: its pooler is no part of the model.

    Args:
        encoder: `BertEncoder`.

    Returns:
        `keras.Model` from the encoder's inputs to `sequence_output (B, T, H)`.
    """
    return keras.Model(encoder.input, encoder.output["sequence_output"], name=f"{encoder.name}_sequence")


def masked_lm_head(encoder) -> MaskedLMHead:
    """Makes the head that guesses masked tokens, with the encoder's own token table.

    Args:
        encoder: `BertEncoder`.

    Returns:
        `MaskedLMHead`.
    """
    return MaskedLMHead(
        encoder.embeddings.token_embedding,
        encoder.arguments["activation"],
        encoder.arguments["layer_norm_epsilon"],
        dtype=encoder.dtype_policy,
        name="masked_lm_head",
    )


def hidden_of_layer(encoder, inputs, layer: int):
    """Computes what one of an encoder's layers gives, and no layer above it.

    Args:
        encoder: `BertEncoder`.
        inputs: dict of int tensors `(B, T)`, the encoder's.
        layer: int, 0 for the embeddings, 1 for the first layer, ...

    Returns:
        Float tensor `(B, T, H)`, 0 at padding.
    """
    layout = encoder.layout_layer(inputs["padding_mask"])
    hidden = encoder.embeddings(inputs["token_ids"], inputs["segment_ids"], layout)
    for block in encoder.blocks[:layer]:
        hidden = block(hidden, layout)
    return encoder.padding(hidden, layout)


def _first(encoder):
    return hidden_at(encoder, encoder.input, ops.zeros_like(encoder.input["token_ids"][:, :1]))
