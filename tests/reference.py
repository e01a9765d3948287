"""BERT's forward pass in NumPy, from the papers, in float64 and one example at a time: slow, and easy to believe.

Devlin et al., 2018 (https://arxiv.org/abs/1810.04805); Vaswani et al., 2017 (https://arxiv.org/abs/1706.03762);
Hendrycks and Gimpel, 2016 (https://arxiv.org/abs/1606.08415) for GELU and its approximation.
"""

import math

import numpy as np

from keras_bert.presets.names import encoder_names

ACTIVATIONS = {
    "gelu": lambda x: x * (1 + np.vectorize(math.erf, otypes=[float])(x / math.sqrt(2))) / 2,
    "gelu_approximate": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


def bert(weights, inputs, num_heads, activation="gelu", epsilon=1e-12):
    """Runs every example alone: the positions of a row whose `padding_mask` is one value other than 0.

    There is no mask inside: an example never sees another, nor padding. Its places count from its own first.

    Args:
        weights: dict, arrays in Hugging Face's names and shapes without `bert.`.
        inputs: dict of `(B, T)` arrays: `token_ids`, `segment_ids`, `padding_mask`.
        num_heads: int.
        activation: str, a key of `ACTIVATIONS`.
        epsilon: float, of the norms.

    Returns:
        dict: `sequence_output (B, T, H)`, `pooled_output (B, H)`, `hidden_states`, a list of `(B, T, H)`, and
        `attention_scores`, a list of `(B, N, T, T)`; 0 where nothing is.
    """
    weights = {name: np.asarray(array, "float64") for name, array in weights.items()}
    token_ids, segment_ids, mask = (
        np.asarray(inputs[name]) for name in ("token_ids", "segment_ids", "padding_mask")
    )
    rows, length = token_ids.shape
    hidden_dim = len(weights["embeddings.LayerNorm.bias"])
    num_layers = sum(name.endswith("intermediate.dense.bias") for name in weights)
    states = [np.zeros((rows, length, hidden_dim)) for _ in range(num_layers + 1)]
    scores = [np.zeros((rows, num_heads, length, length)) for _ in range(num_layers)]
    for row in range(rows):
        for value in set(mask[row].tolist()) - {0}:
            places = np.flatnonzero(mask[row] == value)
            example = token_ids[row, places], places - places[0], segment_ids[row, places]
            inside = _one_example(weights, *example, num_heads, ACTIVATIONS[activation], epsilon, num_layers)
            for place, state in enumerate(inside[0]):
                states[place][row, places] = state
            for place, score in enumerate(inside[1]):
                scores[place][row, :, places[:, None], places] = score.transpose(1, 2, 0)
    pooled = np.tanh(_dense(weights, "pooler.dense", states[-1][:, 0]))
    outputs = {"sequence_output": states[-1], "pooled_output": pooled}
    return {**outputs, "hidden_states": states, "attention_scores": scores}


def _one_example(weights, tokens, positions, segments, num_heads, activation, epsilon, num_layers):
    hidden = (
        weights["embeddings.word_embeddings.weight"][tokens]
        + weights["embeddings.position_embeddings.weight"][positions]
        + weights["embeddings.token_type_embeddings.weight"][segments]
    )
    hidden = _norm(weights, "embeddings.LayerNorm", hidden, epsilon)
    states, scores = [hidden], []
    for i in range(num_layers):
        layer = f"encoder.layer.{i}"
        heads = {
            part: np.split(_dense(weights, f"{layer}.attention.self.{part}", hidden), num_heads, axis=1)
            for part in ("query", "key", "value")
        }
        attention = [_softmax(q @ k.T / math.sqrt(q.shape[1])) for q, k in zip(heads["query"], heads["key"])]
        mixed = np.concatenate([p @ v for p, v in zip(attention, heads["value"])], axis=1)
        attended = _dense(weights, f"{layer}.attention.output.dense", mixed)
        hidden = _norm(weights, f"{layer}.attention.output.LayerNorm", hidden + attended, epsilon)
        widened = activation(_dense(weights, f"{layer}.intermediate.dense", hidden))
        output = _dense(weights, f"{layer}.output.dense", widened)
        hidden = _norm(weights, f"{layer}.output.LayerNorm", hidden + output, epsilon)
        states.append(hidden)
        scores.append(np.stack(attention))
    return states, scores


def _dense(weights, name, x):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _norm(weights, name, x, epsilon):
    centred = x - x.mean(-1, keepdims=True)
    scale = weights[f"{name}.weight"] / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
    return centred * scale + weights[f"{name}.bias"]


def _softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def random_weights(sizes, seed=0, scale=0.1, norm=1.0):
    """Weights of an encoder's sizes that are far from their initial values; norms scale by about `norm`."""
    rng = np.random.default_rng(seed)
    return {
        name: (rng.normal(size=shape) * scale + norm * name.endswith("LayerNorm.weight")).astype("float32")
        for name, shape in encoder_names(sizes).items()
    }
