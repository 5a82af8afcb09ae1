"""The quantised model with kernels and biases that can be trained.

The forward pass is that of the quantised model: kernels are rounded by the rule of ``weights.to_grid``, activations to
their grids (Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference"). Backwards, rounding counts as the identity (straight-through: Bengio et al. 2013), cutting off does not.

What is trained are differences from where it began, each in its own unit: a kernel's in its channel's largest weight, a
bias in the width of its input's grid times its kernel's norm. Batch norms are folded, so channels can differ a
thousandfold; in these units one learning rate fits all of them, and a step of 1 / 127 is about a step of the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevision.converters.quantize.build import build_model
from edgevision.converters.quantize.fake_quant import STEPS, Range
from edgevision.converters.quantize.graph import Array, Graph, Op
from edgevision.converters.quantize.points import value_grids
from edgevision.converters.quantize.weights import LIMIT, channel_axes, quantize_kernels, round_biases

#: Channels whose largest weight is not above this are zero (``weights.to_grid``), and stay so.
_NOTHING = 1e-30


@dataclass(frozen=True)
class _Shadow:
    """Weights in float behind one operation's kernel and bias: start + difference * unit."""

    starts: list[Array]
    units: list[Array]
    differences: list[Any]
    axes: tuple[int, ...]

    @classmethod
    def of(cls, op: Op, width: float) -> _Shadow:
        import keras

        kernel, axes = op.weights[0], channel_axes(op)
        others = tuple(axis for axis in range(kernel.ndim) if axis not in axes)
        largest = np.abs(kernel).max(others, keepdims=True)
        largest = np.where(largest > _NOTHING, largest, 0).astype(np.float32)
        norm = np.sqrt(np.square(kernel, dtype=np.float64).sum(others)).ravel()
        units = [largest, (norm * width).astype(np.float32)][: len(op.weights)]
        names = ("kernel", "bias")
        differences = [
            keras.Variable(np.zeros_like(weight), name=f"{op.name}_{name}") for weight, name in zip(op.weights, names)
        ]
        return cls([weight.copy() for weight in op.weights], units, differences, axes)

    def values(self) -> list[Any]:
        """Kernel and bias in float, as tensors."""
        return [start + each.value * unit for start, each, unit in zip(self.starts, self.differences, self.units)]


class Trainable:
    """A quantised graph as a function that gradients pass through.

    Layers kept in float are frozen: they are the layers of the model that is being converted.

    Attributes:
        variables: What an optimiser changes (keras.Variable).
    """

    def __init__(self, graph: Graph, ranges: dict[str, Range], outputs: list[str]) -> None:
        """
        Args:
            graph: Kernels on the int8 grid; not changed.
            ranges: Grids of its activations (``points.rounded_outputs``).
            outputs: Operations whose values ``__call__`` returns.
        """
        self._graph, self._grids = graph, value_grids(graph, ranges)
        self._model, self._outputs = build_model(graph, ranges, outputs=outputs), outputs
        self._shadows = {op.name: _Shadow.of(op, self._width(op)) for op in graph if op.has_kernel}
        self.variables = [each for shadow in self._shadows.values() for each in shadow.differences]

    def __call__(self, inputs: Any) -> list[Any]:
        """Values of ``outputs``, float32 (n, ...), of what ``build.feeds`` makes of named arrays."""
        given: dict[int, Any] = {}
        layers = {layer.name: layer for layer in self._model.layers}
        for name, shadow in self._shadows.items():
            kernel, *bias = shadow.values()
            values = [_rounded(kernel, shadow.axes), *bias]
            given.update((id(variable), value) for variable, value in zip(layers[name].weights, values))
        trainable, fixed = (
            [given.get(id(variable), variable.value) for variable in variables]
            for variables in (self._model.trainable_variables, self._model.non_trainable_variables)
        )
        values, _ = self._model.stateless_call(trainable, fixed, inputs, training=False)
        return [values[name] for name in self._outputs]

    def rounded(self) -> Graph | None:
        """A graph with the present weights on their grids, as exporters take it; None if some are no numbers."""
        graph = self._graph.copy()
        for name, shadow in self._shadows.items():
            graph.ops[name].weights = [np.asarray(value) for value in shadow.values()]
            if not all(np.isfinite(weight).all() for weight in graph.ops[name].weights):
                return None
        graph = quantize_kernels(graph)
        round_biases(graph, self._grids)
        return graph

    def _width(self, op: Op) -> float:
        grid = self._grids.get(op.inputs[0])
        return 1.0 if grid is None else grid.scale * STEPS


def _rounded(kernel: Any, axes: tuple[int, ...]) -> Any:
    """``weights.to_grid`` and back, with a straight-through gradient."""
    import tensorflow as tf

    others = [axis for axis in range(len(kernel.shape)) if axis not in axes]
    largest = tf.reduce_max(tf.abs(kernel), others, keepdims=True)
    scale = tf.where(largest > _NOTHING, largest / LIMIT, 1.0)
    return tf.stop_gradient(tf.round(kernel / scale) * scale) + (kernel - tf.stop_gradient(kernel))
