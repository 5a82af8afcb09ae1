"""Findings that the weights alone prove.

Batch normalisation says what it was trained on: its input has the moving mean and variance, its output the mean beta
and the deviation gamma per channel (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias
Correction", section 4.2, use the same).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.preflight.finding import Finding
from edgevision.converters.preflight.structure import flat_layers
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.weights import channel_axes, to_grid

Numbers = NDArray[np.float64]

#: A channel that reaches so many times as far as the median one leaves that 16 of the 256 steps.
UNEVEN = 16.0
#: Measured on a residual network (docs/preflight.md has the command): two of 16 channels made to reach farther.
_UNEVEN_COST = "1.4 % of answers changed became 7 % at 28 times, and 40 % with 11 points lost at 111 times"
#: Predicted signal-to-noise ratio of a layer's rounded weights, decibel, below which it is told. Sound ones: 35 to 45.
NOISY_DB = 20.0
#: Measured likewise, with the weights on an input that is always zero.
_OUTLYING_COST = "1.7 % of answers changed became 8 % at 13 dB, and 28 % with 5 points lost at 1 dB"
#: Share of output channels that are always zero.
DEAD = 0.1
#: Operations behind which each channel is still what it was.
_PER_CHANNEL = ("ReLU", "LeakyReLU", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "ZeroPadding2D")


def uneven_channels(graph: Graph, model: Any) -> list[Finding]:
    """Tensors in which a few channels reach so far that the common grid is coarse for all others."""
    found = []
    for layer, op in _batch_norms(graph, model):
        before = graph.ops[op.inputs[0]]
        gamma, beta, mean, deviation = _statistics(layer)
        is_folded = before.has_kernel and graph.sole_consumer(before.name) is op
        reach = np.abs(beta) + 3 * np.abs(gamma) if is_folded else np.abs(mean) + 3 * deviation
        behind = graph.sole_consumer(op.name)
        cut = behind.config.get("max_value") if is_folded and behind is not None and behind.kind == "ReLU" else None
        reach = reach if cut is None else np.minimum(reach, float(cut))
        ratio = float(reach.max() / max(np.median(reach), 1e-12))
        if ratio > UNEVEN:
            name = layer.name if is_folded else before.name
            risk = f"one channel reaches {ratio:.0f} times as far as the median one, and all share one 8-bit grid"
            rewrite = "divide its gamma and beta and multiply the next kernel's input channel by the same (exact behind"
            found.append(
                Finding("uneven-channels", name, risk, _UNEVEN_COST, f"{rewrite} a ReLU), or train with weight decay")
            )
    return found


def outlying_weights(graph: Graph, model: Any) -> list[Finding]:
    """Kernels in which a few weights make the steps coarse for those that matter."""
    power = _input_power(graph, model)
    found = []
    for op in graph:
        ratio = _weight_ratio(op, power.get(op.inputs[0])) if op.has_kernel else None
        if ratio is not None and ratio < NOISY_DB:
            risk = (
                f"a few large weights on weak inputs make its steps coarse: {ratio:.0f} dB predicted, sound is 35 to 45"
            )
            rewrite = "clip them or take the inputs away, and train on; weight decay avoids them"
            found.append(Finding("outlying-weights", op.name, risk, _OUTLYING_COST, rewrite))
    return found


def dead_channels(graph: Graph, model: Any) -> list[Finding]:
    """Kernels of which many output channels are always zero."""
    norms = {op.inputs[0]: _statistics(layer) for layer, op in _batch_norms(graph, model)}
    found = []
    for op in graph:
        if not op.has_kernel:
            continue
        others = tuple(axis for axis in range(op.weights[0].ndim) if axis not in channel_axes(op))
        live = (np.abs(op.weights[0]).max(others).ravel() > 0) | (op.weights[1] != 0)
        if op.name in norms:
            gamma, beta = norms[op.name][:2]
            live = (gamma != 0) | (beta != 0)
        if 1 - live.mean() >= DEAD:
            risk = f"{(~live).sum()} of {live.size} output channels are always zero"
            rewrite = "leave them out: fewer filters, the same answers"
            found.append(Finding("dead-channels", op.name, risk, "no accuracy, but time and bytes", rewrite))
    return found


def _batch_norms(graph: Graph, model: Any) -> list[tuple[Any, Op]]:
    layers = [layer for layer in flat_layers(model) if type(layer).__name__ == "BatchNormalization"]
    return [(layer, graph.ops[layer.name]) for layer in layers if layer.name in graph.ops]


def _statistics(layer: Any) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """gamma, beta, mean and deviation, float64 (channels,)."""
    mean = np.asarray(layer.moving_mean, np.float64)
    deviation = np.sqrt(np.asarray(layer.moving_variance, np.float64))
    gamma = np.asarray(layer.gamma, np.float64) if layer.scale else np.ones_like(mean)
    beta = np.asarray(layer.beta, np.float64) if layer.center else np.zeros_like(mean)
    return gamma, beta, mean, deviation


def _input_power(graph: Graph, model: Any) -> dict[str, Numbers]:
    """Mean square per channel of what follows a batch norm, by operation."""
    known = {op.name: _statistics(layer)[:2] for layer, op in _batch_norms(graph, model)}
    power: dict[str, Numbers] = {}
    for op in graph:
        if op.name in known:
            gamma, beta = known[op.name]
            power[op.name] = gamma**2 + beta**2
        elif op.kind in _PER_CHANNEL and op.inputs[0] in power:
            power[op.name] = power[op.inputs[0]]
    return power


def _weight_ratio(op: Op, power: Numbers | None) -> float | None:
    """Predicted signal-to-noise ratio of a layer whose weights are rounded, decibel; None where all are zero."""
    kernel = op.weights[0].astype(np.float64)
    axes = channel_axes(op)
    stored, scale = to_grid(op.weights[0], axes)
    weight = np.ones(1)
    if power is not None and op.kind in ("Conv2D", "Dense") and kernel.shape[-2] == power.size:
        weight = power[:, None]
    others = tuple(axis for axis in range(kernel.ndim) if axis not in axes)
    signal = (kernel**2 * weight).sum(others).ravel()
    noise = ((stored.astype(np.float64) * scale - kernel) ** 2 * weight).sum(others).ravel()
    live = (signal > 0) & (noise > 0)
    if not live.any():
        return None
    return float(10 * np.log10(signal[live].sum() / noise[live].sum()))
