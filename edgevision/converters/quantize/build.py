"""A ``Graph`` back to a Keras model, in float or rounded to 8-bit grids."""

from __future__ import annotations

import dataclasses
from typing import Any

from edgevision.converters.quantize.builder import Slot
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.layers import fake_quantize_layer, gelu_layer


def call(op: Op, inputs: list[Any]) -> Any:
    """What an operation makes of its inputs: Keras tensors while a model is built, real ones anywhere else.

    Args:
        op: The operation; its weights are set on the layer made for it.
        inputs: Its inputs, batch first.
    """
    import keras

    if op.kind in ("Kept", "Moved"):
        fill = lambda item: inputs[item.index] if isinstance(item, Slot) else item  # noqa: E731
        args, kwargs = keras.tree.map_structure(fill, (op.config["args"], op.config["kwargs"]))
        return op.config["operation"](*args, **kwargs)
    if op.kind == "Pick":
        return keras.tree.flatten(inputs[0])[op.config["index"]]
    if op.kind == "MatMul":
        return keras.ops.matmul(*inputs)
    is_gelu = op.kind == "Activation" and op.config["activation"] == "gelu"
    layer = gelu_layer(op.name) if is_gelu else getattr(keras.layers, op.kind)(name=op.name, **op.config)
    argument: Any = inputs if op.kind in ("Add", "Multiply", "Concatenate") else inputs[0]
    if op.weights:
        layer.build(argument.shape)
        layer.set_weights(op.weights)
    return layer(argument)


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
        ranges: Grids to round operations' outputs to (``points.rounded_outputs``); None builds the float model.
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
            is_cut = ranges is not None and op.name in ranges and op.kind == "ReLU"
            # The grid of a bounded ReLU ends at its bound or before, and cuts there itself. A kernel with any other
            # bound than 6 behind it would not be fused, and run in float.
            plain = dataclasses.replace(op, config={**op.config, "max_value": None}) if is_cut else op
            value = call(plain, [values[name] for name in op.inputs])
        if ranges is not None and op.name in ranges:
            value = fake_quantize_layer(ranges[op.name], f"{op.name}_grid")(value)
        values[op.name] = value
    wanted = values[graph.output] if outputs is None else {name: values[name] for name in outputs}
    return keras.Model(image, wanted, name="model")  # Keras' own counts up, and exporters write it into their files
