"""What in the TensorFlow graph of a SavedModel does more than compute, found before the graph is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgevision.converters.files.graph_ops import COMPUTING, SAVING
from edgevision.runtime.errors import ModelError, UnsafeModelError

_SHOWN = 5


def check_graph(path: Path, content: bytes, trust: bool) -> None:
    """Refuse a graph with operations that do more than compute, wherever in it they are.

    Args:
        path: The SavedModel directory, for messages.
        content: Its saved_model.pb.
        trust: Allow any operation.

    Raises:
        UnsafeModelError: There is such an operation, and ``trust`` is not given.
        ModelError: It is damaged, or was written by TensorFlow 1.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel()
    try:
        saved.ParseFromString(content)
    except DecodeError as error:
        raise ModelError(f"saved_model.pb in {path} is damaged", got=str(error), cure="copy it again") from error
    # Only such a one is loaded object by object; of others whole graphs with their initialisers would be run.
    if len(saved.meta_graphs) != 1 or not saved.meta_graphs[0].HasField("object_graph_def"):
        raise ModelError(
            f"{path} cannot be read",
            expected="one graph with its objects, as TensorFlow 2 writes it",
            got=f"{len(saved.meta_graphs)}, or without objects, as TensorFlow 1 writes it",
            cure="load it in TensorFlow 2 and write it with tf.saved_model.save(...)",
        )
    found = dict.fromkeys(_more_than_computing(saved.meta_graphs[0]))
    if found and not trust:
        more = ", ..." if len(found) > _SHOWN else ""
        raise UnsafeModelError(
            f"the graph of {path.name} does more than compute",
            expected="operations without files, networks and foreign code",
            got=", ".join(list(found)[:_SHOWN]) + more,
            cure="if you trust where the file came from, give --trust (trust=True)",
        )


def _more_than_computing(graph: Any) -> Iterator[str]:
    """Names of operations that are not allowed, in the graph and in all its functions."""
    from tensorflow.python.framework import op_def_registry

    nodes, functions = graph.graph_def.node, graph.graph_def.library.function
    savers = _savers(graph)
    known = {function.signature.name for function in functions}
    # A function that bears an operation's name could take its place, or seem to.
    yield from (name for name in known if name in SAVING or op_def_registry.get(name) is not None)
    # Only the node that is there for saving may call a function that saves.
    for node in nodes:
        if node.name not in savers:
            yield from _of_node(node, known, savers)
    for function in functions:
        is_saver = function.signature.name in savers.values()
        for node in function.node_def:
            if not (is_saver and node.op in SAVING):
                yield from _of_node(node, known, savers)
    # Nor may an object have one for a method, however it names it.
    objects = graph.object_graph_def.SerializeToString()
    yield from (f"a call of {name}" for name in savers.values() if name.encode() in objects)


def _of_node(node: Any, known: set[str], savers: dict[str, str]) -> Iterator[str]:
    if node.op not in COMPUTING and node.op not in known:
        yield node.op
    called = {node.op} | {name for value in node.attr.values() for name in _functions(value)}
    yield from (f"a call of {name}" for name in called & set(savers.values()))


def _functions(value: Any) -> Iterator[str]:
    """Names of the functions in an attribute, such as what a loop repeats."""
    for function in (value.func, *value.list.func):
        if function.name:
            yield function.name
        for inner in function.attr.values():
            yield from _functions(inner)


def _savers(graph: Any) -> dict[str, str]:
    """The graph's nodes that save and restore variables -> the functions that they call."""
    saver = graph.saver_def
    names = {saver.save_tensor_name.split(":")[0], saver.restore_op_name}
    return {
        node.name: node.attr["f"].func.name
        for node in graph.graph_def.node
        if node.name in names and node.op == "StatefulPartitionedCall"
    }
