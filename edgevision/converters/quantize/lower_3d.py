"""Pooling over three axes as pooling over two, twice: TFLite has no operator for the former."""

from __future__ import annotations

from typing import Any

from edgevision.converters.quantize.builder import Builder, unsupported
from edgevision.converters.quantize.lower_frames import as_film, by_frame


def pool_3d(builder: Builder, layer: Any, inputs: list[str], shape: tuple[int, ...]) -> str:
    """MaxPooling3D and AveragePooling3D of (D, H, W, C), channels last.

    Maxima, and means of what lies inside the borders, can be taken axis by axis: first over D and H, with W and C
    together as channels, then over W.
    """
    if layer.data_format != "channels_last":
        raise unsupported(layer.name, f"{type(layer).__name__} with channels first")
    kind = type(layer).__name__.replace("3D", "2D")
    if layer.pool_size[0] == layer.strides[0] == 1:
        sizes, steps = layer.pool_size[1:], layer.strides[1:]
        with by_frame(builder, inputs, layer.name) as sources:
            config = {"pool_size": sizes, "strides": steps, "padding": layer.padding}
            name = builder.add(kind, layer.name, sources, shape[1:], **config)
        return as_film(builder, name)
    depth, rows, columns, channels = builder.graph.ops[inputs[0]].shape
    after, below, beside, _ = shape

    def reshaped(name: str, source: str, target: tuple[int, ...]) -> str:
        return builder.add("Reshape", f"{layer.name}_{name}", [source], target, target_shape=target)

    def pooled(name: str, source: str, target: tuple[int, ...], axes: tuple[int, ...]) -> str:
        sizes, steps = ((1, *(each[axis] for axis in axes))[-2:] for each in (layer.pool_size, layer.strides))
        config = {"pool_size": sizes, "strides": steps, "padding": layer.padding}
        return builder.add(kind, name, [source], target, **config)

    maps = reshaped("as_maps", inputs[0], (depth, rows, columns * channels))
    maps = pooled(f"{layer.name}_maps", maps, (after, below, columns * channels), (0, 1))
    lines = reshaped("as_lines", maps, (after * below, columns, channels))
    lines = pooled(layer.name, lines, (after * below, beside, channels), (2,))
    return reshaped("as_it_was", lines, shape)
