"""Keras layers that multiply a kernel with their input, to the operations integer kernels know."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgevision.converters.quantize.builder import Builder, Slot, unsupported


def convolution(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """Conv2D and DepthwiseConv2D, with the activation behind them."""
    kind, kernel = type(layer).__name__, np.asarray(layer.kernel)
    groups, channels = getattr(layer, "groups", 1), builder.graph.ops[inputs[0]].shape[-1]
    config = {key: getattr(layer, key) for key in ("kernel_size", "strides", "padding", "dilation_rate")}
    if groups == channels > 1:  # ConvNeXt writes its depthwise convolutions like this
        kind, kernel = "DepthwiseConv2D", kernel.reshape(*kernel.shape[:2], channels, -1)
    elif groups != 1:
        return _grouped(builder, layer, inputs, shape)
    config |= {"filters": shape[-1]} if kind == "Conv2D" else {"depth_multiplier": kernel.shape[-1]}
    bias = layer.bias if layer.use_bias else np.zeros(shape[-1])
    name = builder.add(kind, layer.name, inputs, shape, kernel, bias, **config)
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
            builder.add(
                "Conv2D",
                name,
                [sliced],
                (*shape[:2], filters),
                kernel[..., part],
                bias[part],
                filters=filters,
                **config,
            )
        )
    name = builder.add("Concatenate", layer.name, parts, shape, axis=-1)
    return builder.activation(layer.activation, layer.name, name, shape)


def separable(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """SeparableConv2D: a depthwise convolution and a 1x1 convolution."""
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


def dense_layer(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """Dense over the last of one to three axes."""
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
    wide = as_map(builder, name, source) if len(shape) == 2 else source
    rows = builder.graph.ops[wide].shape[:2]
    result = builder.add("Conv2D", name, [wide], (*rows, units), np.asarray(kernel)[None, None], bias, **config)
    return result if len(shape) == 3 else as_sequence(builder, name, result)


def as_map(builder: Builder, name: str, source: str) -> str:
    """(steps, channels) to (1, steps, channels), so that two-dimensional kernels take it."""
    shape = (1, *builder.graph.ops[source].shape)
    return builder.add("Reshape", f"{name}as_map", [source], shape, target_shape=shape)


def as_sequence(builder: Builder, name: str, source: str) -> str:
    """(1, steps, channels) back to (steps, channels)."""
    shape = builder.graph.ops[source].shape[1:]
    return builder.add("Reshape", f"{name}as_sequence", [source], shape, target_shape=shape)


def convolution_1d(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """Conv1D: a convolution over a map of one row."""
    if layer.groups != 1 or layer.padding not in ("valid", "same"):
        raise unsupported(layer.name, f"Conv1D in {layer.groups} groups with {layer.padding} padding")
    source = as_map(builder, layer.name, inputs[0])
    config = {key: (1, *getattr(layer, key)) for key in ("kernel_size", "strides", "dilation_rate")}
    if config["strides"] == (1, layer.strides[0]) and layer.strides[0] > 1:
        config["strides"] = (layer.strides[0],) * 2  # TensorFlow wants equal strides; one row has only one step
    kernel, bias = np.asarray(layer.kernel)[None], layer.bias if layer.use_bias else np.zeros(shape[-1])
    name = builder.add(
        "Conv2D",
        layer.name,
        [source],
        (1, *shape),
        kernel,
        bias,
        padding=layer.padding,
        filters=layer.filters,
        **config,
    )
    return as_sequence(builder, layer.name, builder.activation(layer.activation, layer.name, name, (1, *shape)))


def transposed(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """Conv2DTranspose."""
    if layer.output_padding is not None or tuple(layer.dilation_rate) != (1, 1):
        raise unsupported(layer.name, "Conv2DTranspose with output_padding or dilation")
    config = {key: getattr(layer, key) for key in ("kernel_size", "strides", "padding", "filters")}
    bias = layer.bias if layer.use_bias else np.zeros(shape[-1])
    name = builder.add("Conv2DTranspose", layer.name, inputs, shape, layer.kernel, bias, **config)
    return builder.activation(layer.activation, layer.name, name, shape)
