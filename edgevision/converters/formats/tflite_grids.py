"""Weights of a converted TFLite file on the very grids they were rounded to.

TFLite's converter stores the largest weight of every channel as 127. Where our grid is coarser (``weights.LIMITS``) it
would round a second time; from what it stored, the integers that were meant and their scale are put back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.pairs import by_output
from edgevision.converters.quantize.weights import LIMIT, to_grid


def take_grids(model: Any, graph: Graph) -> None:
    """Edit the flatbuffer's object tree in place; a file without coarser grids stays as it is.

    Args:
        model: As ``flatbuffer_utils.read_model`` gives it.
        graph: What the file was converted from; kernels on their grids.
    """
    meant = _meant(graph)
    done: set[int] = set()
    for inner in model.subgraphs if meant else ():
        for operator in inner.operators:
            weights = inner.tensors[operator.inputs[1]] if len(operator.inputs) > 1 else None
            data = None if weights is None else model.buffers[weights.buffer].data
            grid = None if data is None else meant.get(np.asarray(data, np.uint8).tobytes())
            if weights is None or grid is None or weights.buffer in done:
                continue
            done.add(weights.buffer)
            stored, scale = grid
            steps = scale / np.asarray(weights.quantization.scale, np.float64)
            model.buffers[weights.buffer].data = stored.ravel().view(np.uint8)
            weights.quantization.scale = list(scale)
            _scale_bias(model, inner, operator, steps)


def _meant(graph: Graph) -> dict[bytes, tuple[NDArray[np.int8], NDArray[np.float32]]]:
    """What the converter stores of a kernel -> its stored values in TFLite's layout and scale per channel."""
    found = {}
    for op in graph:
        if op.has_kernel:
            rows = by_output(op)
            stored, scale = to_grid(rows, (0,))
            largest = np.abs(stored).max(tuple(range(1, stored.ndim)), keepdims=True).astype(np.float64)
            if ((largest < LIMIT) & (largest > 0)).any():
                converted = np.rint(stored * (LIMIT / np.maximum(largest, 1))).astype(np.int8)
                found[_layout(op.kind, converted).tobytes()] = (_layout(op.kind, stored), scale.ravel())
    return found


def _layout(kind: str, rows: NDArray[np.int8]) -> NDArray[np.int8]:
    """(outputs, inputs, *window) as TFLite stores it: (outputs, *window, inputs), or (1, *window, outputs)."""
    if kind == "DepthwiseConv2D":
        return np.ascontiguousarray(rows.transpose(1, 2, 3, 0))
    return np.ascontiguousarray(np.moveaxis(rows, 1, -1))


def _scale_bias(model: Any, inner: Any, operator: Any, steps: NDArray[np.float64]) -> None:
    """Count a bias in the new units, ``steps`` times the old ones, per channel."""
    # A transposed convolution's first input is the shape of its output.
    place = 2 if model.buffers[inner.tensors[operator.inputs[0]].buffer].data is None else 3
    if len(operator.inputs) <= place or operator.inputs[place] < 0:
        return
    bias = inner.tensors[operator.inputs[place]]
    dtype = {2: np.int32, 4: np.int64}.get(bias.type)
    data = model.buffers[bias.buffer].data
    if dtype is None or data is None:
        return  # float, beside float activations
    counts = np.asarray(data, np.uint8).view(dtype)
    model.buffers[bias.buffer].data = np.rint(counts / steps).astype(dtype).view(np.uint8)
    bias.quantization.scale = list(np.asarray(bias.quantization.scale, np.float64) * steps)
