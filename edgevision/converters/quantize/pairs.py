"""Pairs of weights whose products overflow 16 bits on x86 without VNNI.

There the instruction for 8-bit products (vpmaddubsw: unsigned value times signed weight) adds two neighbouring ones
into 16 bits and saturates. ONNX Runtime and OpenVINO use it and are wrong by whole logits (onnxruntime issue 14642);
XNNPACK, which runs TFLite files, is not affected. With values up to 255 a pair is safe when its weights of one sign add
up to 128 at most: 128 * 255 < 2 ** 15.

Which weights are neighbours depends on the engine: products run over input channels first, or over the window first,
and pairs may begin at an even or an odd place. All of these count here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.graph import Op

#: Largest sum of two neighbouring weights of one sign that cannot overflow.
SAFE_SUM = 128


def largest_pair(kernel: NDArray[Any]) -> NDArray[np.float32]:
    """The largest sum of two neighbouring weights of one sign, float32 (outputs,).

    Args:
        kernel: (outputs, inputs, *window).
    """
    outputs = len(kernel)
    largest = np.zeros(outputs, np.float32)
    for ordered in (kernel, np.moveaxis(kernel, 1, -1)):
        rows = ordered.reshape(outputs, -1).astype(np.float32)
        for signed in (np.maximum(rows, 0), np.maximum(-rows, 0)):
            pairs = signed[:, :-1] + signed[:, 1:]
            largest = np.maximum(largest, pairs.max(1, initial=0))
    return largest


def saturates(stored: NDArray[np.int8]) -> bool:
    """Whether any pixels could make a stored kernel (outputs, inputs, *window) overflow."""
    return bool((largest_pair(stored) > SAFE_SUM).any())


def by_output(op: Op, kernel: NDArray[Any] | None = None) -> NDArray[Any]:
    """The kernel of an operation, or one of its shape, as (outputs, inputs, *window)."""
    kernel = op.weights[0] if kernel is None else kernel
    if op.kind == "Conv2DTranspose":  # (h, w, out, in)
        rows = kernel.transpose(2, 3, 0, 1)
    elif op.kind == "DepthwiseConv2D":  # (h, w, channels, multiplier)
        rows = kernel.reshape(*kernel.shape[:2], 1, -1).transpose(3, 2, 0, 1)
    else:
        rows = np.moveaxis(np.moveaxis(kernel, -1, 0), -1, 1)
    return np.asarray(rows)
