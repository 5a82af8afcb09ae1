"""A Keras model, whatever it is nested in, to a flat ``Graph``."""

from __future__ import annotations

from typing import Any

from edgevision.converters.quantize.builder import Builder, Slot
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.lower import lower, lower_with_constant
from edgevision.runtime.errors import UnsupportedLayerError


def trace(model: Any, image_shape: tuple[int, int, int]) -> Graph:
    """The operations of a functional or sequential Keras model at a fixed input size.

    Args:
        model: keras.Model with one image input (batch, H, W, C) and one output.
        image_shape: (H, W, C) to trace with; fills in what the model leaves open.

    Returns:
        A graph whose values equal ``model(x, training=False)``.

    Raises:
        UnsupportedLayerError: A layer has no handler; its name and type are in the message.
    """
    import keras

    builder = Builder()
    source = keras.Input(image_shape, batch_size=1, name="image")
    name = builder.add("Input", "image", [], image_shape)
    _walk(model, [source], [name], builder)
    return builder.graph


def _walk(model: Any, tensors: list[Any], names: list[str], builder: Builder) -> str:
    """Run ``model`` symbolically and record every call; a model inside it is walked in turn. Name of its output."""
    import keras

    known = {id(tensor): name for tensor, name in zip(tensors, names)}
    alive = list(tensors)  # ids are only unique among living tensors

    def record(layer: Any, *args: Any, **kwargs: Any) -> Any:
        result = layer(*args, **kwargs)
        taken = [tensor for tensor in keras.tree.flatten(args) if id(tensor) in known]
        if isinstance(layer, keras.Model) and len(getattr(layer, "outputs", None) or ()) == 1:
            # Inputs of its own: on tensors that something computed Keras copies the graph, and nothing is found again.
            fresh = [keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype) for tensor in taken]
            found = [(result, _walk(layer, fresh, [known[id(tensor)] for tensor in taken], builder))]
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
    (result,) = clone.outputs
    builder.graph.output = known[id(result)]
    return known[id(result)]


def _append(
    builder: Builder, layer: Any, args: Any, kwargs: Any, result: Any, known: dict[int, str]
) -> list[tuple[Any, str]]:
    """Append one call to the graph; which operation each of its output tensors is."""
    import keras

    inputs: list[str] = []

    def slot(item: Any) -> Any:
        if id(item) not in known:
            return item
        inputs.append(known[id(item)])
        return Slot(len(inputs) - 1)

    args, kwargs = keras.tree.map_structure(slot, (args, kwargs))
    outputs = keras.tree.flatten(result)
    constants = [item for item in keras.tree.flatten((args, kwargs)) if item is not None and not isinstance(item, Slot)]
    shape = tuple(outputs[0].shape[1:])
    said = [f"{key}={value}" for key, value in kwargs.items() if key != "training" and value not in (None, False)]
    try:
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
        return [(outputs[0], name)]
    return [
        (tensor, builder.add("Pick", f"{name}_{index}", [name], tuple(tensor.shape[1:]), index=index))
        for index, tensor in enumerate(outputs)
    ]
