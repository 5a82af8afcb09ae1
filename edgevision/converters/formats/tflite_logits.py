"""Logits finer than 8 bits in TFLite (why: ``quantize.logits``).

TFLite's int8 dense kernel writes 8 bits. So the last dense layer runs several times with the same int8 weights, each
time for another window of its output range: a kernel saturates at both ends of its window, and the sum of all saturated
windows is the value itself. The bias moves the window. The weights are stored once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.formats.tflite_graph import TFLiteGraph

#: Steps of one window: -128 is its lower end, 127 its upper.
_STEPS = 255
_MOST = 2**31 - 1


def widen_logits(model: Any, windows: int) -> bool:
    """Replace the dense layer in front of the last DEQUANTIZE, in place; whether there was one.

    Args:
        model: schema ModelT with one subgraph.
        windows: How many the layer's output grid is divided into.
    """
    graph = TFLiteGraph(model)
    last: Any = next((op for op in reversed(graph.operators) if graph.kind(op) == "DEQUANTIZE"), None)
    dense = None if last is None else graph.producer(last.inputs[0])
    if dense is None or graph.kind(dense) != "FULLY_CONNECTED" or len(graph.consumers(dense.outputs[0])) != 1:
        return False
    grid, real = graph.tensors[dense.outputs[0]].quantization, graph.tensors[last.outputs[0]]
    step = float(grid.scale[0]) / windows
    begin = (-128 - int(grid.zeroPoint[0])) * float(grid.scale[0])
    total = graph.constant("logits_low", np.array([begin], np.float32))
    shape, made = list(real.shape), []
    for window in range(windows):
        name = f"logits_{window}"
        bias = _bias(graph, dense, begin + window * _STEPS * step, f"{name}_bias")
        narrow = graph.value(f"{name}_stored", shape, np.int8, (step, -128))
        share = graph.value(f"{name}_share", shape, np.float32)
        is_last = window == windows - 1
        added = last.outputs[0] if is_last else graph.value(f"{name}_sum", shape, np.float32)
        made.append(graph.like(dense, [*dense.inputs[:2], bias], [narrow]))
        made.append(graph.like(last, [narrow], [share]))
        made.append(graph.addition([total, share], added))
        total = added
    place = graph.operators.index(dense)
    graph.operators[place : place + 1] = made
    graph.operators.remove(last)
    return True


def _bias(graph: TFLiteGraph, dense: Any, begin: float, name: str) -> int:
    """A bias that is lower by ``begin``, in the accumulator's steps; a layer without one gets one."""
    values, kernel = (graph.tensors[index].quantization for index in dense.inputs[:2])
    outputs = graph.tensors[dense.inputs[1]].shape[0]
    steps = np.asarray(kernel.scale, np.float64) * float(values.scale[0])
    old: NDArray[Any] = np.zeros(outputs, np.int32)
    if len(dense.inputs) > 2 and dense.inputs[2] >= 0:
        old = graph.stored(dense.inputs[2], np.int32)
    moved = np.clip(old.astype(np.int64) - np.rint(begin / steps), -_MOST, _MOST).astype(np.int32)
    return graph.constant(name, np.asarray(moved), steps.astype(np.float32))
