"""An int8 file and the quantised Keras model, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.layers import Reader, Values, inside
from edgevision.converters.layers.match import match, points_of
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.quantize.quantize import Quantized
from edgevision.runtime.manifest import Artifact


class OpenedFile:
    """One int8 file, opened in its engine, and where each point's values are in it.

    Args:
        artifact: In int8.
        folder: Where its files are.
        quantized: What it was made from.
        is_one_run: See ``Inside.reader``.

    Attributes:
        names: Of the points that it shows, outputs among them.
    """

    def __init__(self, artifact: Artifact, folder: Path, quantized: Quantized, *, is_one_run: bool = False) -> None:
        path, kind = folder / artifact.name, inside(artifact.format)
        graph = quantized.graph
        self._ends = {name: key for key, name in graph.outputs.items()}
        found = match(points_of(graph, quantized.ranges), kind.tensors(path))
        self._inside = {name: tensor for name, tensor in found.items() if name not in self._ends}
        self.names = {*self._inside, *self._ends}
        self._read: Reader = kind.reader(path, list(self._inside.values()), is_one_run=is_one_run)
        self._orders: dict[str, tuple[int, ...]] = {}

    def values(self, sample: Batch, twins: Values) -> Values:
        """Per point, as Keras lays them out.

        Args:
            sample: (1, ...) per input.
            twins: What the quantised Keras model makes of it, per point.
        """
        inside_it, outputs = self._read(sample)
        found = {name: inside_it[tensor] for name, tensor in self._inside.items()}
        found |= {name: outputs[key] for name, key in self._ends.items()}
        return {name: self._as_keras(name, values, twins[name]) for name, values in found.items()}

    def _as_keras(self, name: str, values: NDArray[np.float32], twin: NDArray[np.float32]) -> NDArray[np.float32]:
        if name not in self._orders:  # channels may be first; where shapes leave both open, the values tell
            shape, axes = values.shape, tuple(range(values.ndim))
            orders = [axes, (0, *axes[2:], 1), (0, *reversed(axes[1:]))]
            fits = [order for order in orders if tuple(shape[axis] for axis in order) == twin.shape]
            errors = [float(np.square(values.transpose(order) - twin).sum()) for order in fits]
            self._orders[name] = fits[int(np.argmin(errors))] if fits else ()
        order = self._orders[name]
        return values.transpose(order) if order else values.reshape(twin.shape)


def compiled(model: Any) -> Callable[[list[NDArray[Any]]], Values]:
    """The model as one graph of TensorFlow's: layer by layer, Keras' own work takes longer than the layers'."""
    import tensorflow as tf

    run = tf.function(lambda values: model(values if len(values) > 1 else values[0], training=False))
    return lambda values: {
        name: value.numpy() for name, value in run(tf.nest.map_structure(tf.constant, values)).items()
    }
