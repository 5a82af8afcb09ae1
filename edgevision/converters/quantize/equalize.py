"""Cross-layer equalisation: channels of one tensor brought to like ranges, so that one 8-bit grid serves them all.

A channel's scale can be taken out of one kernel and put into the next wherever only positively homogeneous operations
lie between, f(s x) = s f(x), as a plain ReLU is (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization
and Bias Correction", section 4.1). The paper levels ranges of weights, which have one grid per layer there. Here each
output channel of a kernel has its own, so what is levelled is what has one grid still: the values in between, whose
ranges are seen on images, against the weights of the kernel behind. A depthwise kernel has a grid for every input
channel, and takes any scale for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.build import build_model, run
from edgevision.converters.quantize.graph import Array, Graph, Op
from edgevision.converters.quantize.observe import Batch

#: Kernels whose outputs or inputs can be scaled per channel.
_KERNELS = ("Conv2D", "DepthwiseConv2D", "Dense")
#: Operations that a channel's scale passes, besides a ReLU.
_HOMOGENEOUS = (
    "LeakyReLU",
    "MaxPooling2D",
    "AveragePooling2D",
    "GlobalAveragePooling2D",
    "ZeroPadding2D",
    "UpSampling2D",
)
#: Tried only where a pair's channels differ by more than this: the largest range beside the median one.
_WORTH = 8.0
#: A channel is not made larger than by this: what is that much smaller than others is hardly there.
_MOST = 1e4

Scales = NDArray[np.float64]


def equalize(graph: Graph, batch: Batch) -> Graph | None:
    """A copy of a float graph that answers the same, with channels levelled; None where none need it.

    Args:
        graph: Folded float graph.
        batch: Samples that show the ranges.
    """
    pairs = list(_pairs(graph))
    seen = _largest(graph, [first.name for first, _ in pairs], batch)
    if not any(_spread(seen[first.name]) > _WORTH for first, _ in pairs):
        return None
    equalized = graph.copy()
    for first, second in pairs:
        before, behind = equalized.ops[first.name], equalized.ops[second.name]
        _move(before, behind, _scales(seen[first.name], behind))
    return equalized


def _pairs(graph: Graph) -> Iterator[tuple[Op, Op]]:
    """Kernels with nothing but homogeneous operations between, each the only reader of the one before."""
    for op in graph:
        behind = graph.sole_consumer(op.name) if op.kind in _KERNELS else None
        while behind is not None and _passes(graph, behind):
            behind = graph.sole_consumer(behind.name)
        if behind is not None and behind.kind in _KERNELS:
            yield op, behind


def _passes(graph: Graph, op: Op) -> bool:
    """Whether a positive scale per channel comes out of ``op`` as it went in."""
    if op.kind == "ReLU":  # a bound would have to move with the scale, and is one for all channels
        config = op.config
        return config.get("max_value") is None and not config.get("threshold")
    if op.kind == "Reshape":  # of one position: the channels stay where they are
        return int(np.prod(op.shape)) == graph.ops[op.inputs[0]].shape[-1] == op.shape[-1]
    return op.kind in _HOMOGENEOUS


def _largest(graph: Graph, names: list[str], batch: Batch, size: int = 16) -> dict[str, Scales]:
    """Largest absolute value per channel behind each operation, as far as a following ReLU lets it through."""
    found: dict[str, Scales] = {}
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


def _spread(largest: Scales) -> float:
    alive = largest[largest > 0]
    return float(alive.max() / np.median(alive)) if alive.size else 1.0


def _scales(largest: Scales, behind: Op) -> Scales:
    """What each channel is divided by. One that shows nothing is made large, so that its weights behind stay small."""
    top = largest.max()
    if top <= 0:
        return np.ones_like(largest)
    ranges = np.maximum(largest / top, 1 / _MOST)
    if behind.kind != "DepthwiseConv2D":
        kernel = np.abs(_by_input(behind)).max((0, 2))
        weights = np.maximum(kernel / max(float(kernel.max()), 1e-30), 1 / _MOST)
        ranges = np.sqrt(ranges / weights)
    scales = ranges / ranges.max()
    return np.asarray(np.where(largest > 0, scales, scales[largest > 0].min()))


def _move(before: Op, behind: Op, scales: Scales) -> None:
    """Divide the outputs of one kernel, multiply the inputs of the next, in place."""
    factors = scales.astype(np.float32)
    kernel = before.weights[0]
    per_output = factors.reshape(kernel.shape[2:]) if before.kind == "DepthwiseConv2D" else factors
    before.weights[0], before.weights[1] = kernel / per_output, before.weights[1] / factors
    behind.weights[0] = (_by_input(behind) * factors[:, None]).reshape(behind.weights[0].shape)


def _by_input(op: Op) -> Array:
    """A kernel as (taps, inputs, outputs of each)."""
    return op.weights[0].reshape(-1, *op.weights[0].shape[-2:])
