"""Kernels and biases fitted layer by layer to what calibration images show.

Rounding weights and activations shifts the mean of a layer's output; depthwise layers suffer most. The shift is
measured against the float graph, with everything before already quantised and corrected, and taken off the bias
(Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.2, empirical).
A kernel may be rounded anew before, for the inputs that it really gets.

All images go through one operation, then through the next. Values wait on their 8-bit grids, a byte each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.build import build_model, call, in_integers, run
from edgevision.converters.quantize.fake_quant import STEPS, Range
from edgevision.converters.quantize.graph import Array, Graph, Op
from edgevision.converters.quantize.observe import Batch

Wide = NDArray[np.float64]

#: A float operation and the inputs it gets in the quantised model -> its kernel on the int8 grid.
Rounding = Callable[[Op, Any], Array]
#: Bytes per value of the largest activation that all this takes per image: one input and one output in float32, the
#: latter twice while its shift is added, and three that wait.
_BYTES = 16
_BUDGET, _LEAST, _MOST = 192 * 2**20, 8, 300
#: Values, of one image or several, that are rounded in one go: a call for each small image would take most of the time.
_AT_ONCE = 2**19


def images_to_correct(graph: Graph) -> int:
    """How many images biases are corrected with: 8..300, as many as 192 MiB hold."""
    largest = max(op.frames * int(np.prod(op.shape)) for op in graph)
    return max(_LEAST, min(_MOST, _BUDGET // (_BYTES * largest)))


def kernel_means(graph: Graph, batch: Batch, size: int = 16) -> dict[str, Wide]:
    """Mean output (channels,) of every operation with a kernel, before anything is rounded.

    Args:
        graph: Float graph.
        batch: Calibration samples.
        size: How many go through at once.
    """
    names = [op.name for op in graph if op.has_kernel]
    if not names:
        return {}
    samples = len(next(iter(batch.values())))
    model, sums = build_model(graph, outputs=names), dict.fromkeys(names, np.float64(0))
    for start in range(0, samples, size):
        part = {name: values[start : start + size] for name, values in batch.items()}
        count = len(next(iter(part.values())))
        for name, value in run(model, part).items():
            values = value.numpy()
            sums[name] = sums[name] + _channel_means(values) * count
    return {name: np.asarray(total / samples) for name, total in sums.items()}


def correct_biases(
    graph: Graph,
    quantized: Graph,
    grids: dict[str, Range],
    batch: Batch,
    means: dict[str, Wide],
    rounding: Rounding | None = None,
) -> Graph:
    """A copy of ``quantized`` with biases moved so that every kernel's mean output equals the float graph's.

    Args:
        graph: Float graph.
        quantized: The same graph with kernels on the grid.
        grids: What its values lie on (``points.value_grids``).
        batch: Calibration samples.
        means: Of the float graph on the same images (``kernel_means``).
        rounding: Rounds each kernel anew, before its bias is corrected; None takes those of ``quantized``.
    """
    import tensorflow as tf

    corrected = quantized.copy()
    last_use = {name: op.name for op in graph for name in op.inputs}
    values: dict[str, Any] = {}
    for op in corrected:
        if op.kind == "Input":
            output = tf.constant(batch[op.name], tf.int32 if op.dtype == "int32" else tf.float32)
        else:
            inputs = [_waking(values[name], grids.get(name)) for name in op.inputs]
            if op.has_kernel and rounding is not None:
                op.weights[0] = rounding(graph.ops[op.name], inputs[0])
            output = call(in_integers(op) if op.name in grids else op, inputs)
            if op.has_kernel:
                shift = np.asarray(means[op.name] - _channel_means(output.numpy()), np.float32)
                op.weights[1] = op.weights[1] + shift
                output = output + shift
            del inputs
        values[op.name] = _waiting(output, grids.get(op.name))
        del output
        for name in {name for name in op.inputs if last_use[name] == op.name}:
            del values[name]
    return corrected


def _channel_means(values: Array) -> Wide:
    return np.asarray(values.reshape(-1, values.shape[-1]).mean(0, dtype=np.float64))


def _waiting(value: Any, grid: Range | None) -> Any:
    """A value on its grid as uint8; one without a grid as it is."""
    if grid is None:
        return value
    import tensorflow as tf

    values, found = value.numpy(), np.empty(value.shape, np.uint8)
    size = max(1, _AT_ONCE // max(1, values[0].size))  # the steps in between are eight times as large
    for start in range(0, len(values), size):
        # Rounded by the very operation that the model has: means of whole numbers lie half way between two often.
        rounded = tf.quantization.fake_quant_with_min_max_args(values[start : start + size], grid.low, grid.high)
        found[start : start + size] = np.clip(np.rint(rounded.numpy() / grid.scale) + grid.zero_point, 0, STEPS)
    return found


def _waking(stored: Any, grid: Range | None) -> Any:
    import tensorflow as tf

    if grid is None:
        return stored
    values = (tf.cast(stored, tf.float32) - grid.zero_point) * grid.scale
    return tf.quantization.fake_quant_with_min_max_args(values, grid.low, grid.high)  # the same to the last bit
