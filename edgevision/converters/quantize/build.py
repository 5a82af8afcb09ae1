"""A ``Graph`` back to a Keras model, in float or rounded to 8-bit grids."""

from __future__ import annotations

from typing import Any

from edgevision.converters.quantize.fake_quant import Range, fake_quantize_layer
from edgevision.converters.quantize.graph import Graph, Op


def make_layer(op: Op) -> Any:
    """The Keras layer of an operation, built for the channels its weights have; weights are set on its first call."""
    import keras

    return getattr(keras.layers, op.kind)(name=op.name, **op.config)


def build_model(
    graph: Graph,
    ranges: dict[str, Range] | None = None,
    *,
    outputs: list[str] | None = None,
    batch: int | None = None,
    pixel_dtype: str = "float32",
) -> Any:
    """A functional Keras model of the graph.

    Args:
        graph: Operations with weights.
        ranges: Grids to round operations' outputs to (``points.all_ranges``); None builds the float model.
        outputs: Operations whose outputs the model returns, as a dict by name (Keras unwraps a list of one); None: the
            graph's output alone.
        batch: Fixed batch size; None leaves it open.
        pixel_dtype: dtype of the input, raw pixels 0..255; "uint8" puts a cast behind it.

    Returns:
        keras.Model; input "image" (batch, H, W, C).
    """
    import keras

    source = graph.input
    image = keras.Input(source.shape, batch_size=batch, name="image", dtype=pixel_dtype)
    values: dict[str, Any] = {}
    for op in graph:
        if op is source:
            value = image if pixel_dtype == "float32" else keras.ops.cast(image, "float32")
        else:
            value = _call(op, [values[name] for name in op.inputs])
        if ranges is not None and op.name in ranges:
            grid = ranges[op.name]
            value = fake_quantize_layer()(grid.scale, grid.zero_point, name=f"{op.name}_grid")(value)
        values[op.name] = value
    wanted = values[graph.output] if outputs is None else {name: values[name] for name in outputs}
    return keras.Model(image, wanted, name="model")  # Keras' own counts up, and exporters write it into their files


def _call(op: Op, inputs: list[Any]) -> Any:
    layer = make_layer(op)
    result = layer(inputs if op.kind in ("Add", "Concatenate") else inputs[0])
    if op.weights:
        layer.set_weights(op.weights)
    return result
