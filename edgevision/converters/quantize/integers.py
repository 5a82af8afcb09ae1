"""The quantised Keras model on whole numbers: what it answers without the roundings of float32.

On real values float32 rounds every partial sum, and every product in front of a rounding to the grid, at other places
than engines do, which add integers and multiply once. One value in ten thousand then falls on the other side of one
half, the next layer makes many of it, and thirty layers later Keras is as far from all engines as rounding is from
float, while those agree with each other. Whole numbers up to 2^24 are added exactly in any order. So operations get the
numbers that integer kernels get, and their result is multiplied once, by what XNNPACK and ONNX Runtime multiply it by:
input step times weight step by output step, in float32, to the nearest even number.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevision.converters.quantize.averages import AWAY
from edgevision.converters.quantize.fake_quant import PIXELS, STEPS, Range
from edgevision.converters.quantize.graph import Array, Graph, Op
from edgevision.converters.quantize.points import ON_GRID, rounded_by
from edgevision.converters.quantize.weights import channel_axes, lies_on_grid, to_grid

#: float32 holds every whole number up to here.
_EXACT = 2**24


@dataclass(frozen=True)
class Whole:
    """An operation on whole numbers.

    Attributes:
        op: With stored weights, where it has any, and its bias counted in the accumulator's steps.
        steps: Real value of 1 in each input.
        factor: Per channel, or one for all: what the result is multiplied by, float32. Of an addition one per input.
        grid: What the result is rounded to; None where it is not, and the factor brings real values back.
        offset: Added before that and taken off behind: pools multiply what is stored (``averages.AWAY``), -128..127.
    """

    op: Op
    steps: tuple[float, ...]
    factor: Array
    grid: Range | None
    offset: int = 0

    def counts(self, inputs: list[Any]) -> list[Any]:
        """Real values on their grids as whole numbers."""
        import keras

        found = [keras.ops.round(values / step) for values, step in zip(inputs, self.steps)]
        return [count * part for count, part in zip(found, self.factor)] if self.op.kind == "Add" else found

    def real(self, result: Any) -> Any:
        """What the operation made of ``counts`` as real values."""
        import keras

        values = result if self.op.kind == "Add" else (result + self.offset) * self.factor
        if self.grid is None:
            return values
        low, high = -self.grid.zero_point, STEPS - self.grid.zero_point
        return keras.ops.clip(keras.ops.round(values) - self.offset, low, high) * self.grid.scale


def plan(graph: Graph, ranges: Mapping[str, Range]) -> dict[str, Whole]:
    """What can be computed on whole numbers, by name.

    Args:
        graph: Operations; kernels on their grid.
        ranges: Grids that outputs are rounded to (``points.rounded_outputs``).
    """
    found: dict[str, Whole] = {}
    for op in graph:
        grids = [_grid(graph, ranges, name) for name in op.inputs]
        steps = tuple(_stored(grid) for grid in grids if grid is not None)
        if op.float_reason or not steps or len(steps) < len(grids):
            continue
        made = _whole(op, steps, ranges.get(rounded_by(graph, op)))
        if made is not None:
            found[op.name] = made
    return found


def _whole(op: Op, steps: tuple[float, ...], grid: Range | None) -> Whole | None:
    by = np.float32(1 if grid is None else _stored(grid))
    given = np.asarray(steps, np.float32)
    if op.has_kernel and lies_on_grid(op.weights[0], channel_axes(op)):
        return _kernel(op, steps, grid, by)
    if op.kind in ("MatMul", "Multiply"):
        return Whole(op, steps, np.asarray(given[0] * given[1] / by), grid)
    if op.kind == "Add" and grid is not None:
        return Whole(op, steps, np.asarray(given / by), grid)
    if op.kind == "GlobalAveragePooling2D":
        return Whole(op, steps, np.asarray(given[0] / by), grid)
    if op.kind == "AveragePooling2D" and grid is not None:
        return Whole(op, steps, np.asarray(AWAY, np.float32), grid, offset=grid.zero_point - 128)
    return None


def _kernel(op: Op, steps: tuple[float, ...], grid: Range | None, by: np.float32) -> Whole | None:
    stored, scale = to_grid(op.weights[0], channel_axes(op))
    scale = scale.ravel() * np.float32(steps[0])
    bias = np.asarray(op.weights[1], np.float64) / scale
    whole = np.rint(bias)
    if np.abs(whole).max() >= _EXACT or np.abs(whole - bias).max() > 0.1:
        return None  # not a bias in the accumulator's steps
    made = dataclasses.replace(op, weights=[stored.astype(np.float32), whole.astype(np.float32)])
    return Whole(made, steps, np.asarray(scale / by), grid)


def _stored(grid: Range) -> float:
    """A step as converters store it: out of both ends, which the model holds in float32."""
    return float(np.float32((float(np.float32(grid.high)) - float(np.float32(grid.low))) / STEPS))


def _grid(graph: Graph, ranges: Mapping[str, Range], name: str) -> Range | None:
    op = graph.ops[name]
    if name in ranges:
        return ranges[name]
    if op.kind == "Input":
        return PIXELS if op.dtype == "uint8" else None
    return _grid(graph, ranges, op.inputs[0]) if op.kind in ON_GRID else None
