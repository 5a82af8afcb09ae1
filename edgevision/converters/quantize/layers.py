"""The Keras layers of quantised models. The classes are made on first use: importing this must not import Keras."""

from __future__ import annotations

import functools
from typing import Any

from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Op
from edgevision.converters.quantize.integers import Whole


def fake_quantize_layer(grid: Range, name: str) -> Any:
    """A Keras layer that rounds float32 values to ``grid``, with a straight-through gradient inside it."""
    return _fake_quantize()(grid.scale, grid.zero_point, name=name)


def gelu_layer(name: str) -> Any:
    """A Keras layer for the exact GELU, x / 2 * (1 + erf(x / sqrt 2)) (Hendrycks and Gimpel 2016).

    In the form that exporters know: Keras' own uses erfc, which ONNX lacks.
    """
    return _erf_gelu()(name=name)


def fed_kernel_layer(op: Op) -> Any:
    """A Keras layer that does what ``op``, a Conv2D or Dense, does, with its kernel as a second input."""
    return _fed_kernel()(op, name=op.name)


def whole_layer(whole: Whole) -> Any:
    """A Keras layer for an operation on whole numbers, from the list of its inputs. One layer, not one per step of it:
    Keras goes down a model by recursion."""
    return _whole_numbers()(whole, name=whole.op.name)


def arg_max_layer(axis: int, keepdims: bool, name: str) -> Any:
    """A Keras layer for the place of the largest value along an axis, int32.

    Keras' own looks at the sign bit of zeros first, which TFLite has no operator for.
    """
    return _arg_max()(axis, keepdims, name=name)


@functools.cache
def _arg_max() -> Any:
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable("edgevision")
    class ArgMax(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, axis: int, keepdims: bool, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.axis, self.keepdims = axis, keepdims

        def call(self, inputs: Any) -> Any:
            found = tf.math.argmax(inputs, self.axis, output_type=tf.int32)
            return tf.expand_dims(found, self.axis) if self.keepdims else found

        def get_config(self) -> dict[str, Any]:
            config: dict[str, Any] = super().get_config()
            return config | {"axis": self.axis, "keepdims": self.keepdims}

    return ArgMax


@functools.cache
def _fake_quantize() -> Any:
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable("edgevision")
    class FakeQuantize(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, scale: float, zero_point: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.range = Range(scale, zero_point)

        def call(self, inputs: Any) -> Any:
            return tf.quantization.fake_quant_with_min_max_args(inputs, self.range.low, self.range.high)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

        def get_config(self) -> dict[str, Any]:
            config: dict[str, Any] = super().get_config()
            return config | {"scale": self.range.scale, "zero_point": self.range.zero_point}

    return FakeQuantize


@functools.cache
def _erf_gelu() -> Any:
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable("edgevision")
    class ErfGelu(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return 0.5 * inputs * (1.0 + tf.math.erf(inputs * 0.7071067811865476))

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    return ErfGelu


@functools.cache
def _fed_kernel() -> Any:
    import keras

    class FedKernel(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, op: Op, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.op = op

        def call(self, inputs: Any) -> Any:
            values, kernel = inputs
            bias = keras.ops.convert_to_tensor(self.op.weights[1])
            if self.op.kind == "Dense":
                return keras.ops.matmul(values, kernel) + bias
            config = {key: self.op.config[key] for key in ("strides", "padding", "dilation_rate")}
            return keras.ops.conv(values, kernel, **config) + bias

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (input_shape[0][0], *self.op.shape)

    return FedKernel


@functools.cache
def _whole_numbers() -> Any:
    import keras

    class WholeNumbers(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, whole: Whole, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.whole, op = whole, whole.op
            self.takes_list = op.kind in ("Add", "Multiply", "MatMul")
            self.inner = None if op.kind == "MatMul" else getattr(keras.layers, op.kind)(name=op.name, **op.config)

        def build(self, input_shape: Any) -> None:
            if self.inner is not None:
                self.inner.build(input_shape if self.takes_list else input_shape[0])
                self.inner.set_weights(self.whole.op.weights)
            self.built = True

        def call(self, inputs: Any) -> Any:
            counts = self.whole.counts(inputs)
            if self.inner is None:
                return self.whole.real(keras.ops.matmul(*counts))
            return self.whole.real(self.inner(counts if self.takes_list else counts[0]))

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (input_shape[0][0], *self.whole.op.shape)

    return WholeNumbers


def switched_layer(grid: Range, name: str) -> Any:
    """A layer that rounds to ``grid`` while its variable ``on`` is True, and else passes values through."""
    return _switched()(grid, name=name)


@functools.cache
def _switched() -> Any:
    import keras
    import tensorflow as tf

    class Switched(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, grid: Range, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.range = grid
            self.on = self.add_weight(shape=(), dtype="bool", initializer="ones", trainable=False, name="on")

        def call(self, inputs: Any) -> Any:
            grid = self.range
            rounded = functools.partial(tf.quantization.fake_quant_with_min_max_args, inputs, grid.low, grid.high)
            return tf.cond(self.on.value, rounded, lambda: inputs)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    return Switched
