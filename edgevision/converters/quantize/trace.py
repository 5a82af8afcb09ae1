"""A Keras model, whatever it is nested in, to a flat ``Graph``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgevision.converters.quantize.builder import Builder, Slot
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.lower import lower, lower_with_constant
from edgevision.converters.quantize.lower_frames import as_film, by_frame
from edgevision.runtime.errors import UnsupportedLayerError


def trace(model: Any, image_shape: tuple[int, int, int]) -> Graph:
    """The operations of a model that takes one image and has one output; they are called "image" and "output".

    Args:
        model: keras.Model with one image input (batch, H, W, C) and one output.
        image_shape: (H, W, C) to trace with; fills in what the model leaves open.

    Returns:
        A graph whose values equal ``model(x, training=False)``.
    """
    return trace_tensors(model, [Op("image", "Input", [], image_shape, dtype="uint8")], ["output"])


def trace_tensors(model: Any, inputs: Sequence[Op], outputs: Sequence[str]) -> Graph:
    """The operations of a functional or sequential Keras model at fixed input shapes.

    Args:
        model: keras.Model.
        inputs: An "Input" for each input of the model, in its order; what the model leaves open is fixed by its shape.
        outputs: A name for each output of the model, in its order.

    Returns:
        A graph whose values equal ``model(x, training=False)``.
    """
    import keras

    builder = Builder()
    builder.graph.ops = {op.name: op for op in inputs}
    sources = [
        keras.Input(op.shape, batch_size=1, name=op.name, dtype="int32" if op.dtype == "int32" else "float32")
        for op in inputs
    ]
    names = _walk(model, sources, [op.name for op in inputs], builder)
    builder.graph.outputs = dict(zip(outputs, names, strict=True))
    builder.graph.prune()
    return builder.graph


def _walk(model: Any, tensors: list[Any], names: list[str], builder: Builder) -> list[str]:
    """Run ``model`` symbolically and record every call; a model inside it is walked in turn. Names of its outputs."""
    import keras

    known = {id(tensor): name for tensor, name in zip(tensors, names)}
    alive = list(tensors)  # ids are only unique among living tensors

    def record(layer: Any, *args: Any, **kwargs: Any) -> Any:
        result = layer(*args, **kwargs)
        taken = [tensor for tensor in keras.tree.flatten(args) if id(tensor) in known]
        if isinstance(layer, keras.Model) and len(getattr(layer, "inputs", None) or ()) == len(taken) > 0:
            # Inputs of its own: on tensors that something computed Keras copies the graph, and nothing is found again.
            fresh = [keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype) for tensor in taken]
            inside = _walk(layer, fresh, [known[id(tensor)] for tensor in taken], builder)
            found = list(zip(keras.tree.flatten(result), inside, strict=True))
        elif builder.frames == 1 and _is_film_of_a_model(layer, args, kwargs):
            (film,) = args
            fresh = [keras.Input(batch_shape=film.shape[1:], dtype=film.dtype)]
            with by_frame(builder, [known[id(film)]], layer.name) as sources:
                (made,) = _walk(layer.layer, fresh, sources, builder)
            found = [(result, as_film(builder, made))]
        else:
            found = _append(builder, layer, args, kwargs, result, known)
        for tensor, name in found:
            known[id(tensor)] = name
            alive.append(tensor)
        return result

    functional = keras.Model(model.inputs, model.outputs)  # clone_model calls back for functional models only
    clone = keras.models.clone_model(
        functional, input_tensors=list(tensors), clone_function=lambda layer: layer, call_function=record
    )
    return [known[id(result)] for result in clone.outputs]


def _is_film_of_a_model(layer: Any, args: Any, kwargs: Any) -> bool:
    """Whether a model of one input and one output is applied to each frame, without a mask."""
    import keras

    if not isinstance(layer, keras.layers.TimeDistributed) or not isinstance(layer.layer, keras.Model):
        return False
    ends = [len(getattr(layer.layer, name, None) or ()) for name in ("inputs", "outputs")]
    return ends == [1, 1] and len(args) == 1 and kwargs.get("mask") is None


def _append(
    builder: Builder, layer: Any, args: Any, kwargs: Any, result: Any, known: dict[int, str]
) -> list[tuple[Any, str]]:
    """Append one call to the graph; which operation each of its output tensors is."""
    import keras

    inputs: list[str] = []
    taken: list[Any] = []

    def slot(item: Any) -> Any:
        if id(item) not in known:
            return item
        inputs.append(known[id(item)])
        taken.append(item)
        return Slot(len(inputs) - 1)

    args, kwargs = keras.tree.map_structure(slot, (args, kwargs))
    outputs = keras.tree.flatten(result)
    constants = [item for item in keras.tree.flatten((args, kwargs)) if item is not None and not isinstance(item, Slot)]
    shape = tuple(outputs[0].shape[1:])
    said = [f"{key}={value}" for key, value in kwargs.items() if key != "training" and value not in (None, False)]
    try:
        if any("float" not in str(item.dtype) for item in taken):
            raise UnsupportedLayerError(f"{type(layer).__name__} takes integers")
        if said and isinstance(layer, keras.layers.Layer):
            raise UnsupportedLayerError(f"{type(layer).__name__} called with {said[0]} has no 8-bit form")
        if len(outputs) == 1 and (not constants or isinstance(layer, keras.layers.Layer)):
            return [(outputs[0], lower(builder, layer, inputs, shape))]
        if len(outputs) == 1:
            return [(outputs[0], lower_with_constant(builder, layer, args, inputs, shape))]
        reason = f"{type(layer).__name__} has several outputs"
    except UnsupportedLayerError as error:
        reason = error.problem
    name = builder.keep(layer, layer.name, inputs, shape, args, kwargs, reason)
    if len(outputs) == 1:
        builder.graph.ops[name].dtype = str(outputs[0].dtype)
        return [(outputs[0], name)]
    found = []
    for index, tensor in enumerate(outputs):
        found.append((tensor, builder.add("Pick", f"{name}_{index}", [name], tuple(tensor.shape[1:]), index=index)))
        builder.graph.ops[found[-1][1]].dtype = str(tensor.dtype)
    return found
