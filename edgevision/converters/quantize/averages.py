"""Averages of few values as depthwise kernels: each engine rounds halves in its own way, and these leave none.

The sum of four whole numbers lies half way between two steps once in four times, and what normalises behind it
(DenseNet) enlarges the difference. A kernel's scale keeps clear of that (``halves``), and it writes a grid of its own
besides, where a pool has to keep its input's. Pools that reach over the border stay pools (``AWAY``).
"""

from __future__ import annotations

import math

import numpy as np

from edgevision.converters.quantize.graph import Graph, Op, depthwise, pair

#: TFLite's average pool rounds halves of what it stores, -128..127, away from zero. The other engines' do so too if
#: their averages are larger by this, and it makes no other difference to averages of up to 64 values.
AWAY = 1 + 2**-13
#: Values of larger windows are seldom half way, and pools are faster there.
_MOST = 16


def with_kernels(graph: Graph) -> Graph:
    """A copy of a float graph that answers the same, its small average pools turned into depthwise kernels."""
    made = graph.copy()
    for op in made:
        if op.kind == "AveragePooling2D" and _has_halves(op) and _is_inside(made.ops[op.inputs[0]], op):
            size, strides = _window(op)
            kernel = np.full((*size, op.shape[-1], 1), 1 / math.prod(size), np.float32)
            op.kind, op.weights = "DepthwiseConv2D", [kernel, np.zeros(op.shape[-1], np.float32)]
            op.config = depthwise(size, strides)
    return made


def _has_halves(op: Op) -> bool:
    size, strides = _window(op)
    count = math.prod(size)
    return count % 2 == 0 and count <= _MOST and strides[0] == strides[1]  # TensorFlow's kernel has no other strides


def _is_inside(source: Op, op: Op) -> bool:
    """Whether no window reaches over the border, where a pool leaves out what is beyond and a kernel sees zeros."""
    windows = zip(source.shape, *_window(op))
    return op.config["padding"] == "valid" or all(side % step == 0 and size <= step for side, size, step in windows)


def _window(op: Op) -> tuple[tuple[int, int], tuple[int, int]]:
    """Size and strides of a pool, each of rows and columns."""
    return pair(op.config["pool_size"]), pair(op.config["strides"])
