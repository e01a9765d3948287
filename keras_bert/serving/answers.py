"""From a head's logits to what users read, in the graph."""

from collections.abc import Sequence

import tensorflow as tf


def label_scores(logits, task: str):
    """Turns a classifier's logits into probabilities, or a regression's into values.

    Args:
        logits: float tensor `(B, C)`.
        task: str. "single_label", "multi_label" or "regression".

    Returns:
        Float tensor `(B, C)`.
    """
    return {"single_label": tf.nn.softmax, "multi_label": tf.sigmoid, "regression": tf.identity}[task](logits)


def label_answers(logits, labels: Sequence[str], task: str) -> dict:
    """Turns a classifier's logits into named answers.

    Args:
        logits: float tensor `(B, C)`.
        labels: sequence of str, `C` names.
        task: str. "single_label", "multi_label" or "regression".

    Returns:
        dict: `label` string `(B,)`, `score` `(B,)`, `probabilities` `(B, C)`, `logits` `(B, C)`; for a regression
        `score` and `logits`. Of several labels `label` joins those above one half with "|".
    """
    if task == "regression":
        return {"score": logits[:, 0], "logits": logits}
    probabilities = label_scores(logits, task)
    names = tf.constant(labels)
    if task == "single_label":
        label = tf.gather(names, tf.argmax(logits, axis=1))
    else:
        chosen = tf.ragged.boolean_mask(tf.broadcast_to(names, tf.shape(probabilities)), probabilities > 0.5)
        label = tf.strings.reduce_join(chosen, axis=1, separator="|")
    return {
        "label": label,
        "score": tf.reduce_max(probabilities, axis=1),
        "probabilities": probabilities,
        "logits": logits,
    }
