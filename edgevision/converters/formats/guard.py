"""Keeps what shall be float in float where its neighbours are int8: changes of sign.

TFLite's converter and ONNX Runtime make int8 of whatever they find between two 8-bit values, float kernel or not, and
neither has an option that spares an operator. What neither quantises is a change of sign. So such an operation gets an
input negated and takes the sign back itself: the same values, and no 8-bit value beside it.
"""

from __future__ import annotations

import dataclasses

from edgevision.converters.formats.exported import Source
from edgevision.converters.quantize.builder import Slot
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.points import rounded_by, value_grids

_PRODUCTS = ("Multiply", "MatMul")


def guarded(source: Source) -> Source:
    """The same model with signs changed around what is in float; ``source`` itself where there is nothing to guard."""
    if source.ranges is None or not any(op.float_reason for op in source.graph):
        return source
    graph, grids = source.graph, value_grids(source.graph, source.ranges)
    ops: dict[str, Op] = {}
    ranges = dict(source.ranges)
    for op in graph:
        if op.float_reason and op.has_kernel and _is_between(graph, op, grids):
            sign = _negation(f"{op.name}_negated", op.inputs[0], graph)
            added = [sign, dataclasses.replace(op, inputs=[sign.name], weights=[-op.weights[0], *op.weights[1:]])]
        elif op.float_reason and op.kind in _PRODUCTS and _is_half_between(op, grids):
            sign = _negation(f"{op.name}_negated", op.inputs[0], graph)
            product = dataclasses.replace(op, name=f"{op.name}_product", inputs=[sign.name, *op.inputs[1:]])
            added = [sign, product, dataclasses.replace(_negation(op.name, op.name, graph), inputs=[product.name])]
        else:
            added = [op]
        ops |= {each.name: each for each in added}
    return Source(Graph(ops, graph.outputs), ranges, source.folder / "guarded", source.logits)


def _is_between(graph: Graph, op: Op, grids: dict[str, Range]) -> bool:
    return op.inputs[0] in grids and rounded_by(graph, op) in grids


def _is_half_between(op: Op, grids: dict[str, Range]) -> bool:
    """An operand is in 8 bits and the product is. TFLite rounds the other one too if it is a sigmoid's or softmax'."""
    return op.name in grids and 0 < sum(name in grids for name in op.inputs) < len(op.inputs)


def _negation(name: str, source: str, graph: Graph) -> Op:
    import keras

    config = {"operation": keras.ops.negative, "args": (Slot(0),), "kwargs": {}, "reason": ""}
    return Op(name, "Kept", [source], graph.ops[source].shape, config)
