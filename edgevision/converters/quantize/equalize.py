"""Cross-layer equalisation: channels of one tensor brought to like ranges, so that one 8-bit grid serves them all.

A channel's scale can be taken out of one kernel and put into those that read it wherever only positively homogeneous
operations lie between, f(s x) = s f(x), as a plain ReLU is (Nagel et al. 2019, "Data-Free Quantization Through Weight
Equalization and Bias Correction", section 4.1). The paper levels ranges of weights, which have one grid per layer
there. Here each output channel of a kernel has its own, so what is levelled is what has one grid still: the values in
between, whose ranges are seen on images, against the weights of the kernels behind. A depthwise kernel has a grid for
every input channel, and takes any scale for nothing.

Beyond the paper's pairs of layers, channels are followed through concatenations and sums to all their readers
(``channels``). Networks that normalise there, DenseNet and ResNet V2, read each channel by the factor of a norm, which
also enlarges the roundings of those that use little of the common grid: a DenseNet121 trained on CIFAR-10
(``scripts/zoo.py``) came from a divergence of 0.0186 nats to below 0.002.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.build import build_model, run
from edgevision.converters.quantize.channels import Channels
from edgevision.converters.quantize.graph import Array, Graph, Op
from edgevision.converters.quantize.observe import Batch

#: Tried only where the channels that share a grid differ by more than this, the largest range beside the median one;
#: less is asked for where it costs nothing, as nothing but depthwise kernels reads them.
_WORTH, _WORTH_FREE = 8.0, 2.0
#: A channel is not made larger than by this: what is that much smaller than others is hardly there.
_MOST = 1e4

#: One for each number of ``Channels``.
PerChannel = NDArray[np.float64]


def equalize(graph: Graph, batch: Batch) -> Graph | None:
    """A copy of a float graph that answers the same, with channels levelled; None where none need it.

    Args:
        graph: Folded float graph.
        batch: Samples that show the ranges.
    """
    channels = Channels(graph)
    ranges, weights = _ranges(graph, channels, batch), _weights(channels)
    scales, is_worth_it = np.ones_like(ranges), False
    for root in np.unique(channels.together[channels.free]):
        members = np.flatnonzero(channels.together == root)
        if ranges[members].any():
            limit = _WORTH if weights[members].any() else _WORTH_FREE
            is_worth_it |= _spread(ranges[members]) > limit
            scales[members] = _scales(ranges[members], weights[members])
    if not is_worth_it:
        return None
    return _moved(graph, channels, np.where(channels.free, scales, 1.0).astype(np.float32))


def _ranges(graph: Graph, channels: Channels, batch: Batch) -> PerChannel:
    """Largest absolute value of each channel; 0 where it was not seen."""
    found: PerChannel = np.zeros(len(channels.free))
    names = [op.name for op in (*channels.kernels, *channels.sums) if channels.free[channels.numbers[op.name]].any()]
    for name, largest in _largest(graph, names, batch).items():
        np.maximum.at(found, channels.numbers[name], largest)
    return found


def _weights(channels: Channels) -> PerChannel:
    """Largest weight that each channel meets, as a share of its kernel's; 0 where only depthwise kernels read it."""
    found: PerChannel = np.zeros(len(channels.free))
    for op in channels.kernels:
        if op.kind != "DepthwiseConv2D":
            kernel = np.abs(_by_input(op)).max((0, 2))
            shares = np.maximum(kernel / max(float(kernel.max()), 1e-30), 1 / _MOST)
            np.maximum.at(found, channels.numbers[op.inputs[0]], shares)
    return found


def _largest(graph: Graph, names: list[str], batch: Batch, size: int = 16) -> dict[str, PerChannel]:
    """Largest absolute value per channel behind each operation, as far as a following ReLU lets it through."""
    found: dict[str, PerChannel] = {}
    if not names:
        return found
    rectified = {name for name in names if _is_rectified(graph, name)}
    model = build_model(graph, outputs=names)
    for start in range(0, len(next(iter(batch.values()))), size):
        part = {name: values[start : start + size] for name, values in batch.items()}
        for name, value in run(model, part).items():
            values = value.numpy().reshape(-1, value.shape[-1])
            largest = np.maximum(values.max(0), 0) if name in rectified else np.abs(values).max(0)
            found[name] = np.maximum(found.get(name, 0.0), largest)
    return found


def _is_rectified(graph: Graph, name: str) -> bool:
    reader = graph.sole_consumer(name)
    return reader is not None and reader.kind == "ReLU" and not reader.config.get("negative_slope")


def _spread(ranges: PerChannel) -> float:
    alive = ranges[ranges > 0]
    return float(alive.max() / np.median(alive))


def _scales(ranges: PerChannel, weights: PerChannel) -> PerChannel:
    """What channels that share grids are divided by; those that show nothing by the least: their weights shrink."""
    shares = np.maximum(ranges / ranges.max(), 1 / _MOST)
    scales = np.where(weights > 0, np.sqrt(shares / np.where(weights > 0, weights, 1)), shares)
    scales /= scales.max()
    return np.asarray(np.where(ranges > 0, scales, scales[ranges > 0].min()))


def _moved(graph: Graph, channels: Channels, scales: Array) -> Graph:
    """Outputs of kernels divided, inputs of those that read them multiplied."""
    moved = graph.copy()
    for op in (moved.ops[kernel.name] for kernel in channels.kernels):
        before, behind = scales[channels.numbers[op.inputs[0]]], scales[channels.numbers[op.name]]
        kernel = (_by_input(op) * before[:, None]).reshape(op.weights[0].shape)
        per_output = behind.reshape(kernel.shape[2:]) if op.kind == "DepthwiseConv2D" else behind
        op.weights[0], op.weights[1] = kernel / per_output, op.weights[1] / behind
    return moved


def _by_input(op: Op) -> Array:
    """A kernel as (taps, inputs, outputs of each)."""
    return op.weights[0].reshape(-1, *op.weights[0].shape[-2:])
