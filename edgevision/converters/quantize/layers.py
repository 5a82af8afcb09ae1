"""The Keras layers of quantised models; importing this imports Keras and TensorFlow."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from edgevision.converters.quantize.fake_quant import Range


@keras.saving.register_keras_serializable("edgevision")
class FakeQuantize(keras.layers.Layer):  # type: ignore[misc]
    """Rounds float32 values to an 8-bit grid, straight-through gradient inside the range."""

    def __init__(self, scale: float, zero_point: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.range = Range(scale, zero_point)

    def call(self, inputs: Any) -> Any:
        """float32 of any shape in, the same shape out."""
        return tf.quantization.fake_quant_with_min_max_args(inputs, self.range.low, self.range.high)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Keras' own and the range."""
        config: dict[str, Any] = super().get_config()
        return config | {"scale": self.range.scale, "zero_point": self.range.zero_point}


@keras.saving.register_keras_serializable("edgevision")
class ErfGelu(keras.layers.Layer):  # type: ignore[misc]
    """x / 2 * (1 + erf(x / sqrt 2)) (Hendrycks and Gimpel 2016)."""

    def call(self, inputs: Any) -> Any:
        """float32 of any shape in, the same shape out."""
        return 0.5 * inputs * (1.0 + tf.math.erf(inputs * 0.7071067811865476))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's."""
        return input_shape
