"""Weights of a converted TFLite file on the very grids they were rounded to.

TFLite's converter stores the largest weight of every channel as 127. Where our grid is coarser (``weights.LIMITS``) it
would round a second time; from what it stored, the integers that were meant and their scale are put back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.pairs import by_output
from edgevision.converters.quantize.weights import LIMIT, to_grid

#: dtypes of biases by TFLite's number of their type.
_DTYPES: dict[int, type[np.signedinteger[Any]]] = {2: np.int32, 4: np.int64}


@dataclass(frozen=True)
class Grid:
    """A kernel as it was meant.

    Attributes:
        stored: int8, in TFLite's layout.
        scale: Per output channel.
        converted: The scales that the converter stores; 0 of channels that are zero.
    """

    stored: NDArray[np.int8]
    scale: NDArray[np.float32]
    converted: NDArray[np.float64]


#: Weights, bias (None: there is none to count anew) and the grid that they get.
Change = tuple[Any, Any, Grid]


def take_grids(model: Any, graph: Graph) -> None:
    """Edit the flatbuffer's object tree in place; a file without coarser grids stays as it is.

    Args:
        model: As ``flatbuffer_utils.read_model`` gives it.
        graph: What the file was converted from; kernels on their grids.
    """
    changes: list[Change] = []
    meant = _meant(graph)
    for inner in model.subgraphs if meant else ():
        for operator in inner.operators:
            weights = inner.tensors[operator.inputs[1]] if len(operator.inputs) > 1 else None
            data = None if weights is None else model.buffers[weights.buffer].data
            grids = () if data is None else meant.get(np.asarray(data, np.uint8).tobytes(), ())
            grid = next((each for each in grids if _is_near(each, weights)), None)
            if grid is not None:
                changes.append((weights, _bias(model, inner, operator), grid))
    shared = Counter(tensor.buffer for inner in model.subgraphs for tensor in inner.tensors)
    done: set[int] = set()
    for weights, bias, grid in changes:
        steps = grid.scale / np.asarray(weights.quantization.scale, np.float64)
        if id(weights) not in done:
            _put(model, weights, grid.stored, shared)
            weights.quantization.scale = list(grid.scale)
            done.add(id(weights))
            if bias is not None:
                _scale_bias(model, bias, steps, shared)


def _meant(graph: Graph) -> dict[bytes, list[Grid]]:
    """What the converter stores of kernels -> theirs: averages have equal weights, and scales of their own."""
    found: dict[bytes, list[Grid]] = {}
    for op in graph:
        if op.has_kernel:
            rows = by_output(op)
            stored, scale = to_grid(rows, (0,))
            largest = np.abs(stored).max(tuple(range(1, stored.ndim)), keepdims=True).astype(np.float64)
            if ((largest < LIMIT) & (largest > 0)).any():
                converted = np.rint(stored * (LIMIT / np.maximum(largest, 1))).astype(np.int8)
                grid = Grid(_layout(op.kind, stored), scale.ravel(), (scale * largest / LIMIT).ravel())
                found.setdefault(_layout(op.kind, converted).tobytes(), []).append(grid)
    return found


def _is_near(grid: Grid, weights: Any) -> bool:
    """Whether ``weights`` is what the converter made of a kernel with this grid, which values alone do not tell."""
    scale, given = weights.quantization.scale, grid.converted
    return len(scale) == len(given) and np.allclose(np.where(given > 0, scale, 0), given, rtol=1e-4, atol=0)


def _layout(kind: str, rows: NDArray[np.int8]) -> NDArray[np.int8]:
    """(outputs, inputs, *window) as TFLite stores it: (outputs, *window, inputs), or (1, *window, outputs)."""
    if kind == "DepthwiseConv2D":
        return np.ascontiguousarray(rows.transpose(1, 2, 3, 0))
    return np.ascontiguousarray(np.moveaxis(rows, 1, -1))


def _bias(model: Any, inner: Any, operator: Any) -> Any | None:
    """The tensor of a bias in whole numbers; None where there is none, or a float one beside float activations."""
    # A transposed convolution's first input is the shape of its output.
    place = 2 if model.buffers[inner.tensors[operator.inputs[0]].buffer].data is None else 3
    if len(operator.inputs) <= place or operator.inputs[place] < 0:
        return None
    bias = inner.tensors[operator.inputs[place]]
    return bias if bias.type in _DTYPES and model.buffers[bias.buffer].data is not None else None


def _scale_bias(model: Any, bias: Any, steps: NDArray[np.float64], shared: Counter[int]) -> None:
    """Count a bias in the new units, ``steps`` times the old ones, per channel."""
    dtype = _DTYPES[bias.type]
    counts = np.asarray(model.buffers[bias.buffer].data, np.uint8).view(dtype)
    _put(model, bias, np.rint(counts / steps).astype(dtype), shared)
    bias.quantization.scale = list(np.asarray(bias.quantization.scale, np.float64) * steps)


def _put(model: Any, tensor: Any, values: NDArray[Any], shared: Counter[int]) -> None:
    """Give a tensor other values, in a buffer of its own where equal tensors share one."""
    from tensorflow.lite.python.schema_py_generated import BufferT

    if shared[tensor.buffer] > 1:
        shared[tensor.buffer] -= 1
        tensor.buffer = len(model.buffers)
        model.buffers.append(BufferT())
    model.buffers[tensor.buffer].data = values.ravel().view(np.uint8)
