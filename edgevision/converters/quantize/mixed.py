"""Some operations of the quantised model back in float, the rest in int8.

What goes to float goes in units: a kernel with the activation behind it (fused into it, or computed from its output
alone, as a swish is), or one operation without weights. Kernels of such a unit are the exact ones. Its inputs come as
8-bit values wherever an integer kernel writes them, and its output is rounded only where an integer kernel reads it. So
a grid that does harm is got rid of by taking all that meet at it to float, writer and readers (``groups``).

16-bit activations are no third choice between 8 bits and float. Of the three engines only ONNX Runtime takes them layer
by layer, and on processors it computes such a convolution in float between conversions: four of 64 channels at 56x56
took 1.27 times as long as in float, 8 bits 0.28 times (1.31, one thread, in turns). Slower and less exact than float.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.points import (
    has_form,
    integer_readers,
    is_float_tail,
    rounded_outputs,
    value_grids,
    writes_grid,
)
from edgevision.converters.quantize.quantize import Quantized

#: Computed from the output of a unit alone they belong to it.
_ELEMENTWISE = ("ReLU", "LeakyReLU", "Activation", "Multiply", "Add")

#: Name of a unit (its first operation) -> all its operations.
Units = dict[str, tuple[str, ...]]


def units(graph: Graph) -> Units:
    """What can go to float, each operation that computes in exactly one unit."""
    owner: dict[str, str] = {}
    for op in graph:
        if not has_form(op) or is_float_tail(graph, op):
            continue
        owners = {owner.get(name) for name in op.inputs}
        joins = op.kind in _ELEMENTWISE and op.config.get("activation") != "softmax" and len(owners) == 1
        before = owners.pop() if joins else None
        owner[op.name] = before or op.name
    return {head: tuple(name for name in owner if owner[name] == head) for head in dict.fromkeys(owner.values())}


def groups(graph: Graph) -> Iterator[frozenset[str]]:
    """For every 8-bit grid, the units that have to be in float for it to go: who writes it and who reads it."""
    owner = {name: head for head, names in units(graph).items() for name in names}
    for op in graph:
        if op.kind != "Input" and writes_grid(graph, op):
            meeting = [op.name, *(reader.name for reader in integer_readers(graph, op.name))]
            yield frozenset(owner[name] for name in meeting if name in owner)


def mix(quantized: Quantized, reverted: Mapping[str, str]) -> Quantized:
    """The quantised model with some units in float.

    Args:
        quantized: With every unit in int8.
        reverted: Name of the unit -> the reason, for people.
    """
    parts = units(quantized.graph)
    reasons = {name: reason for head, reason in reverted.items() for name in parts[head]}
    exact = quantized.exact
    graph = Graph(
        {
            op.name: dataclasses.replace(exact.ops[op.name], float_reason=reasons[op.name])
            if op.name in reasons
            else op
            for op in quantized.graph
        },
        quantized.graph.outputs,
    )
    ranges = rounded_outputs(graph, value_grids(graph, quantized.ranges))
    logits = quantized.logits
    if logits is not None and logits.name in reasons:
        logits = None
    return dataclasses.replace(quantized, graph=graph, ranges=ranges, logits=logits, int8_graph=quantized.graph)


def effective(quantized: Quantized, heads: Iterable[str]) -> frozenset[str]:
    """Of some units, those that float makes a difference to when all of them are in float.

    An operation without weights between 8-bit values computes the same in float, and an engine may do it in integers.
    """
    asked = frozenset(heads)
    graph = mix(quantized, dict.fromkeys(asked, "asked")).graph
    grids = value_grids(graph, quantized.ranges)
    parts = units(quantized.graph)

    def matters(name: str) -> bool:
        op = graph.ops[name]
        return op.has_kernel or name not in grids or any(source not in grids for source in op.inputs)

    return frozenset(head for head in asked if any(matters(name) for name in parts[head]))
