"""A Keras model, whatever it is nested in, to a flat ``Graph``."""

from __future__ import annotations

from typing import Any

from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.lower import Builder, lower
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
        taken = [tensor for tensor in keras.tree.flatten(args) if id(tensor) in known]
        inputs = [known[id(tensor)] for tensor in taken]
        extra = [item for item in keras.tree.flatten((args, kwargs)) if item is not None and id(item) not in known]
        if extra and not isinstance(layer, keras.layers.Layer):
            raise UnsupportedLayerError(
                f"operation {layer.name!r} ({type(layer).__name__}) takes constants", cure="use a layer"
            )
        result = layer(*args, **kwargs)
        if not hasattr(result, "shape"):
            raise UnsupportedLayerError(f"layer {layer.name!r} has several outputs", expected="one")
        if isinstance(layer, keras.Model) and getattr(layer, "inputs", None):
            # Inputs of its own: on tensors that something computed Keras copies the graph, and nothing is found again.
            fresh = [keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype) for tensor in taken]
            name = _walk(layer, fresh, inputs, builder)
        else:
            name = lower(builder, layer, inputs, tuple(result.shape[1:]))
        known[id(result)] = name
        alive.append(result)
        return result

    functional = keras.Model(model.inputs, model.outputs)  # clone_model calls back for functional models only
    clone = keras.models.clone_model(
        functional, input_tensors=list(tensors), clone_function=lambda layer: layer, call_function=record
    )
    (result,) = clone.outputs
    builder.graph.output = known[id(result)]
    return known[id(result)]
