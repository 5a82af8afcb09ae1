"""A ``Graph`` back to a Keras model, in float or rounded to 8-bit grids."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.builder import Slot
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.integers import Whole, plan
from edgevision.converters.quantize.layers import fake_quantize_layer, fed_kernel_layer, gelu_layer, whole_layer
from edgevision.converters.quantize.macs import macs

#: Multiply-accumulates of a graph, per sample, from which on building TensorFlow's graph of it takes less time than it
#: saves on some dozen samples (MobileNetV2 at 224 pixels, 0.3e9, in nine forms: 38 s became 30).
_LARGE = 100_000_000


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
    if op.kind == "Beside":
        return keras.layers.Concatenate(name=op.name)(inputs)
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
    fed: Sequence[str] = (),
    whole: bool = False,
) -> Any:
    """A functional Keras model of the graph; ``run`` feeds it.

    Args:
        graph: Operations with weights.
        ranges: Grids to round operations' outputs to (``points.rounded_outputs``); None builds the float model.
        outputs: Operations whose outputs the model returns, as a dict by name (Keras unwraps a list of one); None: the
            graph's only output as it is, several as a dict by their names.
        batch: Fixed batch size; None leaves it open.
        pixel_dtype: dtype of an input of raw pixels 0..255; "uint8" puts a cast behind it.
        fed: Operations (Conv2D, Dense) whose kernels become inputs of the model, in this order behind its own.
        whole: Compute kernels of a rounded model on whole numbers (``integers``): for comparing, not for exporting.

    Returns:
        keras.Model; its inputs (batch, ...) have the names of the graph's.
    """
    import keras

    sources: list[Any] = []
    kernels = {name: keras.Input(batch_shape=graph.ops[name].weights[0].shape) for name in fed}
    values: dict[str, Any] = {}
    integers = plan(graph, ranges) if whole and ranges is not None else {}
    for op in graph:
        if op.kind == "Input":
            dtype = pixel_dtype if op.dtype == "uint8" else op.dtype
            sources.append(keras.Input(op.shape, batch_size=batch, name=op.name, dtype=dtype))
            value = keras.ops.cast(sources[-1], "float32") if dtype == "uint8" else sources[-1]
        elif op.name in kernels:
            value = fed_kernel_layer(op)([values[op.inputs[0]], kernels[op.name]])
        else:
            value = _made(op, [values[name] for name in op.inputs], ranges or {}, integers)
        values[op.name] = _on_grid(op, value, ranges or {})
    # Keras' own names count up, and exporters write them into their files.
    sources += kernels.values()
    return keras.Model(sources[0] if len(sources) == 1 else sources, _returned(graph, values, outputs), name="model")


def _made(op: Op, inputs: list[Any], ranges: Mapping[str, Range], integers: Mapping[str, Whole]) -> Any:
    if op.name in integers:
        return whole_layer(integers[op.name])(inputs)
    return call(in_integers(op) if op.name in ranges else op, inputs)


def _on_grid(op: Op, value: Any, ranges: Mapping[str, Range]) -> Any:
    return fake_quantize_layer(ranges[op.name], f"{op.name}_grid")(value) if op.name in ranges else value


def _returned(graph: Graph, values: dict[str, Any], outputs: list[str] | None) -> Any:
    if outputs is not None:
        return {name: values[name] for name in outputs}
    if len(graph.outputs) == 1:
        return values[graph.output]
    return {key: values[name] for key, name in graph.outputs.items()}


def in_integers(op: Op) -> Op:
    """An operation whose output is rounded, as integer kernels compute it."""
    if op.kind == "ReLU":
        # The grid of a bounded ReLU ends at its bound or before, and cuts there itself. A kernel with any other
        # bound than 6 behind it would not be fused, and run in float.
        return dataclasses.replace(op, config={**op.config, "max_value": None})
    if op.kind == "LeakyReLU":
        # TFLite's kernel has a factor of 8 bits. With that one, others compute the same; 0.3 and 0.1 would put one
        # negative value in ten half way between two steps, where each engine rounds its own way.
        slope = round(256 * op.config["negative_slope"]) / 256
        return dataclasses.replace(op, config={**op.config, "negative_slope": slope})
    return op


def run(model: Any, batch: Mapping[str, NDArray[Any]]) -> Any:
    """What a model of ``build_model`` makes of named arrays; they take its inputs' dtypes.

    Args:
        model: From ``build_model``.
        batch: An array (n, ...) for every input, by name; others are ignored.

    Returns:
        Tensors, as the model returns them.
    """
    return model(feeds(model, batch), training=False)


class Compiled:
    """A Keras model as one graph of TensorFlow, for many batches: four times faster than eager at 224 pixels.

    Building the graph takes a second or more, so that a model which sees a few batches is better called itself.

    Attributes:
        inputs: The model's.
    """

    def __init__(self, model: Any) -> None:
        import tensorflow as tf

        self.inputs = model.inputs
        self._run = tf.function(lambda values: model(values, training=False), reduce_retracing=True)

    def __call__(self, values: Any, training: bool = False) -> Any:
        """What the model makes of its inputs; ``training`` is there because models have it, and is never on."""
        return self._run(values)


def ready(model: Any, graph: Graph) -> Any:
    """A model of ``graph`` in the form that some dozen samples run through fastest, building it included."""
    return Compiled(model) if sum(macs(graph, op) for op in graph) >= _LARGE else model


def feeds(model: Any, batch: Mapping[str, NDArray[Any]]) -> Any:
    """Named arrays as a model of ``build_model`` takes them: one array, or a list in the order of its inputs."""
    found = [np.asarray(batch[tensor.name], np.dtype(tensor.dtype)) for tensor in model.inputs]
    return found[0] if len(found) == 1 else found


def answer(model: Any, graph: Graph, batch: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """``run`` as arrays by the graph's names of its outputs.

    Args:
        model: From ``build_model``, with the graph's own outputs.
        graph: What it was built from.
        batch: An array (n, ...) for every input, by name.
    """
    found = run(model, batch)
    by_name = found if isinstance(found, dict) else dict.fromkeys(graph.outputs, found)
    return {key: np.asarray(by_name[key]) for key in graph.outputs}


def build_pieces(graph: Graph, names: list[str], ranges: dict[str, Range] | None = None) -> Any:
    """The graph cut at some operations: each part takes what it is given, not what the one before made.

    Args:
        graph: Operations with weights.
        names: Operations to cut behind.
        ranges: Grids to round operations' outputs to, kernels on whole numbers; None: in float.

    Returns:
        keras.Model from a list, the values of the inputs and of each of ``names``, to a dict of what the graph computes
        at each of them from the cuts before it.
    """
    import keras

    made: dict[str, Any] = {
        op.name: keras.Input(op.shape, dtype="float32" if op.dtype == "uint8" else op.dtype) for op in graph.inputs
    }
    given = {name: keras.Input(graph.ops[name].shape) for name in names}
    taken = [*made.values(), *given.values()]
    values: dict[str, Any] = {}
    integers = {} if ranges is None else plan(graph, ranges)
    for op in graph:
        if op.kind != "Input":
            made[op.name] = _made(op, [values[name] for name in op.inputs], ranges or {}, integers)
        made[op.name] = _on_grid(op, made[op.name], ranges or {})
        values[op.name] = given.get(op.name, made[op.name])
    return keras.Model(taken, {name: made[name] for name in names})
