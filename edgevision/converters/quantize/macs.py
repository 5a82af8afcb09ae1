"""Multiply-accumulates of each operation of a graph."""

from __future__ import annotations

import math

import numpy as np

from edgevision.converters.quantize.graph import Graph, Op


def macs(graph: Graph, op: Op) -> int:
    """Multiply-accumulates for one sample; of an operation kept as Keras has it, from the shapes of its weights."""
    return op.frames * _of_one(graph, op)


def _of_one(graph: Graph, op: Op) -> int:
    source = graph.ops[op.inputs[0]].shape if op.inputs else ()
    if op.kind == "MatMul":
        return math.prod(op.shape) * source[-1]
    if op.kind == "Kept":
        return _of_layer(op, source)
    if not op.has_kernel:
        return 0
    kernel = op.weights[0].shape
    if op.kind == "Conv2DTranspose":  # every input value meets every weight of its channel
        return math.prod(source) * math.prod(kernel[:3])
    if op.kind == "DepthwiseConv2D":
        return math.prod(op.shape) * math.prod(kernel[:2])
    return math.prod(op.shape) * math.prod(kernel[:-1])


def mac_shares(graph: Graph) -> dict[str, float]:
    """Share of the graph's multiply-accumulates per operation, 0..1."""
    counts = {op.name: macs(graph, op) for op in graph}
    total = sum(counts.values())
    return {name: count / total if total else 0.0 for name, count in counts.items()}


def _of_layer(op: Op, source: tuple[int, ...]) -> int:
    """A layer's kernels are used once per step (recurrent layers) or once per output position (all others)."""
    weights = getattr(op.config["operation"], "weights", ())
    kernels = [np.shape(item) for item in weights if "kernel" in item.path.rsplit("/", 1)[-1]]
    is_recurrent = any("recurrent" in item.path for item in weights)
    places = (source[0] if len(source) > 1 else 1) if is_recurrent else math.prod(op.shape[:-1])
    return int(places * sum(math.prod(shape) for shape in kernels))
