"""What is done to each frame of a film alike: the frames are laid side by side in the batch, where kernels for images
take them. A convolution over frames as well is one over images whose channels are those of the frames it reaches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from edgevision.converters.quantize.builder import Builder, Slot, unsupported
from edgevision.converters.quantize.lower_others import global_average


@contextlib.contextmanager
def by_frame(builder: Builder, inputs: list[str], name: str) -> Iterator[list[str]]:
    """The inputs, (frames, ...) each, as (...) per frame; what is added meanwhile is done to every frame."""
    frames = builder.graph.ops[inputs[0]].shape[0]
    if builder.frames != 1 or any(builder.graph.ops[source].shape[0] != frames for source in inputs):
        raise unsupported(name, "a film within a film, or films of different lengths")
    sources = [_entered(builder, source, frames) for source in inputs]
    builder.frames = frames
    try:
        yield sources
    finally:
        builder.frames = 1


def as_film(builder: Builder, name: str) -> str:
    """What was made of each frame, (frames, ...), outside of ``by_frame``."""
    op = builder.graph.ops[name]
    return _reshaped(builder, f"{name}_film", name, (op.frames, *op.shape))


def _entered(builder: Builder, name: str, frames: int) -> str:
    op = builder.graph.ops[name]
    before = builder.graph.ops[op.inputs[0]] if op.config.get("is_frames") else None
    if before is not None and before.frames == frames:  # it has just come out
        return before.name
    builder.frames = frames
    try:
        return _reshaped(builder, f"{name}_frames", name, op.shape[1:])
    finally:
        builder.frames = 1


def _reshaped(builder: Builder, name: str, source: str, shape: tuple[int, ...]) -> str:
    from keras.src.ops.numpy import Reshape  # Keras' layer of that name cannot change the batch

    config = {"operation": Reshape((-1, *shape)), "args": (Slot(0),), "kwargs": {}, "reason": "", "is_frames": True}
    return builder.add("Moved", name, [source], shape, **config)


def convolution_3d(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """Conv3D of (D, H, W, C), channels last."""
    (depth, *reach), (step, *steps), (gap, *gaps) = layer.kernel_size, layer.strides, layer.dilation_rate
    if layer.groups != 1 or layer.data_format != "channels_last" or steps[0] != steps[1]:
        raise unsupported(layer.name, "Conv3D with groups, channels first or strides of its own in each direction")
    source = inputs[0]
    if layer.padding == "same":
        source = _padded(builder, layer.name, source, max((shape[0] - 1) * step + (depth - 1) * gap + 1, 0))
    if (depth, step) != (1, 1):
        taken = [slice(at * gap, at * gap + (shape[0] - 1) * step + 1, step) for at in range(depth)]
        source = _beside(builder, layer.name, source, taken)
    # (depth, rows, columns, in, out): in the order in which the frames' channels lie beside each other
    kernel = np.moveaxis(np.asarray(layer.kernel), 0, 2).reshape(*reach, -1, shape[-1])
    config = {"kernel_size": tuple(reach), "strides": tuple(steps), "dilation_rate": tuple(gaps)}
    bias = layer.bias if layer.use_bias else np.zeros(shape[-1])
    with by_frame(builder, [source], layer.name) as sources:
        name = builder.add(
            "Conv2D", layer.name, sources, shape[1:], kernel, bias, padding=layer.padding, filters=shape[-1], **config
        )
        name = builder.activation(layer.activation, layer.name, name, shape[1:])
    return as_film(builder, name)


def _padded(builder: Builder, name: str, source: str, needed: int) -> str:
    """Frames of zeros in front and behind, as Keras pads: with rows and columns together as columns of a map."""
    frames, rows, columns, channels = builder.graph.ops[source].shape
    missing = needed - frames
    if missing <= 0:
        return source
    wide, longer = (frames, rows * columns, channels), (needed, rows * columns, channels)
    source = builder.add("Reshape", f"{name}_to_pad", [source], wide, target_shape=wide)
    padding = ((missing // 2, missing - missing // 2), (0, 0))
    source = builder.add("ZeroPadding2D", f"{name}_padded", [source], longer, padding=padding)
    film = (needed, rows, columns, channels)
    return builder.add("Reshape", f"{name}_padded_film", [source], film, target_shape=film)


def _beside(builder: Builder, name: str, source: str, taken: list[slice]) -> str:
    """The channels of several frames each, of every slice one."""
    from keras.src.ops.numpy import GetItem  # what a slice of a symbolic tensor is

    before = builder.graph.ops[source].shape
    count = len(range(*taken[0].indices(before[0])))
    shape = (count, *before[1:])
    parts = [
        builder.keep(GetItem(), f"{name}_frame{at}", [source], shape, (Slot(0), (slice(None), part)), {}, "")
        for at, part in enumerate(taken)
    ]
    if len(parts) == 1:
        return parts[0]
    return builder.add("Beside", f"{name}_frames", parts, (*shape[:-1], len(parts) * shape[-1]))


def global_average_3d(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """GlobalAveragePooling3D: over the frames one below the other."""
    if layer.keepdims or layer.data_format != "channels_last":
        raise unsupported(layer.name, f"{type(layer).__name__} with keepdims or channels first")
    frames, rows, columns, channels = builder.graph.ops[inputs[0]].shape
    tall = (frames * rows, columns, channels)
    source = builder.add("Reshape", f"{layer.name}_as_map", inputs, tall, target_shape=tall)
    return global_average(builder, layer, [source], shape)
