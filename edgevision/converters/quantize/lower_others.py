"""Keras layers without a kernel, to the operations integer kernels know."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from edgevision.converters.quantize.builder import Builder, unsupported
from edgevision.converters.quantize.lower_kernels import as_map


def upsampling(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """UpSampling2D, nearest or bilinear."""
    config = {"size": layer.size, "interpolation": layer.interpolation}
    if layer.interpolation not in ("nearest", "bilinear"):
        raise unsupported(layer.name, f"UpSampling2D by {layer.interpolation}")
    return builder.add("UpSampling2D", layer.name, inputs, shape, **config)


def global_pool_1d(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """A pool over all steps: over a map of one row."""
    source = as_map(builder, layer.name, inputs[0])
    if layer.keepdims:
        raise unsupported(layer.name, f"{type(layer).__name__}(keepdims=True)")
    if type(layer).__name__ == "GlobalAveragePooling1D":
        return global_average(builder, layer, [source], shape)
    return global_max(builder, layer, [source], shape)


def layer_scale(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """A factor per channel."""
    gamma = np.asarray(layer.gamma)
    return builder.add("Affine", layer.name, inputs, shape, gamma, np.zeros_like(gamma))


def scaled_sum(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """The first tensor and the scaled second."""
    line = np.full(shape[-1], layer.scale), np.zeros(shape[-1])
    scaled = builder.add("Affine", f"{layer.name}_scaled", inputs[1:], shape, *line)
    return builder.add("Add", layer.name, [inputs[0], scaled], shape)


def multiply(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """A product, two tensors at a time."""
    name = inputs[0]
    for number, other in enumerate(inputs[1:]):
        name = builder.add("Multiply", layer.name if number == 0 else f"{layer.name}_{number}", [name, other], shape)
    return name


def batch_normalization(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """A line per channel, from the moving statistics."""
    _require_channels_last(layer, shape)
    mean, variance = np.asarray(layer.moving_mean, np.float64), np.asarray(layer.moving_variance, np.float64)
    scale = (np.asarray(layer.gamma, np.float64) if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    offset = (np.asarray(layer.beta, np.float64) if layer.center else 0.0) - mean * scale
    return builder.add("Affine", layer.name, inputs, shape, scale, offset)


def normalization(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """A line per channel."""
    _require_channels_last(layer, shape)
    if layer.invert:
        raise unsupported(layer.name, "Normalization(invert=True)")
    mean = np.asarray(layer.mean, np.float64)
    deviation = np.maximum(np.sqrt(np.asarray(layer.variance, np.float64)), 1e-7)  # Keras' own epsilon
    scale = np.broadcast_to(1.0 / deviation, (*deviation.shape[:-1], shape[-1])).reshape(-1)
    offset = np.broadcast_to(-mean / deviation, (*deviation.shape[:-1], shape[-1])).reshape(-1)
    if scale.size != shape[-1]:
        raise unsupported(layer.name, "Normalization over more than the channels")
    return builder.add("Affine", layer.name, inputs, shape, scale, offset, is_normalization=True)


def _require_channels_last(layer: Any, shape: tuple[int, ...]) -> None:
    axis = layer.axis if isinstance(layer.axis, int) else tuple(layer.axis or ())
    if axis not in (-1, len(shape), (-1,), (len(shape),), ()):
        raise unsupported(layer.name, f"{type(layer).__name__} over axis {axis}")


def rescaling(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """A line, the same or one per channel."""
    scale = np.broadcast_to(np.asarray(layer.scale, np.float64), (shape[-1],))
    offset = np.broadcast_to(np.asarray(layer.offset, np.float64), (shape[-1],))
    return builder.add("Affine", layer.name, inputs, shape, scale, offset, is_normalization=True)


def relu(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """ReLU, bounded or leaky."""
    if float(layer.threshold or 0):
        raise unsupported(layer.name, f"ReLU with threshold {layer.threshold}")
    slope = float(np.asarray(layer.negative_slope or 0))
    if slope and layer.max_value is not None:
        raise unsupported(layer.name, "ReLU with both negative_slope and max_value")
    if slope:
        return builder.add("LeakyReLU", layer.name, inputs, shape, negative_slope=slope)
    return builder.add("ReLU", layer.name, inputs, shape, max_value=layer.max_value)


def leaky_relu(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """LeakyReLU."""
    return builder.add("LeakyReLU", layer.name, inputs, shape, negative_slope=float(layer.negative_slope))


def activation(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """An activation as a layer."""
    return builder.activation(layer.activation, layer.name, inputs[0], shape)


def softmax(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """Softmax over the channels."""
    if layer.axis not in (-1, len(shape)):
        raise unsupported(layer.name, f"Softmax over axis {layer.axis}")
    return builder.add("Activation", layer.name, inputs, shape, activation="softmax")


def reshape(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """Flatten and Reshape."""
    # A fixed target, so that no exporter has to compute a shape at run time.
    return builder.add("Reshape", layer.name, inputs, shape, target_shape=shape)


def global_average(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """The mean of the whole map."""
    if math.prod(builder.graph.ops[inputs[0]].shape[:-1]) == 1:  # nothing to compute, so nothing to round
        return builder.add("Reshape", layer.name, inputs, shape, target_shape=shape)
    return builder.add("GlobalAveragePooling2D", layer.name, inputs, shape, keepdims=layer.keepdims)


def global_max(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """The maximum of the whole map."""
    # A pool over the whole map: integer kernels know that, a reduction to the maximum they do not everywhere.
    rows, columns, channels = builder.graph.ops[inputs[0]].shape
    config = {"pool_size": (rows, columns), "strides": (1, 1), "padding": "valid"}
    name = builder.add("MaxPooling2D", layer.name, inputs, (1, 1, channels), **config)
    return name if layer.keepdims else builder.add("Reshape", f"{layer.name}_flat", [name], shape, target_shape=shape)


def zero_padding(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """ZeroPadding2D."""
    return builder.add("ZeroPadding2D", layer.name, inputs, shape, padding=layer.padding)


def add(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """A sum, two tensors at a time."""
    name = inputs[0]
    for number, other in enumerate(inputs[1:]):  # integer kernels add two tensors at a time
        name = builder.add("Add", layer.name if number == 0 else f"{layer.name}_{number}", [name, other], shape)
    return name


def concatenate(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """Concatenate."""
    return builder.add("Concatenate", layer.name, inputs, shape, axis=layer.axis)
