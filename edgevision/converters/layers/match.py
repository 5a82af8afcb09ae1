"""Which tensor of a file holds the output of which operation.

By names it cannot be told: OpenVINO's are gone where it moved a transpose, TFLite joins those of what it fused. But the
grids of the quantised model go into every file as they are, and hardly two are alike. Where they are (a ReLU6 that is
used up to its end), what a tensor is computed from decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edgevision.converters.layers import Tensor
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph

#: Formats store the ends or the step of a grid in float32.
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Point:
    """An operation whose output lies on a grid of its own.

    Attributes:
        name: Of the operation.
        sources: Names of the nearest points before it, or of inputs; of an input its own.
        grid: Its grid.
        size: Number of values for one image.
    """

    name: str
    sources: frozenset[str]
    grid: Range
    size: int


def points_of(graph: Graph, ranges: dict[str, Range]) -> list[Point]:
    """The points of a quantised graph in order, inputs of pixels left out.

    Args:
        graph: The graph.
        ranges: Grids by operation, ``Quantized.ranges``.
    """
    reached: dict[str, frozenset[str]] = {}
    points: list[Point] = []
    for op in graph:
        before = frozenset[str]().union(*(reached[name] for name in op.inputs))
        is_point = op.name in ranges and op.dtype != "uint8"  # pixels come on their grid
        reached[op.name] = frozenset([op.name]) if is_point or op.kind == "Input" else before
        if is_point:
            points.append(
                Point(op.name, before or reached[op.name], ranges[op.name], op.frames * int(np.prod(op.shape)))
            )
    return points


def match(points: Sequence[Point], tensors: Iterable[Tensor]) -> dict[str, str]:
    """Name of the tensor for each point that has one.

    Args:
        points: In order.
        tensors: Of a file, in order.
    """
    free = {point.name: point for point in points}
    reached: dict[str, frozenset[str]] = {}
    found: dict[str, str] = {}
    for tensor in tensors:
        before = frozenset[str]().union(*(reached[name] for name in tensor.sources)) or frozenset([tensor.name])
        same = [point for point in free.values() if _is_alike(point, tensor)]
        same = [point for point in same if point.sources == before] or same[:1]
        reached[tensor.name] = before
        if same:
            del free[same[0].name]
            found[same[0].name] = tensor.name
            reached[tensor.name] = frozenset([same[0].name])
    return found


def _is_alike(point: Point, tensor: Tensor) -> bool:
    grid = tensor.grid
    if grid is None or tensor.size not in (None, point.size):
        return False
    return grid.zero_point == point.grid.zero_point and abs(grid.scale / point.grid.scale - 1) < _TOLERANCE
