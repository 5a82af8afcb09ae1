"""The average of a network's weights over its training, which is often better than any of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgevision.trainers.engine import import_keras, import_tensorflow


class Average:
    """An exponential moving average of all weights, the statistics of batch normalisation among them.

    Polyak, B. & Juditsky, A. (1992), Acceleration of stochastic approximation by averaging; the decay rises as
    min(decay, (1 + n) / (10 + n)) over n steps, so that the untrained weights are soon forgotten. Keras' optimizers
    average too, but from the untrained weights on, and leave the statistics out, which then fit other weights.

    Args:
        model: The network, a keras.Model.
        decay: What stays of the average in a step, 0 < decay < 1.
    """

    def __init__(self, model: Any, decay: float) -> None:
        keras, tf = import_keras(), import_tensorflow()
        self._decay = decay
        self._weights = [each for each in model.weights if keras.backend.is_float_dtype(each.dtype)]
        # From an array: made from a variable's tensor it would be the same variable.
        values = [keras.ops.convert_to_numpy(each.value).copy() for each in self._weights]
        self._averages = [
            keras.Variable(value, trainable=False, dtype=each.dtype) for value, each in zip(values, self._weights)
        ]
        self._steps = keras.Variable(0.0, trainable=False, dtype="float32")
        self._move = tf.function(self._moved, autograph=False)

    @property
    def variables(self) -> list[Any]:
        """What a checkpoint has to hold."""
        return [self._steps, *self._averages]

    def update(self) -> None:
        """Moves towards the weights as they are after a step."""
        self._move()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """For a while the network has the averages for weights."""
        ops = import_keras().ops
        own = [ops.convert_to_numpy(each.value).copy() for each in self._weights]
        self.apply()
        try:
            yield
        finally:
            for weight, value in zip(self._weights, own):
                weight.assign(value)

    def apply(self) -> None:
        """Gives the network the averages for good."""
        for weight, average in zip(self._weights, self._averages):
            weight.assign(average.value)

    def _moved(self) -> None:
        steps = self._steps.value + 1.0
        keep = import_tensorflow().minimum(self._decay, (1.0 + steps) / (10.0 + steps))
        self._steps.assign(steps)
        for average, weight in zip(self._averages, self._weights):
            average.assign(average.value + (1.0 - keep) * (weight.value - average.value))
