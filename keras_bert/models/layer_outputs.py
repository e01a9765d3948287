"""A look into the encoder: what every layer gives."""

import keras


class LayerOutputs(keras.Model):
    """An encoder's outputs with the hidden states and attention scores of every layer, on the encoder's weights.

    Not a functional graph: Keras 3.15 cannot wire a layer a second time with another number of outputs.

    Args:
        encoder: `BertEncoder`.

    Call arguments:
        inputs: dict of int tensors `(B, T)`, the encoder's.
        training: bool.

    Returns:
        dict: the encoder's outputs; `hidden_states`, list of `num_layers + 1` tensors `(B, T, H)` that begins with the
        embeddings; `attention_scores`, list of `num_layers` tensors `(B, N heads, T, T)`.
    """

    def __init__(self, encoder):
        super().__init__(name="layer_outputs", dtype=encoder.dtype_policy)
        self.encoder = encoder
        self.built = True

    def call(self, inputs, training=False):
        encoder = self.encoder
        layout = encoder.layout_layer(inputs["padding_mask"])
        hidden = encoder.embeddings(inputs["token_ids"], inputs["segment_ids"], layout, training=training)
        states, scores = [encoder.padding(hidden, layout)], []
        for block in encoder.blocks:
            hidden, score = block(hidden, layout, training=training, return_attention_scores=True)
            states.append(encoder.padding(hidden, layout))
            scores.append(score)
        return {
            "sequence_output": states[-1],
            "pooled_output": encoder.pooler(states[-1][:, 0]),
            "hidden_states": states,
            "attention_scores": scores,
        }


def hidden_states(encoder, inputs, training: bool, count: int | None = None) -> list:
    """Computes what an encoder's first layers put out, and no more.

    Args:
        encoder: `BertEncoder`.
        inputs: dict of int tensors `(B, T)`, the encoder's.
        training: bool.
        count: int, optional. How many layers; by default all.

    Returns:
        List of tensors `(B, T, H)`, 0 at padding.
    """
    layout = encoder.layout_layer(inputs["padding_mask"])
    hidden = encoder.embeddings(inputs["token_ids"], inputs["segment_ids"], layout, training=training)
    states = []
    for block in encoder.blocks[:count]:
        hidden = block(hidden, layout, training=training)
        states.append(encoder.padding(hidden, layout))
    return states
