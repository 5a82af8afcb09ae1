"""Recurrent layers with a large input: what they do to it at every step alike is a layer of its own, in 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgevision.converters.quantize.builder import Builder, Slot, unsupported
from edgevision.converters.quantize.lower_kernels import dense

#: Input kernels of so many values or more. Step by step each would be in the file once per step, and in float.
LARGE = 2**20


def recurrent(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """LSTM and GRU: all steps times the input kernel at once, then the layer with the identity in its place."""
    kind = type(layer).__name__
    source = builder.graph.ops[inputs[0]].shape
    kernel, *others = layer.get_weights()
    if kernel.size < LARGE or len(inputs) != 1 or len(source) != 2:
        raise unsupported(layer.name, kind)
    width = kernel.shape[1]
    projected = dense(builder, f"{layer.name}_input", inputs[0], kernel, np.zeros(width))
    rest = type(layer).from_config(layer.get_config())
    rest.build((1, source[0], width))
    rest.set_weights([np.eye(width, dtype=np.float32), *others])
    reason = f"{kind} has no 8-bit form, but for the product with its input"
    return builder.keep(rest, layer.name, [projected], shape, (Slot(0),), {}, reason)
