"""What an export can be asked: inputs by name, each a batch, and how its answers are named."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf


class Signature(NamedTuple):
    """One way to ask an export.

    Args:
        answer: callable of tensors, one for each input; gives a dict of tensors `(B, ...)`.
        inputs: sequence of str, the names of string inputs `(B,)`; or specs, of inputs of other shapes.
        method: str, default "predict". The request of TF Serving that asks it; also "classify" or "regress".
    """

    answer: Callable
    inputs: Sequence[str | tf.TensorSpec]
    method: str = "predict"

    @property
    def specs(self) -> list[tf.TensorSpec]:
        """The specs of the inputs."""
        return [
            each if isinstance(each, tf.TensorSpec) else tf.TensorSpec([None], tf.string, name=each)
            for each in self.inputs
        ]

    def function(self) -> tf.function:
        """Makes the function that is exported: it refuses what is no batch, and batches of unequal size, by name."""
        specs = self.specs

        def serve(*tensors):
            # Servers hand over tensors of any rank, whatever the signature says.
            tensors = [tf.ensure_shape(x, spec.shape) for x, spec in zip(tensors, specs, strict=True)]
            return self.answer(*_of_equal_size(tensors, specs))

        return tf.function(serve, input_signature=specs, autograph=False)


def example_signatures(serving: tf.function, names: Sequence[str], labels: Sequence[str], task: str) -> dict:
    """Makes the signature of TF Serving's own request for a classifier: classify, or regress.

    Args:
        serving: `tf.function` of string tensors `(B,)`, what `serving_default` is.
        names: sequence of str. Its inputs: features of the `tf.train.Example`s.
        labels: sequence of str, `C` names.
        task: str. "single_label", "multi_label" or "regression".

    Returns:
        dict of `Signature`, whose input `inputs` `(B,)` is serialized examples: `classify` to `classes` and `scores`,
        both `(B, C)`; or `regress` to `outputs` `(B,)`.

    Reference:
        TF Serving, `g3doc/signature_defs.md`.
    """
    features = {name: tf.io.FixedLenFeature([], tf.string) for name in names}

    def ask(examples):
        parsed = tf.io.parse_example(examples, features)
        return serving(*(parsed[name] for name in names))

    def classify(examples):
        scores = ask(examples)["probabilities"]
        return {"classes": tf.broadcast_to(tf.constant(labels), tf.shape(scores)), "scores": scores}

    def regress(examples):
        return {"outputs": ask(examples)["score"]}

    if task == "regression":
        return {"regress": Signature(regress, ("inputs",), "regress")}
    return {"classify": Signature(classify, ("inputs",), "classify")}


def _of_equal_size(tensors, specs):
    if len(tensors) == 1:
        return tensors
    sizes = [tf.shape(x)[0] for x in tensors]
    names = " and ".join(f"`{spec.name}`" for spec in specs)
    message = f"{names} must have as many rows. Received:"
    fits = tf.debugging.Assert(tf.reduce_all(tf.equal(sizes[0], sizes[1:])), [message, *sizes])
    with tf.control_dependencies([fits]):
        return [tf.identity(x) for x in tensors]
