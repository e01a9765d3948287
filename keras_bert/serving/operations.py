"""Which operations a server knows."""

import functools
import os
import pathlib
from importlib.resources import files

from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import saved_model_pb2

# TF Serving from 2.12.0 to 2.19.1 embeds TF-Text 2.12.1, and 2.20.0 TF-Text 2.20.0.
SERVERS = ("2.12", "2.20")
# Servers pass over attributes that they do not know (seen in 2.12.1): what they mean is lost. This one means nothing.
_MEANINGLESS = {"VarHandleOp.debug_name"}


@functools.cache
def server_operations(server: str = "2.12") -> dict[str, frozenset[str]]:
    """Lists the operations of a server, each with its attributes.

    Args:
        server: str, default "2.12": TensorFlow 2.12 with TF-Text 2.12.1, the oldest that exports are for; or "2.20".

    Returns:
        dict of name to a frozenset of str.
    """
    name = f"operations_{server.replace('.', '_')}.txt"
    lines = files("keras_bert.serving").joinpath(name).read_text("utf-8").splitlines()
    rows = (line.split() for line in lines if line and not line.startswith("#"))
    return {operation: frozenset(attributes) for operation, *attributes in rows}


def read_graph(directory: str | os.PathLike) -> graph_pb2.GraphDef:
    """Reads the graph of a SavedModel, with its functions."""
    saved_model = saved_model_pb2.SavedModel.FromString(pathlib.Path(directory, "saved_model.pb").read_bytes())
    return saved_model.meta_graphs[0].graph_def


def unknown_operations(graph: graph_pb2.GraphDef, server: str = "2.12") -> list[str]:
    """Finds what a graph holds that a server does not know.

    Args:
        graph: GraphDef of a SavedModel, which names no attribute that has its default.
        server: str, default "2.12". See `server_operations`.

    Returns:
        Sorted list of str, operations, and attributes as "operation.attribute"; empty for a graph that can be served.
    """
    known = server_operations(server)
    own = {function.signature.name for function in graph.library.function}
    nodes = list(graph.node) + [node for function in graph.library.function for node in function.node_def]
    unknown = {node.op for node in nodes} - set(known) - own
    for node in nodes:
        # Names that begin with an underscore are notes, which every server passes over.
        attributes = {name for name in node.attr if not name.startswith("_")}
        unknown |= {f"{node.op}.{name}" for name in attributes - known.get(node.op, attributes)}
    return sorted(unknown - _MEANINGLESS)
