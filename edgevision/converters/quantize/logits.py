"""How a classifier's logits leave the integer domain.

On an 8-bit grid they would lose more answers than all other activations together do: half of what a small classifier
answers otherwise. The last dense layer therefore multiplies in int8 and writes what its wide accumulator holds. ONNX
Runtime and OpenVINO have such a kernel; TFLite's writes 8 bits only, and runs several times, each time for another
window of the output range (``formats.tflite_logits``), as often as that costs next to nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from edgevision.converters.quantize.build import build_model, run
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.macs import macs
from edgevision.converters.quantize.observe import Batches, Observer
from edgevision.converters.quantize.points import logits_point
from edgevision.converters.quantize.scoring import Values, logits_range
from edgevision.runtime.manifest import Scores

#: Windows at most: 8 make 2,040 steps of 255. More was not better.
_MOST = 8
#: Share of the model's multiply-accumulates that windows may add.
_COST = 0.05
#: Logits may go beyond what calibration images showed by this share of their span, for each window. Where there are
#: many, coarser steps cost less than the image in twenty that saturated (a single logit, two dozen images).
_MARGIN = 0.04
#: Values that an 8-bit grid is chosen by, at most (16 MB).
_VALUES = 4 * 2**20


@dataclass(frozen=True)
class Logits:
    """The operation whose output has no grid in the quantised graph.

    Attributes:
        name: Of the last dense layer.
        grid: For a format whose kernels must write 8 bits: all windows together as one 8-bit grid.
        windows: Into how many that format divides ``grid``, 255 steps each.
    """

    name: str
    grid: Range
    windows: int


def wide_logits(graph: Graph, seen: Observer, batches: Batches, scores: Scores) -> Logits | None:
    """None where nothing but an 8-bit grid will do: the last kernel is no dense layer of one vector per image.

    Args:
        graph: Float graph with a ``points.logits_point``.
        seen: What was seen of it.
        batches: Calibration images.
        scores: What the graph's outputs are.
    """
    last = graph.ops[logits_point(graph) or graph.output]
    if last.kind != "Dense" or len(last.shape) != 1:
        return None
    windows = min(_MOST, 1 + math.floor(_COST * sum(_macs(graph, op) for op in graph) / _macs(graph, last)))
    if windows == 1:
        return Logits(last.name, narrow_logits(graph, batches, scores), 1)
    margin = _MARGIN * windows * (seen.high - seen.low)
    return Logits(last.name, Range.covering(seen.low - margin, seen.high + margin), windows)


def moved_logits(logits: Logits, values: Values, scores: Scores) -> Logits:
    """The same after training, which may have moved the logits beyond the grid.

    Args:
        logits: As they were.
        values: Logits of the trained model, float32 (images, values).
        scores: What the graph's outputs are.
    """
    if logits.windows == 1:
        grid = logits_range(values, scores)
        return replace(logits, grid=Range.covering(grid.low, max(grid.high, logits.grid.high)))
    low, high = float(values.min()), float(values.max())
    margin = _MARGIN * logits.windows * (high - low)
    low, high = min(low - margin, logits.grid.low), max(high + margin, logits.grid.high)
    return replace(logits, grid=Range.covering(low, high))


def narrow_logits(graph: Graph, batches: Batches, scores: Scores) -> Range:
    """The best 8-bit grid, by the float model's logits on the first of the images."""
    name = logits_point(graph) or graph.output
    model, found, size = build_model(graph, outputs=[name]), list[Values](), 0
    for batch in batches():
        found.append(np.asarray(run(model, batch)[name]))
        size += found[-1].size
        if size > _VALUES:
            break
    return logits_range(np.concatenate(found), scores)


def _macs(graph: Graph, op: Op) -> int:
    """Multiply-accumulates of a kernel for one sample; of products of two activations none, to be on the safe side."""
    return macs(graph, op) if op.has_kernel else 0
