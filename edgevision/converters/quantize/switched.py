"""One Keras model that can be any mixture of a quantised one: many mixtures, built once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgevision.converters.quantize.build import call, in_integers
from edgevision.converters.quantize.graph import Op
from edgevision.converters.quantize.layers import switched_layer
from edgevision.converters.quantize.observe import Batch
from edgevision.converters.quantize.quantize import Quantized
from edgevision.converters.quantize.scoring import Values


class SwitchedModel:
    """Answers of mixtures of one quantised model: its rounding is switched off and on, its weights are exchanged."""

    def __init__(self, quantized: Quantized) -> None:
        self._ranges, self._graph = quantized.ranges, quantized.graph
        self._loaded = {op.name: op.weights for op in quantized.graph if op.has_kernel}
        self._model, self._run = self._build()

    def answer(self, mixture: Quantized, batches: Sequence[Batch]) -> Values:
        """The outputs (images, values) of a mixture.

        Args:
            mixture: By ``mixed.mix`` from the model this one was made of; its biases may have been corrected since.
            batches: Images.
        """
        for name in self._ranges:
            self._model.get_layer(f"{name}_switch").on.assign(name in mixture.ranges)
        for name, loaded in self._loaded.items():
            weights = mixture.graph.ops[name].weights
            if any(new is not old for new, old in zip(weights, loaded)):
                self._model.get_layer(name).set_weights(weights)
                self._loaded[name] = list(weights)
        name = self._graph.input.name
        return np.concatenate([np.asarray(self._run(batch[name].astype(np.float32))) for batch in batches])

    def _as_run(self, op: Op) -> Op:
        # A bounded ReLU keeps its bound: its grid, which cuts there, may be switched off.
        return in_integers(op) if op.name in self._ranges and op.kind == "LeakyReLU" else op

    def _build(self) -> tuple[Any, Any]:
        import keras
        import tensorflow as tf

        source = self._graph.input
        image = keras.Input(source.shape, name="image")
        values: dict[str, Any] = {}
        for op in self._graph:
            value = image if op is source else call(self._as_run(op), [values[name] for name in op.inputs])
            if op.name in self._ranges:
                value = switched_layer(self._ranges[op.name], f"{op.name}_switch")(value)
            values[op.name] = value
        model = keras.Model(image, values[self._graph.output])
        return model, tf.function(lambda pixels: model(pixels, training=False), reduce_retracing=True)
