"""Kernels on their int8 grid: symmetric, narrow (-127..127 or less), one scale per output channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Array, Graph, Op
from edgevision.converters.quantize.halves import off_halves
from edgevision.converters.quantize.pairs import SAFE_SUM, by_output, largest_pair, saturates
from edgevision.converters.quantize.points import rounded_by

#: Largest stored weight; -128 is not used, so that the grid is symmetric.
LIMIT = 127
#: What the largest stored weight of a channel may be. The smaller ones keep pairs of weights from overflowing
#: (``pairs``), with 63 none can. All are odd: so the values a TFLite converter makes of them (it knows 127 only) never
#: lie half way between two, and what was meant can be told from them.
LIMITS = (63, 71, 79, 89, 101, 113, LIMIT)
#: How far from whole numbers stored weights may be to count as such, and how many are looked at first.
_CLOSE, _SAMPLE = 1e-4, 32
#: Channels whose largest weight is not above this are zero; a scale that fine would not be a normal float32.
_NOTHING = 1e-30
#: Scale of channels that are zero: fine enough for their biases, which are counted in it, coarse enough for 32 bits.
_ZERO_SCALE = 1e-4
#: What float32 arithmetic leaves between a kernel and its grid, in steps.
_SLACK = 1e-3
#: Largest bias in the accumulator's units.
_MOST = 2**31 - 1


def channel_axes(op: Op) -> tuple[int, ...]:
    """Axes of the kernel that run over output channels; each channel has its own scale."""
    if op.kind == "Conv2DTranspose":  # (h, w, out, in)
        return (2,)
    return (2, 3) if op.kind == "DepthwiseConv2D" else (op.weights[0].ndim - 1,)


def to_grid(kernel: NDArray[np.floating], axes: tuple[int, ...]) -> tuple[NDArray[np.int8], Array]:
    """Round a kernel to int8 per channel, or find the stored values and scales of one that lies on its grid already.

    The largest weight of a channel is stored as one of ``LIMITS``: the smallest one with which all others come out
    whole, else 127. So the grid can be found again from the rounded values alone: exporters rely on it, because no
    format's converter carries the scales of constants through.

    Args:
        kernel: Real values.
        axes: Axes that run over output channels.

    Returns:
        Stored values (kernel's shape) and float32 scales (size 1 on all other axes); real = stored * scale.
    """
    return _round(kernel, axes, _limits(kernel, axes))


def _round(
    kernel: NDArray[np.floating], axes: tuple[int, ...], limits: NDArray[np.float32]
) -> tuple[NDArray[np.int8], Array]:
    """Round with the largest weight of each channel at ``limits``, which has the scales' shape."""
    largest = _largest(kernel, axes)
    scale = np.where(largest > _NOTHING, largest / limits, _ZERO_SCALE).astype(np.float32)
    return np.rint(kernel / scale).astype(np.int8), scale


def _largest(kernel: NDArray[np.floating], axes: tuple[int, ...]) -> Array:
    others = tuple(axis for axis in range(kernel.ndim) if axis not in axes)
    return np.asarray(np.abs(kernel).max(axis=others, keepdims=True), np.float32)


def _limits(kernel: NDArray[np.floating], axes: tuple[int, ...]) -> NDArray[np.float32]:
    """Of each channel the smallest of ``LIMITS`` whose grid holds it, else 127; in the scales' shape."""
    largest = _largest(kernel, axes)
    rows = np.moveaxis(kernel, axes, range(len(axes))).reshape(largest.size, -1)
    found = np.full(largest.size, LIMIT, np.float32)
    if rows.shape[1] == 1:
        return found.reshape(largest.shape)
    unit = rows / np.maximum(largest.reshape(-1, 1), np.float32(_NOTHING))
    undecided = np.arange(len(rows))
    for limit in LIMITS[:-1]:
        close = undecided[_are_whole(unit[undecided, :_SAMPLE] * np.float32(limit))]  # tells most channels
        close = close[_are_whole(unit[close] * np.float32(limit))]
        found[close] = limit
        undecided = np.setdiff1d(undecided, close)
    return found.reshape(largest.shape)


def _are_whole(rows: NDArray[np.floating]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (np.abs(rows - np.rint(rows)) < _CLOSE).all(1)
    return found


def lies_on_grid(kernel: NDArray[np.floating], axes: tuple[int, ...]) -> bool:
    """Whether a kernel was rounded: the others are in float on purpose, and no exporter may round them."""
    stored, scale = to_grid(kernel, axes)
    return bool((np.abs(stored * scale - kernel) <= _SLACK * scale).all())


def quantize_kernels(graph: Graph, *, pair_safe: bool = False) -> Graph:
    """A copy of the graph whose kernels lie on the int8 grid; biases stay as they are (they are stored in 32 bits).

    Args:
        graph: Real kernels.
        pair_safe: Coarser grids for the channels that would overflow on x86 without VNNI (``pairs``), as little
            coarser as will do.
    """
    rounded = graph.copy()
    for op in rounded:
        if op.has_kernel:
            stored, scale = round_kernel(op, pair_safe)
            op.weights[0] = stored.astype(np.float32) * scale
    return rounded


def round_kernel(op: Op, pair_safe: bool = False) -> tuple[NDArray[np.int8], Array]:
    """Stored values and scales, as ``to_grid`` gives them, of the kernel rounded to the nearest steps."""
    limits = _safe_limits(op) if pair_safe else _limits(op.weights[0], channel_axes(op))
    return _round(op.weights[0], channel_axes(op), limits)


def overflows(graph: Graph) -> bool:
    """Whether any kernel on its grid has pairs of weights that overflow on x86 without VNNI."""
    return any(saturates(to_grid(by_output(op), (0,))[0]) for op in graph if op.has_kernel)


def _safe_limits(op: Op) -> NDArray[np.float32]:
    """Of each channel the largest of ``LIMITS`` with which no pair of its weights overflows; in the scales' shape."""
    rows = by_output(op)
    largest = np.abs(rows.reshape(len(rows), -1)).max(1).reshape(-1, *(1,) * (rows.ndim - 1))
    unit = rows / np.maximum(largest, np.float32(_NOTHING))
    found = np.full(len(rows), LIMITS[0], np.float32)
    for limit in LIMITS[1:]:
        found[largest_pair(np.rint(unit * np.float32(limit))) <= SAFE_SUM] = limit
    return found.reshape(_largest(op.weights[0], channel_axes(op)).shape)


def round_biases(graph: Graph, grids: dict[str, Range]) -> None:
    """Round biases, in place, to the 32-bit steps in which integer kernels hold them: input scale x kernel scale.

    Left to each engine, this rounding moves a few values in ten thousand by one step in the first layer and several
    in a hundred in the last; done here, all engines start from the same integers.

    Before, scales of kernels are moved by some ten-thousandths so that no engine meets a half (``halves``), but for
    kernels that several operations share: every use would need another one, and files hold them once.

    Weights so small beside their channel's bias that it overflows in their units (weight decay leaves such channels
    behind) become zero.
    """
    shared = _shared(graph)
    for op in graph:
        if op.has_kernel and not op.float_reason and op.inputs[0] in grids:
            input_scale = grids[op.inputs[0]].scale
            lost = np.abs(op.weights[1]) > _MOST * _bias_steps(op, input_scale)
            op.weights[0] = np.where(lost.reshape(_channel_shape(op)), np.float32(0), op.weights[0])
            written = grids.get(rounded_by(graph, op))
            if written is not None and op.name not in shared:
                op.weights[0] = _off_halves(op, input_scale / written.scale)
            steps = _bias_steps(op, input_scale)
            op.weights[1] = (np.rint(op.weights[1] / steps) * steps).astype(np.float32)


def _shared(graph: Graph) -> set[str]:
    """Names of operations whose kernel is another one's too; those of averages are small and often alike."""
    found: dict[int, list[str]] = {}
    for op in graph:
        if op.has_kernel and np.ptp(op.weights[0]) > 0:
            found.setdefault(hash(op.weights[0].tobytes()), []).append(op.name)
    return {name for names in found.values() if len(names) > 1 for name in names}


def _off_halves(op: Op, ratio: float) -> Array:
    """A kernel on its grid with other scales; ``ratio`` is the input's step by the output's."""
    stored, scale = to_grid(op.weights[0], channel_axes(op))
    moved = off_halves(scale.astype(np.float64) * ratio) / ratio
    return stored.astype(np.float32) * moved.astype(np.float32)


def _bias_steps(op: Op, input_scale: float) -> NDArray[np.float64]:
    """Real value of one unit of the 32-bit accumulator, per output channel."""
    return to_grid(op.weights[0], channel_axes(op))[1].ravel().astype(np.float64) * input_scale


def _channel_shape(op: Op) -> tuple[int, ...]:
    axes, kernel = channel_axes(op), op.weights[0]
    return tuple(size if axis in axes else 1 for axis, size in enumerate(kernel.shape))
