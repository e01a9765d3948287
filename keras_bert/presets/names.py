"""The names and shapes of an encoder's tensors, and the check of weights against them."""

import numpy as np


def encoder_names(encoder: dict) -> dict[str, tuple[int, ...]]:
    """Returns the name and shape of every tensor of an encoder, as Hugging Face names them (without `bert.`).

    Args:
        encoder: dict, `BertEncoder`'s arguments.

    Returns:
        Dict from name to shape. The weights of dense layers are `(out, in)`.

    Example:
    >>> sizes = {"hidden_dim": 12, "intermediate_dim": 20, "num_layers": 2}
    >>> names = encoder_names({**sizes, "vocabulary_size": 11, "max_sequence_length": 7, "num_segments": 2})
    >>> names["encoder.layer.1.output.dense.weight"]
    (12, 20)
    """
    hidden, intermediate = encoder["hidden_dim"], encoder["intermediate_dim"]
    shapes = {
        "embeddings.word_embeddings.weight": (encoder["vocabulary_size"], hidden),
        "embeddings.position_embeddings.weight": (encoder["max_sequence_length"], hidden),
        "embeddings.token_type_embeddings.weight": (encoder["num_segments"], hidden),
        "embeddings.LayerNorm.weight": (hidden,),
        "embeddings.LayerNorm.bias": (hidden,),
    }
    for i in range(encoder["num_layers"]):
        block = f"encoder.layer.{i}"
        dense = {
            "attention.self.query": (hidden, hidden),
            "attention.self.key": (hidden, hidden),
            "attention.self.value": (hidden, hidden),
            "attention.output.dense": (hidden, hidden),
            "intermediate.dense": (intermediate, hidden),
            "output.dense": (hidden, intermediate),
        }
        for name, (rows, columns) in dense.items():
            shapes[f"{block}.{name}.weight"] = (rows, columns)
            shapes[f"{block}.{name}.bias"] = (rows,)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"{block}.{name}.weight"] = (hidden,)
            shapes[f"{block}.{name}.bias"] = (hidden,)
    shapes["pooler.dense.weight"] = (hidden, hidden)
    shapes["pooler.dense.bias"] = (hidden,)
    return shapes


def check_weights(
    expected: dict[str, tuple[int, ...]], weights: dict[str, np.ndarray], optional: tuple[str, ...] = ()
) -> tuple[list[str], list[str]]:
    """Checks that `weights` holds every expected tensor in its shape.

    Args:
        expected: dict from name to shape.
        weights: dict from name to array.
        optional: tuple of str. Expected names that start so may be missing.

    Returns:
        Two sorted lists of names: the optional ones that are missing, and those of `weights` that were not
        expected.

    Raises:
        ValueError: naming the tensors of another shape and those that are missing.

    Example:
    >>> expected, weights = {"a": (2,), "pooler.b": (3,)}, {"a": np.ones(2), "c": np.ones(4)}
    >>> check_weights(expected, weights, optional=("pooler.",))
    (['pooler.b'], ['c'])
    """
    missing = sorted(set(expected) - set(weights))
    missing_optional = [name for name in missing if name.startswith(tuple(optional))]
    missing = [name for name in missing if name not in missing_optional]
    wrong = [
        f"{name}: {tuple(weights[name].shape)} instead of {tuple(shape)}"
        for name, shape in expected.items()
        if name in weights and tuple(weights[name].shape) != tuple(shape)
    ]
    if wrong or missing:
        parts = []
        if wrong:
            parts.append(f"{len(wrong)} of another shape ({_some(wrong)})")
        if missing:
            parts.append(f"{len(missing)} missing ({_some(missing)})")
        raise ValueError(
            f"The weights must fit the configuration. Received tensors: {' and '.join(parts)}. "
            "Use the configuration that belongs to these weights, or load without weights "
            "(`load_weights=False`)."
        )
    return missing_optional, sorted(set(weights) - set(expected))


def _some(items, limit=10):
    return ", ".join(items[:limit]) + (f" and {len(items) - limit} more" if len(items) > limit else "")
