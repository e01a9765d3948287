"""From a score for each choice to the answers that users read, in the graph."""

import tensorflow as tf


def choice_answers(logits, choices) -> dict:
    """Finds the best choice of each question.

    Args:
        logits: float tensor `(B, N)`.
        choices: string tensor `(B, N)`.

    Returns:
        dict: `choice` int32 `(B,)`, which one it is; `answer` string `(B,)`, its text; `probabilities` `(B, N)`.
    """
    best = tf.argmax(logits, axis=1, output_type=tf.int32)
    return {
        "choice": best,
        "answer": tf.gather(choices, best, batch_dims=1),
        "probabilities": tf.nn.softmax(logits),
    }
