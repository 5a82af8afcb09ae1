"""What is concatenated on a grid of its own, for TFLite's converter.

Its concatenation takes parts on the grid of the whole. Where one comes on a finer grid the converter rounds it to the
coarser one as soon as it is written, so that whoever else reads it gets the coarser values too. Maps that somebody else
reads get a kernel of their own that does nothing but round: the converter drops any other operation.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from edgevision.converters.formats.exported import Source
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph, Op, depthwise
from edgevision.converters.quantize.points import value_grids


def with_parts(source: Source) -> Source:
    """The same model with those kernels; ``source`` itself where there are none."""
    if source.ranges is None:
        return source
    graph, grids = source.graph, value_grids(source.graph, source.ranges)
    ops, ranges = dict[str, Op](), dict(source.ranges)
    for op in graph:
        apart = {part: f"{op.name}_part_{part}" for part in op.inputs if _is_rounded_for(graph, op, part, grids)}
        for part, name in apart.items():
            ops[name] = _identity(name, graph.ops[part])
            ranges[name] = grids[op.name]
        ops[op.name] = dataclasses.replace(op, inputs=[apart.get(name, name) for name in op.inputs])
    if len(ops) == len(graph.ops):
        return source
    folder = source.folder / "parts"
    return Source(Graph(ops, graph.outputs), ranges, folder, source.logits, source.asked, source.batches)


def _is_rounded_for(graph: Graph, op: Op, part: str, grids: dict[str, Range]) -> bool:
    """Whether ``op`` joins a map that others read as well, on another grid."""
    if op.kind != "Concatenate" or not {op.name, part} <= grids.keys() or grids[part] == grids[op.name]:
        return False
    return graph.sole_consumer(part) is None and len(graph.ops[part].shape) == 3


def _identity(name: str, part: Op) -> Op:
    channels = part.shape[-1]
    weights = [np.ones((1, 1, channels, 1), np.float32), np.zeros(channels, np.float32)]
    return Op(name, "DepthwiseConv2D", [part.name], part.shape, depthwise(), weights, frames=part.frames)
