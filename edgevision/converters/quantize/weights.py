"""Kernels on their int8 grid: symmetric, narrow (-127..127), one scale per output channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Array, Graph, Op

#: Largest stored weight; -128 is not used, so that the grid is symmetric.
LIMIT = 127
#: Channels whose largest weight is not above this are zero; a scale that fine would not be a normal float32.
_NOTHING = 1e-30
#: Scale of channels that are zero: fine enough for their biases, which are counted in it, coarse enough for 32 bits.
_ZERO_SCALE = 1e-4
#: Largest bias in the accumulator's units.
_MOST = 2**31 - 1


def channel_axes(op: Op) -> tuple[int, ...]:
    """Axes of the kernel that run over output channels; each channel has its own scale."""
    if op.kind == "Conv2DTranspose":  # (h, w, out, in)
        return (2,)
    return (2, 3) if op.kind == "DepthwiseConv2D" else (op.weights[0].ndim - 1,)


def to_grid(kernel: NDArray[np.floating], axes: tuple[int, ...]) -> tuple[NDArray[np.int8], Array]:
    """Round a kernel to int8 per channel.

    The largest weight of a channel is stored as +-127, so the scale can be found again from the rounded values alone:
    exporters rely on it, because no format's converter carries the scales of constants through.

    Args:
        kernel: Real values.
        axes: Axes that run over output channels.

    Returns:
        Stored values (kernel's shape) and float32 scales (size 1 on all other axes); real = stored * scale.
    """
    others = tuple(axis for axis in range(kernel.ndim) if axis not in axes)
    largest = np.abs(kernel).max(axis=others, keepdims=True)
    scale = np.where(largest > _NOTHING, largest / LIMIT, _ZERO_SCALE).astype(np.float32)
    return np.rint(kernel / scale).astype(np.int8), scale


def quantize_kernels(graph: Graph) -> Graph:
    """A copy of the graph whose kernels lie on the int8 grid; biases stay as they are (they are stored in 32 bits)."""
    rounded = graph.copy()
    for op in rounded:
        if op.has_kernel:
            stored, scale = to_grid(op.weights[0], channel_axes(op))
            op.weights[0] = stored.astype(np.float32) * scale
    return rounded


def round_biases(graph: Graph, grids: dict[str, Range]) -> None:
    """Round biases, in place, to the 32-bit steps in which integer kernels hold them: input scale x kernel scale.

    Left to each engine, this rounding moves a few values in ten thousand by one step in the first layer and several
    in a hundred in the last; done here, all engines start from the same integers.

    Weights so small beside their channel's bias that it overflows in their units (weight decay leaves such channels
    behind) become zero.
    """
    for op in graph:
        if op.has_kernel and op.inputs[0] in grids:
            input_scale = grids[op.inputs[0]].scale
            lost = np.abs(op.weights[1]) > _MOST * _bias_steps(op, input_scale)
            op.weights[0] = np.where(lost.reshape(_channel_shape(op)), np.float32(0), op.weights[0])
            steps = _bias_steps(op, input_scale)
            op.weights[1] = (np.rint(op.weights[1] / steps) * steps).astype(np.float32)


def _bias_steps(op: Op, input_scale: float) -> NDArray[np.float64]:
    """Real value of one unit of the 32-bit accumulator, per output channel."""
    return to_grid(op.weights[0], channel_axes(op))[1].ravel().astype(np.float64) * input_scale


def _channel_shape(op: Op) -> tuple[int, ...]:
    axes, kernel = channel_axes(op), op.weights[0]
    return tuple(size if axis in axes else 1 for axis, size in enumerate(kernel.shape))
