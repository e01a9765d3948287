"""Which operations a server knows."""

import functools
from importlib.resources import files

import tensorflow as tf


@functools.cache
def server_operations() -> frozenset[str]:
    """Lists the operations of the oldest server that exports are for: TF 2.12 with TF-Text 2.12.1.

    Every TF Serving from 2.12.0 to 2.19.1 embeds TF-Text 2.12.1.

    Returns:
        frozenset of str.
    """
    lines = files("keras_bert.serving").joinpath("operations_2_12.txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def unknown_operations(graph: tf.Graph) -> list[str]:
    """Finds what a graph holds that the oldest server does not know.

    Args:
        graph: `tf.Graph`, with its library of functions.

    Returns:
        Sorted list of str, empty for a graph that can be served.
    """
    definition = graph.as_graph_def()
    own = {function.signature.name for function in definition.library.function}
    nodes = list(definition.node) + [node for function in definition.library.function for node in function.node_def]
    return sorted({node.op for node in nodes} - server_operations() - own)
