"""What makes of a value all that is ever read of it: the error that its grid leaves is the error behind that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.graph import Graph, Op

Values = NDArray[np.floating[Any]]
Function = Callable[[Values], Values]


def sigmoid(values: Values) -> Values:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * values))


def gelu(values: Values) -> Values:
    """By its approximation with tanh, which is near enough to weigh errors (Hendrycks and Gimpel 2016)."""
    return np.asarray(0.5 * values * (1 + np.tanh(0.7978845608 * (values + 0.044715 * values**3))))


#: By Keras' names of activations.
FUNCTIONS: dict[str, Function] = {
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "hard_silu": lambda values: values * np.clip(values / 6 + 0.5, 0, 1),
    "gelu": gelu,
    "elu": lambda values: np.where(values > 0, values, np.expm1(np.minimum(values, 0))),
}


def function_behind(graph: Graph, name: str) -> Function | None:
    """The function through which ``name`` is read, if nothing reads it otherwise.

    Args:
        graph: Any graph.
        name: One of its operations.
    """
    readers = list(_readers(graph, name))
    kinds = {op.config.get("activation") if op.kind == "Activation" else op.kind for op in readers}
    if name in graph.outputs.values() or not readers:
        return None
    if len(kinds) == 1:
        return FUNCTIONS.get(str(kinds.pop()))
    if kinds == {"sigmoid", "Multiply"} and len(readers) == 2:  # swish, as its two halves
        gate, product = sorted(readers, key=lambda op: op.kind)
        if product.inputs in ([name, gate.name], [gate.name, name]):
            return lambda values: np.asarray(values * sigmoid(values))
    if kinds == {"DepthwiseConv2D", "Multiply"} and len(readers) == 2:  # hard swish, as a line, a cut and a product
        line, product = sorted(readers, key=lambda op: op.kind)
        cut = graph.sole_consumer(line.name)
        if cut is not None and cut.config.get("max_value") == 1.0 and product.inputs == [name, cut.name]:
            return FUNCTIONS["hard_silu"]
    return None


def _readers(graph: Graph, name: str) -> list[Op]:
    """The operations that compute with a value, seen through those that only move it."""
    found = []
    for op in graph.consumers(name):
        is_moving = op.kind in ("Reshape", "Moved") and op.name not in graph.outputs.values()
        found += _readers(graph, op.name) if is_moving else [op]
    return found
