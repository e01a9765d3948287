"""A look into the encoder: what every layer gives."""

import keras


def model_of_layers(encoder) -> keras.Model:
    """Builds a model on an encoder's weights that gives the hidden states and attention scores of every layer.

    Args:
        encoder: `BertEncoder`.

    Returns:
        `keras.Model`, as `BertEncoder.with_layer_outputs` describes it.
    """
    inputs = encoder.input
    layout = encoder.layout_layer(inputs["padding_mask"])
    hidden = encoder.embeddings(inputs["token_ids"], inputs["segment_ids"], layout)
    states, scores = [encoder.padding(hidden, layout)], []
    for block in encoder.blocks:
        hidden, score = block(hidden, layout, return_attention_scores=True)
        states.append(encoder.padding(hidden, layout))
        scores.append(score)
    outputs = {"sequence_output": states[-1], "pooled_output": encoder.pooler(states[-1][:, 0])}
    return keras.Model(inputs, {**outputs, "hidden_states": states, "attention_scores": scores})
