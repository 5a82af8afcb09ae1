"""Subclassed models: whatever they are made of, nobody can see their layers."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers as kl


@keras.saving.register_keras_serializable("tests")
class Hidden(keras.Model):  # type: ignore[misc]
    """A small classifier of four classes, logits; takes images of any size."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.features = [kl.Conv2D(8, 3, activation="relu"), kl.MaxPooling2D(), kl.Conv2D(12, 3, activation="relu")]
        self.answer = kl.Dense(4)

    def call(self, inputs: Any) -> Any:
        """(batch, H, W, 3), pixels / 255, to (batch, 4)."""
        for layer in self.features:
            inputs = layer(inputs)
        return self.answer(keras.ops.mean(inputs, axis=(1, 2)))
