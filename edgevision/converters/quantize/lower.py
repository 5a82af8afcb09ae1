"""One Keras layer to the operations the passes know: one handler per layer type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgevision.converters.quantize.graph import Array, Graph, Op
from edgevision.runtime.errors import UnsupportedLayerError

#: Layers that do nothing when a model predicts.
IDENTITY_LAYERS = [
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "RandomTranslation",
    "RandomContrast",
    "RandomBrightness",
    "RandomCrop",
    "RandomColorJitter",
    "RandomColorDegeneration",
    "RandomGrayscale",
    "RandomHue",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomPosterization",
    "RandomInvert",
    "RandomGaussianBlur",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomPerspective",
    "RandAugment",
    "AugMix",
    "MixUp",
    "CutMix",
]

_POOLS = ("MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D")
_ACTIVATIONS = ("sigmoid", "tanh", "softmax")

Lowering = Callable[["Builder", Any, list[str], tuple[int, ...]], str]


class Builder:
    """Collects operations while a model is traced; gives every one a unique name."""

    def __init__(self) -> None:
        self.graph = Graph({}, "")

    def add(self, kind: str, name: str, inputs: list[str], shape: tuple[int, ...], *weights: Any, **config: Any) -> str:
        """Append an operation and return its name."""
        unique, number = name, 1
        while unique in self.graph.ops:
            unique, number = f"{name}_{number}", number + 1
        arrays: list[Array] = [np.asarray(weight, np.float32) for weight in weights]
        self.graph.ops[unique] = Op(unique, kind, inputs, shape, config, arrays)
        return unique

    def activation(self, function: Any, name: str, source: str, shape: tuple[int, ...]) -> str:
        """Append the operation of a Keras activation function."""
        word = getattr(function, "__name__", str(function))
        if word == "linear":
            return source
        if word in ("relu", "relu6"):
            return self.add("ReLU", f"{name}_{word}", [source], shape, max_value=6.0 if word == "relu6" else None)
        if word == "leaky_relu":
            return self.add("LeakyReLU", f"{name}_{word}", [source], shape, negative_slope=0.2)
        if word in _ACTIVATIONS:
            return self.add("Activation", f"{name}_{word}", [source], shape, activation=word)
        raise unsupported(name, f"activation {word!r}")


def unsupported(name: str, kind: str) -> UnsupportedLayerError:
    """The error for a layer that has no handler."""
    known = [*sorted({*LOWERINGS, *_POOLS}), "dropout and random augmentation layers"]
    return UnsupportedLayerError(
        f"layer {name!r} ({kind}) cannot be quantised", expected="one of " + ", ".join(known), cure="replace the layer"
    )


def lower(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """Append what ``layer`` does to the graph and return the name of the last operation.

    Args:
        builder: Collects the operations.
        layer: A Keras layer or operation that is not itself a model.
        inputs: Names of the operations it takes.
        shape: Shape of its output without the batch.

    Raises:
        UnsupportedLayerError: There is no handler for this layer, or for this use of it.
    """
    kind = type(layer).__name__
    if kind in IDENTITY_LAYERS:
        return inputs[0]
    if kind in LOWERINGS:
        return LOWERINGS[kind](builder, layer, inputs, shape)
    if kind in _POOLS:
        keys = ("pool_size", "strides", "padding", "keepdims")
        config = {key: value for key, value in layer.get_config().items() if key in keys}
        return builder.add(kind, layer.name, inputs, shape, **config)
    raise unsupported(layer.name, kind)


def _convolution(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    kind = type(layer).__name__
    if getattr(layer, "groups", 1) != 1:
        raise unsupported(layer.name, f"Conv2D in {layer.groups} groups")
    config = {key: getattr(layer, key) for key in ("kernel_size", "strides", "padding", "dilation_rate")}
    if kind == "Conv2D":
        config |= {"filters": layer.filters}
    else:
        config |= {"depth_multiplier": layer.depth_multiplier}
    bias = layer.bias if layer.use_bias else np.zeros(shape[-1])
    name = builder.add(kind, layer.name, inputs, shape, layer.kernel, bias, **config)
    return builder.activation(layer.activation, layer.name, name, shape)


def _separable(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    channels = layer.depthwise_kernel.shape[2] * layer.depth_multiplier
    config = {
        key: getattr(layer, key) for key in ("kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier")
    }
    middle = (*shape[:2], channels)
    zeros = np.zeros(channels)
    name = builder.add(
        "DepthwiseConv2D", f"{layer.name}_depthwise", inputs, middle, layer.depthwise_kernel, zeros, **config
    )
    bias = layer.bias if layer.use_bias else np.zeros(shape[-1])
    config = {
        "kernel_size": (1, 1),
        "filters": shape[-1],
        "padding": "valid",
        "strides": (1, 1),
        "dilation_rate": (1, 1),
    }
    name = builder.add("Conv2D", f"{layer.name}_pointwise", [name], shape, layer.pointwise_kernel, bias, **config)
    return builder.activation(layer.activation, layer.name, name, shape)


def _dense(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    bias = layer.bias if layer.use_bias else np.zeros(shape[-1])
    if len(shape) == 1:
        name = builder.add("Dense", layer.name, inputs, shape, layer.kernel, bias, units=layer.units)
    elif len(shape) == 3:  # every position by itself: the same numbers as a 1x1 convolution, which integer kernels know
        kernel = np.asarray(layer.kernel)[None, None]
        config = {
            "kernel_size": (1, 1),
            "filters": layer.units,
            "padding": "valid",
            "strides": (1, 1),
            "dilation_rate": (1, 1),
        }
        name = builder.add("Conv2D", layer.name, inputs, shape, kernel, bias, **config)
    else:
        raise unsupported(layer.name, f"Dense on {len(shape) + 1} dimensions")
    return builder.activation(layer.activation, layer.name, name, shape)


def _batch_normalization(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    _require_channels_last(layer, shape)
    mean, variance = np.asarray(layer.moving_mean, np.float64), np.asarray(layer.moving_variance, np.float64)
    scale = (np.asarray(layer.gamma, np.float64) if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    offset = (np.asarray(layer.beta, np.float64) if layer.center else 0.0) - mean * scale
    return builder.add("Affine", layer.name, inputs, shape, scale, offset)


def _normalization(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
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


def _rescaling(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    scale = np.broadcast_to(np.asarray(layer.scale, np.float64), (shape[-1],))
    offset = np.broadcast_to(np.asarray(layer.offset, np.float64), (shape[-1],))
    return builder.add("Affine", layer.name, inputs, shape, scale, offset, is_normalization=True)


def _relu(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    if float(layer.threshold or 0):
        raise unsupported(layer.name, f"ReLU with threshold {layer.threshold}")
    slope = float(np.asarray(layer.negative_slope or 0))
    if slope and layer.max_value is not None:
        raise unsupported(layer.name, "ReLU with both negative_slope and max_value")
    if slope:
        return builder.add("LeakyReLU", layer.name, inputs, shape, negative_slope=slope)
    return builder.add("ReLU", layer.name, inputs, shape, max_value=layer.max_value)


def _leaky_relu(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    return builder.add("LeakyReLU", layer.name, inputs, shape, negative_slope=float(layer.negative_slope))


def _activation(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    return builder.activation(layer.activation, layer.name, inputs[0], shape)


def _softmax(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    if layer.axis not in (-1, len(shape)):
        raise unsupported(layer.name, f"Softmax over axis {layer.axis}")
    return builder.add("Activation", layer.name, inputs, shape, activation="softmax")


def _reshape(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    # A fixed target, so that no exporter has to compute a shape at run time.
    return builder.add("Reshape", layer.name, inputs, shape, target_shape=shape)


def _global_max(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    # A pool over the whole map: integer kernels know that, a reduction to the maximum they do not everywhere.
    rows, columns, channels = builder.graph.ops[inputs[0]].shape
    config = {"pool_size": (rows, columns), "strides": (1, 1), "padding": "valid"}
    name = builder.add("MaxPooling2D", layer.name, inputs, (1, 1, channels), **config)
    return name if layer.keepdims else builder.add("Reshape", f"{layer.name}_flat", [name], shape, target_shape=shape)


def _zero_padding(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    return builder.add("ZeroPadding2D", layer.name, inputs, shape, padding=layer.padding)


def _add(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    if any(builder.graph.ops[item].shape != shape for item in inputs):
        raise unsupported(layer.name, "Add of different shapes")
    name = inputs[0]
    for number, other in enumerate(inputs[1:]):  # integer kernels add two tensors at a time
        name = builder.add("Add", layer.name if number == 0 else f"{layer.name}_{number}", [name, other], shape)
    return name


def _concatenate(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    return builder.add("Concatenate", layer.name, inputs, shape, axis=layer.axis)


LOWERINGS: dict[str, Lowering] = {
    "Conv2D": _convolution,
    "DepthwiseConv2D": _convolution,
    "SeparableConv2D": _separable,
    "Dense": _dense,
    "BatchNormalization": _batch_normalization,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "Activation": _activation,
    "Softmax": _softmax,
    "Flatten": _reshape,
    "Reshape": _reshape,
    "GlobalMaxPooling2D": _global_max,
    "ZeroPadding2D": _zero_padding,
    "Add": _add,
    "Concatenate": _concatenate,
}
