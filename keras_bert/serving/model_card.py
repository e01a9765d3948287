"""What an operator wants to know of an export without reading Python."""

import hashlib
import json
import pathlib

import keras
import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert import __version__

CARD = "model_card.json"


def write_model_card(
    directory: pathlib.Path, functions: dict, example: dict, weights: dict, description: dict
) -> None:
    """Writes `model_card.json`: what the model is, what made it, how it is asked, and what it should answer.

    Args:
        directory: path of the export.
        functions: dict of signature name to concrete function.
        example: dict. What `serving_default` is asked, `inputs`, and what it answers, `outputs`: dicts of name to
            array.
        weights: dict of name to array. Their checksum is written.
        description: dict. What the task says of itself: labels, metrics and the like.
    """
    card = {
        "format_version": 1,
        **description,
        "weights_sha256": weights_sha256(weights),
        "made_by": {
            "keras_bert": __version__,
            "tensorflow": tf.__version__,
            "tensorflow_text": tf_text.__version__,
            "keras": keras.__version__,
        },
        "signatures": {name: _described(function) for name, function in functions.items()},
        "examples": [{"signature": "serving_default", **_plain(example)}],
    }
    content = json.dumps(card, ensure_ascii=False, indent=1)
    (directory / CARD).write_text(content + "\n", encoding="utf-8")


def weights_sha256(weights: dict) -> str:
    """Gives the checksum of weights: of names, shapes and values, in the order of the names."""
    checksum = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        checksum.update(f"{name} {array.dtype} {array.shape}".encode())
        checksum.update(array.view("uint8").data)  # bfloat16 gives no buffer of its own
    return checksum.hexdigest()


def differences(answers: dict, others: dict) -> dict:
    """Tells how far two models' answers to the same are from each other.

    Args:
        answers: dict of output name to tensor.
        others: dict, the same of another model.

    Returns:
        dict: `scores`, the largest difference of numbers; `texts`, the share of texts that are not equal.
    """
    scores, texts = [0.0], []
    for name, ours in answers.items():
        theirs = others[name]
        if ours.shape != theirs.shape:  # so many entities, for example
            texts.append(1.0)
        elif ours.dtype == tf.string:
            texts.append(float(tf.reduce_mean(tf.cast(ours != theirs, tf.float64))) if tf.size(ours) else 0.0)
        else:
            apart = tf.abs(tf.cast(ours, tf.float64) - tf.cast(theirs, tf.float64))
            scores.append(float(tf.reduce_max(apart)) if tf.size(apart) else 0.0)
    return {"scores": max(scores), "texts": max(texts, default=0.0)}


def asked_example(function, examples: dict) -> dict:
    """Asks an export's function its examples.

    Args:
        function: concrete function of string tensors, `serving_default`.
        examples: dict of input name to texts.

    Returns:
        dict of `inputs` and `outputs`, dicts of name to texts and to array.
    """
    names = function.structured_input_signature[1] or {x.name: x for x in function.structured_input_signature[0]}
    asked = {name: examples[name] for name in names}
    answered = function(*(tf.constant(texts) for texts in asked.values()))
    return {"inputs": asked, "outputs": {name: x.numpy() for name, x in answered.items()}}


def plain(values):
    """Turns the strings of nested lists into text; bytes that are no UTF-8 become U+FFFD."""
    if isinstance(values, list):
        return [plain(value) for value in values]
    return values.decode("utf-8", "replace") if isinstance(values, bytes) else values


def _plain(value):
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return plain(value.tolist()) if isinstance(value, np.ndarray) else value


def _described(function):
    args, kwargs = function.structured_input_signature
    specs = kwargs or {spec.name: spec for spec in args}
    sides = {"inputs": specs, "outputs": function.structured_outputs}
    return {
        side: {
            name: {"dtype": part.dtype.name, "shape": [-1 if size is None else size for size in part.shape]}
            for name, part in parts.items()
        }
        for side, parts in sides.items()
    }
