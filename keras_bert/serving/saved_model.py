"""Writing a SavedModel from strings to answers."""

import os

import tensorflow as tf

from keras_bert.serving.operations import read_graph, unknown_operations
from keras_bert.serving.signatures import Signature

_FILES = ("saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra", "model_card.json")


def is_of_saved_model(name: str) -> bool:
    """Tells whether a path in a directory is one of an export's, which a new export may replace.

    Args:
        name: str. Relative to the directory.

    Returns:
        bool.
    """
    return name.split("/")[0] in _FILES


def write_saved_model(directory: str | os.PathLike, signatures: dict[str, Signature], variables) -> dict:
    """Writes a SavedModel whose signatures take string tensors and give named answers.

    Args:
        directory: str or path. Empty.
        signatures: dict of name to `Signature`; clients that name none get "serving_default".
        variables: list of `tf.Variable`, all that the answers read.

    Returns:
        dict of name to the concrete function that was written.

    Raises:
        ValueError: the graph holds an operation that older servers do not know.
    """
    module = tf.Module()
    # What a SavedModel tracks it restores; the Python objects behind the functions stay here.
    module.variables_ = list(variables)
    functions = {name: signature.function().get_concrete_function() for name, signature in signatures.items()}
    tf.saved_model.save(module, os.fspath(directory), signatures=functions)
    unknown = unknown_operations(read_graph(directory))
    if unknown:
        raise ValueError(
            "An export must hold only operations that TF Serving knows since 2.12 (TF-Text 2.12.1). "
            f"Received: {', '.join(unknown)}. Rewrite what makes them, or serve from Python."
        )
    methods = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(os.fspath(directory))
    for name, signature in signatures.items():
        methods.replace_method_name(signature_key=name, method_name=f"tensorflow/serving/{signature.method}")
    methods.save()
    return functions
