"""Collects the operations of a traced model, and knows every activation function."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import numpy as np

from edgevision.converters.quantize.graph import Array, Graph, Op
from edgevision.converters.quantize.layers import arg_max_layer
from edgevision.runtime.errors import UnsupportedLayerError

#: Activation functions with an 8-bit form in at least one engine; each is an "Activation" operation.
_ACTIVATIONS = ("sigmoid", "tanh", "softmax", "gelu", "elu")


#: Layers and operations that only move values.
_MOVING = (
    "Permute",
    "Cropping1D",
    "Cropping2D",
    "Transpose",
    "Squeeze",
    "ExpandDims",
    "GetItem",
    "Swapaxes",
    "Moveaxis",
)


#: Recurrent layers of at most so many steps are written out step by step.
_MOST_STEPS = 64


class Slot:
    """Stands in a kept operation's arguments for its n-th input."""

    def __init__(self, index: int) -> None:
        self.index = index


class Builder:
    """Collects operations while a model is traced; gives every one a unique name.

    Attributes:
        graph: The operations.
        frames: ``Op.frames`` of those that are added.
    """

    def __init__(self) -> None:
        self.graph = Graph({}, {})
        self.frames = 1

    def add(self, kind: str, name: str, inputs: list[str], shape: tuple[int, ...], *weights: Any, **config: Any) -> str:
        """Append an operation and return its name."""
        unique = _unique(name, self.graph.ops)
        arrays: list[Array] = [np.asarray(weight, np.float32) for weight in weights]
        self.graph.ops[unique] = Op(unique, kind, inputs, shape, config, arrays, frames=self.frames)
        return unique

    def activation(self, function: Any, name: str, source: str, shape: tuple[int, ...]) -> str:
        """Append the operation of a Keras activation function, given itself or by name."""
        word = function if isinstance(function, str) else known_name(function)
        if word == "linear":
            return source
        if word in ("relu", "relu6"):
            return self.add("ReLU", f"{name}_{word}", [source], shape, max_value=6.0 if word == "relu6" else None)
        if word == "leaky_relu":
            return self.add("LeakyReLU", f"{name}_{word}", [source], shape, negative_slope=0.2)
        if word in ("silu", "swish"):  # no engine has it in 8 bits; all have its two halves
            gate = self.add("Activation", f"{name}_sigmoid", [source], shape, activation="sigmoid")
            return self.add("Multiply", f"{name}_silu", [source, gate], shape)
        if word in ("hard_silu", "hard_swish"):
            # TFLite's kernel of it is approximate, so that formats would differ; these three operations are exact.
            gate = self.activation("hard_sigmoid", name, source, shape)
            return self.add("Multiply", f"{name}_hard_silu", [source, gate], shape)
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
        kind = "Moved" if known_name(type(operation)) in _MOVING else "Kept"
        operation = _unrolled(operation, self.graph.ops[inputs[0]].shape) if inputs else operation
        kept = [op.config["operation"] for op in self.graph if op.kind in ("Kept", "Moved")]
        unique = _unique(operation.name, {*self.graph.ops, *(other.name for other in kept)})
        if unique != operation.name and all(operation is not other for other in kept):
            operation = _renamed(operation, unique)
        if known_name(type(operation)) == "Argmax" and operation.axis is not None:
            operation = arg_max_layer(operation.axis, operation.keepdims, name)
        return self.add(kind, name, inputs, shape, operation=operation, args=args, kwargs=kwargs, reason=reason)


def _unrolled(operation: Any, shape: tuple[int, ...]) -> Any:
    """A recurrent layer of few steps without its loop: ONNX Runtime 1.31 dies on a loop that reads 8-bit values."""
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


def _unique(name: str, taken: Container[str]) -> str:
    unique, number = name, 1
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique


def _renamed(operation: Any, name: str) -> Any:
    """A copy: models within a model may have layers of the same names, and what is built of the graph is one model."""
    copy = type(operation).from_config(operation.get_config())
    copy.name = name
    if getattr(operation, "weights", None):
        copy.build_from_config(operation.get_build_config())
        copy.set_weights(operation.get_weights())
    return copy


def known_name(item: Any) -> str:
    """Name of a class or function of Keras or TensorFlow; "" for anyone else's, which may do something else."""
    is_known = str(getattr(item, "__module__", "")).startswith(("keras.", "tensorflow."))
    return str(getattr(item, "__name__", "")) if is_known else ""


def unsupported(name: str, kind: str) -> UnsupportedLayerError:
    """What a handler raises when a layer, or this use of it, has no 8-bit form; the layer is then kept in float."""
    return UnsupportedLayerError(f"{kind} has no 8-bit form", got=name)
