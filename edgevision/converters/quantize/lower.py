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
    "StochasticDepth",  # keras.applications' own, in ConvNeXt
]

_POOLS = ("MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D")
#: Activation functions with an 8-bit form in at least one engine; each is an "Activation" operation.
_ACTIVATIONS = ("sigmoid", "tanh", "softmax", "hard_silu", "gelu", "elu")
#: keras.ops operation -> activation function
_FUNCTIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Silu": "silu",
    "HardSilu": "hard_silu",
    "HardSigmoid": "hard_sigmoid",
    "Gelu": "gelu",
    "Elu": "elu",
}
#: Layers and operations that only move values.
_MOVING = ("Permute", "Cropping1D", "Cropping2D", "Transpose", "Squeeze", "ExpandDims", "GetItem", "Swapaxes", "Moveaxis")

#: Recurrent layers of at most so many steps are written out step by step.
_MOST_STEPS = 64

Lowering = Callable[["Builder", Any, list[str], tuple[int, ...]], str]


class Slot:
    """Stands in a kept operation's arguments for its n-th input."""

    def __init__(self, index: int) -> None:
        self.index = index


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
        """Append the operation of a Keras activation function, given itself or by name."""
        word = function if isinstance(function, str) else getattr(function, "__name__", str(function))
        if word == "linear":
            return source
        if word in ("relu", "relu6"):
            return self.add("ReLU", f"{name}_{word}", [source], shape, max_value=6.0 if word == "relu6" else None)
        if word == "leaky_relu":
            return self.add("LeakyReLU", f"{name}_{word}", [source], shape, negative_slope=0.2)
        if word in ("silu", "swish"):  # no engine has it in 8 bits; all have its two halves
            gate = self.add("Activation", f"{name}_sigmoid", [source], shape, activation="sigmoid")
            return self.add("Multiply", f"{name}_silu", [source, gate], shape)
        if word == "hard_sigmoid":  # clip(x / 6 + 0.5, 0, 1): the line goes into the layer before, the clip is a ReLU
            line = np.full(shape[-1], 1 / 6), np.full(shape[-1], 0.5)
            source = self.add("Affine", f"{name}_line", [source], shape, *line)
            return self.add("ReLU", f"{name}_hard_sigmoid", [source], shape, max_value=1.0)
        if word in _ACTIVATIONS:
            return self.add("Activation", f"{name}_{word}", [source], shape, activation=word)
        return self.keep_activation(function, name, source, shape)

    def keep_activation(self, function: Any, name: str, source: str, shape: tuple[int, ...]) -> str:
        """Append an activation function that stays as Keras has it, in float."""
        import keras

        layer = keras.layers.Activation(function)
        reason = f"activation {getattr(function, '__name__', function)!r} has no 8-bit form"
        return self.keep(layer, f"{name}_activation", [source], shape, (Slot(0),), {}, reason)

    def keep(
        self,
        operation: Any,
        name: str,
        inputs: list[str],
        shape: tuple[int, ...],
        args: Any,
        kwargs: dict[str, Any],
        reason: str,
    ) -> str:
        """Append a Keras layer or operation as it is: it runs in float between 8-bit neighbours, or only moves values.

        Args:
            operation: What to call.
            name: Its name.
            inputs: Names of the operations it takes.
            shape: Shape of its output without the batch.
            args: Its arguments, a ``Slot`` wherever an input belongs.
            kwargs: Its keyword arguments, likewise.
            reason: Why it is kept.
        """
        kind = "Moved" if type(operation).__name__ in _MOVING else "Kept"
        operation = _unrolled(operation, self.graph.ops[inputs[0]].shape) if inputs else operation
        return self.add(kind, name, inputs, shape, operation=operation, args=args, kwargs=kwargs, reason=reason)


def _unrolled(operation: Any, shape: tuple[int, ...]) -> Any:
    """A recurrent layer without its loop, where it has few steps: ONNX Runtime 1.31 dies on a loop that reads 8-bit values."""
    halves = [getattr(operation, name, None) for name in ("forward_layer", "backward_layer")]
    parts = [part for part in (operation, *halves) if hasattr(part, "unroll")]
    if not parts or len(shape) < 2 or shape[0] > _MOST_STEPS:
        return operation
    copy = type(operation).from_config(operation.get_config())
    for part in (copy, *(getattr(copy, name, None) for name in ("forward_layer", "backward_layer"))):
        if hasattr(part, "unroll"):
            part.unroll = True
    copy.build((1, *shape))
    copy.set_weights(operation.get_weights())
    return copy


def unsupported(name: str, kind: str) -> UnsupportedLayerError:
    """What a handler raises when a layer, or this use of it, has no 8-bit form; the layer is then kept in float."""
    return UnsupportedLayerError(f"{kind} has no 8-bit form", got=name)


