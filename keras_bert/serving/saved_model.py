"""Writing a SavedModel from strings to answers."""

import os
from collections.abc import Callable, Sequence

import tensorflow as tf

from keras_bert.serving.operations import unknown_operations


def is_of_saved_model(name: str) -> bool:
    """Tells whether a path in a directory is one of a SavedModel's, which a new export may replace.

    Args:
        name: str. Relative to the directory.

    Returns:
        bool.
    """
    return name.split("/")[0] in ("saved_model.pb", "fingerprint.pb", "variables", "assets")


def write_saved_model(
    directory: str | os.PathLike, answer: Callable, inputs: Sequence[str | tf.TensorSpec], variables
) -> None:
    """Writes a SavedModel whose `serving_default` takes string tensors and gives named answers.

    Args:
        directory: str or path. Empty.
        answer: callable of string tensors, one for each input; gives a dict of tensors `(B, ...)`.
        inputs: sequence of str, the names of inputs `(B,)`; or specs, of inputs of other shapes.
        variables: list of `tf.Variable`, all that `answer` reads.

    Raises:
        ValueError: the graph holds an operation that older servers do not know.
    """
    module = tf.Module()
    # What a SavedModel tracks it restores; the Python objects behind the function stay here.
    module.variables_ = list(variables)
    signature = [
        each if isinstance(each, tf.TensorSpec) else tf.TensorSpec([None], tf.string, name=each) for each in inputs
    ]
    module.serve = tf.function(lambda *texts: answer(*texts), input_signature=signature, autograph=False)
    concrete = module.serve.get_concrete_function()
    unknown = unknown_operations(concrete.graph)
    if unknown:
        raise ValueError(
            "An export must hold only operations that TF Serving knows since 2.12 (TF-Text 2.12.1). "
            f"Received: {', '.join(unknown)}. Rewrite what makes them, or serve from Python."
        )
    tf.saved_model.save(module, os.fspath(directory), signatures={"serving_default": concrete})
