"""What is concatenated on a grid of its own, for TFLite's converter.

Its concatenation takes parts on the grid of the whole. Where one comes on a finer grid the converter rounds it to the
coarser one as soon as it is written, so that whoever else reads it gets the coarser values too. Maps that somebody else
reads get a kernel of their own that does nothing but round: the converter drops any other operation.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from edgevision.converters.formats.exported import Source
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.points import value_grids


def with_parts(source: Source) -> Source:
    """The same model with those kernels; ``source`` itself where there are none."""
    if source.ranges is None:
        return source
    graph, grids = source.graph, value_grids(source.graph, source.ranges)
    ops, ranges = dict[str, Op](), dict(source.ranges)
    for op in graph:
        inputs = list(op.inputs)
        for place, part in enumerate(op.inputs if op.kind == "Concatenate" and op.name in grids else ()):
            is_read_by_others = graph.sole_consumer(part) is None
            if (
                part in grids
                and grids[part] != grids[op.name]
                and is_read_by_others
                and len(graph.ops[part].shape) == 3
            ):
                inputs[place] = name = f"{op.name}_part_{place}"
                ops[name] = _identity(name, graph.ops[part])
                ranges[name] = grids[op.name]
        ops[op.name] = dataclasses.replace(op, inputs=inputs)
    if len(ops) == len(list(graph)):
        return source
    folder = source.folder / "parts"
    return Source(Graph(ops, graph.outputs), ranges, folder, source.logits, source.asked, source.batches)


def _identity(name: str, part: Op) -> Op:
    channels = part.shape[-1]
    weights = [np.ones((1, 1, channels, 1), np.float32), np.zeros(channels, np.float32)]
    config = {"kernel_size": (1, 1), "strides": (1, 1), "padding": "valid", "dilation_rate": 1, "depth_multiplier": 1}
    return Op(name, "DepthwiseConv2D", [part.name], part.shape, config, weights, frames=part.frames)
