"""Per-channel bias correction, layer by layer on calibration images.

Rounding weights and activations shifts the mean of a layer's output; depthwise layers suffer most. The shift is
measured against the float graph, with everything before already quantised and corrected, and taken off the bias
(Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.2, empirical).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgevision.converters.quantize.build import call
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.observe import Batch


def correct_biases(graph: Graph, quantized: Graph, ranges: dict[str, Range], batch: Batch) -> Graph:
    """A copy of ``quantized`` with biases moved so that every kernel's mean output equals the float graph's.

    Both graphs are run once, one operation at a time, and values are dropped as soon as nothing needs them.

    Args:
        graph: Float graph.
        quantized: The same graph with kernels on the grid.
        ranges: Grids of its activations.
        batch: Calibration samples; held in memory with the largest two or three activations.
    """
    import tensorflow as tf

    corrected = quantized.copy()
    last_use = {name: op.name for op in graph for name in op.inputs}
    values: dict[str, tuple[Any, Any]] = {}
    for op in graph:
        twin = corrected.ops[op.name]
        if op.kind == "Input":
            given = tf.constant(batch[op.name], tf.int32 if op.dtype == "int32" else tf.float32)
            values[op.name] = given, _round(given, ranges.get(op.name))
        else:
            exact = call(op, [values[name][0] for name in op.inputs])
            rounded = call(twin, [values[name][1] for name in op.inputs])
            if op.has_kernel:
                shift = tf.reduce_mean(exact - rounded, axis=list(range(len(exact.shape) - 1)))
                twin.weights[1] = twin.weights[1] + np.asarray(shift)
                rounded = rounded + shift
            values[op.name] = exact, _round(rounded, ranges.get(op.name))
        for name in {name for name in op.inputs if last_use[name] == op.name}:
            del values[name]
    return corrected


def _round(value: Any, grid: Range | None) -> Any:
    import tensorflow as tf

    return value if grid is None else tf.quantization.fake_quant_with_min_max_args(value, grid.low, grid.high)