def lower(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """Append what ``layer`` does to the graph and return the name of the last operation.

    Args:
        builder: Collects the operations.
        layer: A Keras layer or operation that is not itself a model, taking tensors only.
        inputs: Names of the operations it takes.
        shape: Shape of its output without the batch.

    Raises:
        UnsupportedLayerError: There is no handler for this layer, or for this use of it.
    """
    kind = type(layer).__name__
    if kind in IDENTITY_LAYERS:
        return inputs[0]
    if kind == "MultiHeadAttention":
        from edgevision.converters.quantize.attention import multi_head_attention

        return multi_head_attention(builder, layer, inputs, shape)
    if kind in LOWERINGS:
        return LOWERINGS[kind](builder, layer, inputs, shape)
    if kind in _FUNCTIONS and not getattr(layer, "approximate", False):
        return builder.activation(_FUNCTIONS[kind], layer.name, inputs[0], shape)
    if kind in _POOLS:
        keys = ("pool_size", "strides", "padding", "keepdims")
        config = {key: value for key, value in layer.get_config().items() if key in keys}
        return builder.add(kind, layer.name, inputs, shape, **config)
    raise unsupported(layer.name, kind)


def lower_with_constant(builder: Builder, operation: Any, args: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """Append x + c, x - c, c - x, x * c or x / c as a per-channel line.

    Raises:
        UnsupportedLayerError: It is something else, or ``c`` differs within a channel.
    """
    kind = type(operation).__name__
    left = isinstance(args[0], Slot) if len(args) == 2 else False
    constant = np.asarray(args[1] if left else args[0], np.float64) if len(args) == 2 else np.zeros(0)
    if kind not in ("Add", "Subtract", "Multiply", "TrueDivide", "Divide") or constant.size not in (1, shape[-1]):
        raise unsupported(operation.name, kind)
    if constant.size > 1 and constant.shape[-1] != shape[-1]:
        raise unsupported(operation.name, kind)
    values = np.broadcast_to(constant.ravel(), (shape[-1],))
    ones, zeros = np.ones_like(values), np.zeros_like(values)
    lines = {
        ("Add", True): (ones, values),
        ("Add", False): (ones, values),
        ("Subtract", True): (ones, -values),
        ("Subtract", False): (-ones, values),
        ("Multiply", True): (values, zeros),
        ("Multiply", False): (values, zeros),
        ("TrueDivide", True): (1 / np.where(values == 0, 1, values), zeros),
        ("Divide", True): (1 / np.where(values == 0, 1, values), zeros),
    }
    if (kind, left) not in lines or (kind.endswith("Divide") and not values.all()):
        raise unsupported(operation.name, kind)
    return builder.add("Affine", operation.name, inputs, shape, *lines[kind, left])


def _convolution(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    kind = type(layer).__name__
    if getattr(layer, "groups", 1) != 1:
        return _grouped(builder, layer, inputs, shape)
    config = {key: getattr(layer, key) for key in ("kernel_size", "strides", "padding", "dilation_rate")}
    if kind == "Conv2D":
        config |= {"filters": layer.filters}
    else:
        config |= {"depth_multiplier": layer.depth_multiplier}
    bias = layer.bias if layer.use_bias else np.zeros(shape[-1])
    name = builder.add(kind, layer.name, inputs, shape, layer.kernel, bias, **config)
    return builder.activation(layer.activation, layer.name, name, shape)


def _grouped(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """A convolution per group, side by side: TensorFlow's own grouped kernel has no CPU form that can be exported."""
    from keras.src.ops.numpy import GetItem as get_item  # what a slice of a symbolic tensor is

    config = {key: getattr(layer, key) for key in ("kernel_size", "strides", "padding", "dilation_rate")}
    source = builder.graph.ops[inputs[0]].shape
    width, filters = source[-1] // layer.groups, layer.filters // layer.groups
    bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(layer.filters)
    kernel, parts = np.asarray(layer.kernel), []
    for group in range(layer.groups):
        name, part = f"{layer.name}_group{group}", slice(group * filters, (group + 1) * filters)
        taken = (Ellipsis, slice(group * width, (group + 1) * width))
        sliced = builder.keep(get_item(), f"{name}_input", inputs, (*source[:2], width), (Slot(0), taken), {}, "")
        parts.append(
            builder.add("Conv2D", name, [sliced], (*shape[:2], filters), kernel[..., part], bias[part], filters=filters, **config)
        )
    name = builder.add("Concatenate", layer.name, parts, shape, axis=-1)
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
    if len(shape) > 3:
        raise unsupported(layer.name, f"Dense on {len(shape) + 1} dimensions")
    bias = layer.bias if layer.use_bias else np.zeros(shape[-1])
    name = dense(builder, layer.name, inputs[0], layer.kernel, bias)
    return builder.activation(layer.activation, layer.name, name, shape)


def dense(builder: Builder, name: str, source: str, kernel: Any, bias: Any) -> str:
    """Append ``x @ kernel + bias`` for (channels,), (steps, channels) or (rows, columns, channels).

    Applied at every position by itself it is a 1x1 convolution, which integer kernels know with a scale per channel.
    """
    shape, units = builder.graph.ops[source].shape, int(kernel.shape[-1])
    if len(shape) == 1:
        return builder.add("Dense", name, [source], (units,), kernel, bias, units=units)
    config = {"kernel_size": 1, "filters": units, "padding": "valid", "strides": 1, "dilation_rate": 1}
    wide = _as_map(builder, name, source) if len(shape) == 2 else source
    rows = builder.graph.ops[wide].shape[:2]
    result = builder.add("Conv2D", name, [wide], (*rows, units), np.asarray(kernel)[None, None], bias, **config)
    return result if len(shape) == 3 else _as_sequence(builder, name, result)


def _as_map(builder: Builder, name: str, source: str) -> str:
    """(steps, channels) to (1, steps, channels), so that two-dimensional kernels take it."""
    shape = (1, *builder.graph.ops[source].shape)
    return builder.add("Reshape", f"{name}_as_map", [source], shape, target_shape=shape)


def _as_sequence(builder: Builder, name: str, source: str) -> str:
    """(1, steps, channels) back to (steps, channels)."""
    shape = builder.graph.ops[source].shape[1:]
    return builder.add("Reshape", f"{name}_as_sequence", [source], shape, target_shape=shape)


def _convolution_1d(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    if layer.groups != 1 or layer.padding not in ("valid", "same"):
        raise unsupported(layer.name, f"Conv1D in {layer.groups} groups with {layer.padding} padding")
    source = _as_map(builder, layer.name, inputs[0])
    config = {key: (1, *getattr(layer, key)) for key in ("kernel_size", "strides", "dilation_rate")}
    if config["strides"] == (1, layer.strides[0]) and layer.strides[0] > 1:
        config["strides"] = (layer.strides[0],) * 2  # TensorFlow wants equal strides; one row has only one step
    kernel, bias = np.asarray(layer.kernel)[None], layer.bias if layer.use_bias else np.zeros(shape[-1])
    name = builder.add(
        "Conv2D", layer.name, [source], (1, *shape), kernel, bias, padding=layer.padding, filters=layer.filters, **config
    )
    return _as_sequence(builder, layer.name, builder.activation(layer.activation, layer.name, name, (1, *shape)))


def _transposed(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    if layer.output_padding is not None or tuple(layer.dilation_rate) != (1, 1):
        raise unsupported(layer.name, "Conv2DTranspose with output_padding or dilation")
    config = {key: getattr(layer, key) for key in ("kernel_size", "strides", "padding", "filters")}
    bias = layer.bias if layer.use_bias else np.zeros(shape[-1])
    name = builder.add("Conv2DTranspose", layer.name, inputs, shape, layer.kernel, bias, **config)
    return builder.activation(layer.activation, layer.name, name, shape)


def _upsampling(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    config = {"size": layer.size, "interpolation": layer.interpolation}
    if layer.interpolation not in ("nearest", "bilinear"):
        raise unsupported(layer.name, f"UpSampling2D by {layer.interpolation}")
    return builder.add("UpSampling2D", layer.name, inputs, shape, **config)


def _global_pool_1d(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    source = _as_map(builder, layer.name, inputs[0])
    if layer.keepdims:
        raise unsupported(layer.name, f"{type(layer).__name__}(keepdims=True)")
    if type(layer).__name__ == "GlobalAveragePooling1D":
        return builder.add("GlobalAveragePooling2D", layer.name, [source], shape, keepdims=False)
    return _global_max(builder, layer, [source], shape)


def _layer_scale(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    gamma = np.asarray(layer.gamma)
    return builder.add("Affine", layer.name, inputs, shape, gamma, np.zeros_like(gamma))


def _multiply(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    name = inputs[0]
    for number, other in enumerate(inputs[1:]):
        name = builder.add("Multiply", layer.name if number == 0 else f"{layer.name}_{number}", [name, other], shape)
    return name


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
    "Multiply": _multiply,
    "Conv1D": _convolution_1d,
    "Conv2DTranspose": _transposed,
    "UpSampling2D": _upsampling,
    "GlobalAveragePooling1D": _global_pool_1d,
    "GlobalMaxPooling1D": _global_pool_1d,
    "LayerScale": _layer_scale,  # keras.applications' own, in ConvNeXt
}
