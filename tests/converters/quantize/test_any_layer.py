"""Layers beyond the plain ones: in 8 bits where integer kernels know them, kept in float and named where not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

from edgevision.converters.export import kept_in_float
from edgevision.converters.quantize.fold import fold
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.trace import trace
from tests.converters.models import SIZE, evaluate, sequential, signals

Make = Callable[[], list[Any]]


@keras.saving.register_keras_serializable("tests")
class Doubling(kl.Layer):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        return inputs * 2


@keras.saving.register_keras_serializable("tests")
class Rescaling(kl.Layer):  # type: ignore[misc]
    """Named as one of Keras', which does something else."""

    scale, offset = 2.0, 0.0

    def call(self, inputs: Any) -> Any:
        return inputs * inputs


@keras.saving.register_keras_serializable("tests")
class Permute(kl.Layer):  # type: ignore[misc]
    """Named as one that only moves values."""

    def call(self, inputs: Any) -> Any:
        return inputs * 3


def relu(values: Any) -> Any:
    """Named as one of Keras' functions."""
    return keras.ops.abs(values)


STEPS = (SIZE, SIZE * 3)
IN_INTEGERS: dict[str, Make] = {
    "transposed": lambda: [kl.Conv2DTranspose(4, 4, strides=2, padding="same", activation="relu")],
    "transposed, batch norm": lambda: [kl.Conv2DTranspose(4, 3), kl.BatchNormalization()],
    "groups": lambda: [kl.Conv2D(4, 1), kl.Conv2D(6, 3, groups=2, activation="tanh")],
    "a group per channel": lambda: [kl.Conv2D(6, 3, groups=3, activation="tanh")],
    "swish": lambda: [kl.Conv2D(3, 3, activation="swish")],
    "hard sigmoid": lambda: [kl.Conv2D(3, 3, activation="hard_sigmoid")],
    "hard sigmoid alone": lambda: [kl.Activation("hard_sigmoid")],
    "hard swish": lambda: [kl.Conv2D(3, 3, activation="hard_silu")],
    "gelu": lambda: [kl.Conv2D(3, 3, activation="gelu")],
    "elu": lambda: [kl.Conv2D(3, 3, activation="elu")],
    "dense on four axes": lambda: [kl.Reshape((SIZE, SIZE, 3, 1)), kl.Dense(2)],
    "dense on steps": lambda: [kl.Reshape(STEPS), kl.Dense(5, activation="relu")],
    "convolution over steps": lambda: [
        kl.Reshape(STEPS),
        kl.Conv1D(5, 3, strides=2, padding="same", activation="relu"),
    ],
    "global average over steps": lambda: [kl.Reshape(STEPS), kl.GlobalAveragePooling1D()],
    "global maximum over steps": lambda: [kl.Reshape(STEPS), kl.GlobalMaxPooling1D()],
    "nearest": lambda: [kl.UpSampling2D(2)],
    "bilinear": lambda: [kl.UpSampling2D(2, interpolation="bilinear")],
    "maximum over three axes": lambda: [
        kl.Reshape((4, SIZE // 4, SIZE, 3)),
        kl.MaxPooling3D((2, 3, 2), strides=(1, 2, 3), padding="same"),
    ],
    "average over three axes": lambda: [
        kl.Reshape((4, SIZE // 4, SIZE, 3)),
        kl.AveragePooling3D((3, 2, 2), strides=(2, 1, 3), padding="same"),
    ],
    "average inside three axes": lambda: [kl.Reshape((4, SIZE // 4, SIZE, 3)), kl.AveragePooling3D((3, 2, 3))],
    "cropping": lambda: [kl.Cropping2D(((1, 2), (0, 3)))],
    "batch norm of vectors": lambda: [kl.Flatten(), kl.BatchNormalization(), kl.ReLU(), kl.Dense(2)],
}
IN_FLOAT: dict[str, tuple[Make, str, str]] = {
    "layer of the user's": (lambda: [Doubling(name="mine")], "mine", "Doubling"),
    "a name that Keras has": (lambda: [Rescaling(name="mine")], "mine", "Rescaling"),
    "a name of a layer that moves": (lambda: [Permute(name="mine")], "mine", "Permute"),
    "function of that name": (lambda: [kl.Conv2D(3, 3, activation=relu, name="c")], "activation", "'relu'"),
    "layer norm": (lambda: [kl.LayerNormalization(name="norm")], "norm", "LayerNormalization"),
    "group norm": (lambda: [kl.GroupNormalization(3, name="norm")], "norm", "GroupNormalization"),
    "activation": (lambda: [kl.Conv2D(3, 3, activation="mish", name="c")], "activation", "'mish'"),
    "relu threshold": (lambda: [kl.ReLU(threshold=0.5, name="r")], "r", "threshold"),
    "relu slope and top": (lambda: [kl.ReLU(6, negative_slope=0.1, name="r")], "r", "negative_slope"),
    "softmax over rows": (lambda: [kl.Softmax(axis=1, name="s")], "s", "axis 1"),
    "batch norm over rows": (lambda: [kl.BatchNormalization(axis=1, name="b")], "b", "axis 1"),
    "recurrent": (lambda: [kl.Reshape(STEPS), kl.LSTM(3, name="memory")], "memory", "LSTM"),
    "both ways": (lambda: [kl.Reshape(STEPS), kl.Bidirectional(kl.GRU(3), name="both")], "both", "Bidirectional"),
    "large recurrent": (lambda: [kl.Reshape((SIZE * SIZE, 3)), kl.GRU(2, name="memory")], "memory", "GRU"),
    "resizing": (lambda: [kl.Resizing(5, 7, name="size")], "size", "Resizing"),
}


def with_statistics(model: Any) -> Any:
    """The model with batch norms that do something."""
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, kl.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


def traced(model: Any) -> Graph:
    graph = trace(model, (SIZE, SIZE, 3))
    fold(graph)
    return graph


def assert_equal(graph: Graph, model: Any) -> None:
    values = signals(2)
    np.testing.assert_allclose(evaluate(graph, values), np.asarray(model(values, training=False)), atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("case", IN_INTEGERS)
def test_what_integer_kernels_know(case: str) -> None:
    model = with_statistics(sequential(*IN_INTEGERS[case]()))
    graph = traced(model)
    assert not kept_in_float(graph)
    assert_equal(graph, model)


def test_a_group_per_channel_is_one_depthwise_convolution() -> None:
    graph = traced(sequential(kl.Conv2D(6, 3, groups=3)))
    assert [op.kind for op in graph] == ["Input", "DepthwiseConv2D"]


@pytest.mark.parametrize("case", IN_FLOAT)
def test_what_they_do_not_know_is_kept_and_named(case: str) -> None:
    make, name, reason = IN_FLOAT[case]
    model = sequential(*make())
    graph = traced(model)
    (found,) = kept_in_float(graph)
    assert name in found.name and reason in found.reason
    assert_equal(graph, model)


def test_scaled_sums_of_keras_applications() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    one = kl.Conv2D(4, 3)(image)
    joined = CustomScaleLayer(0.17)([one, kl.Conv2D(4, 3, padding="same")(one)])
    model = keras.Model(image, kl.ReLU()(joined))
    graph = traced(model)
    assert [op.kind for op in graph] == ["Input", "Conv2D", "Conv2D", "Add", "ReLU"], "the scale goes into the kernel"
    assert_equal(graph, model)


def test_attention_is_products_that_integer_kernels_know() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    steps = kl.Reshape(STEPS)(image)
    other = kl.Dense(10)(steps)
    mixed = kl.MultiHeadAttention(2, 5, value_dim=3, name="attention")(steps, other)
    model = keras.Model(image, kl.Add()([mixed, steps]))
    randomise(model)
    graph = traced(model)
    assert not kept_in_float(graph) and sum(op.kind == "MatMul" for op in graph) == 2
    assert_equal(graph, model)


def test_attention_with_a_mask_is_kept() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    steps = kl.Reshape(STEPS)(image)
    model = keras.Model(image, kl.MultiHeadAttention(2, 5, name="attention")(steps, steps, use_causal_mask=True))
    graph = traced(model)
    assert [item.name for item in kept_in_float(graph)] == ["attention"]
    assert_equal(graph, model)


def randomise(model: Any) -> None:
    random = np.random.default_rng(0)
    model.set_weights([random.normal(0, 0.3, weight.shape) for weight in model.get_weights()])


def test_squeeze_and_excite() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.Conv2D(6, 3)(image)
    gate = kl.GlobalAveragePooling2D(keepdims=True)(x)
    gate = kl.Conv2D(2, 1, activation="relu")(gate)
    gate = kl.ReLU(6.0)(kl.Conv2D(6, 1)(gate) + 3.0) * (1.0 / 6.0)
    model = keras.Model(image, kl.Multiply()([x, gate]))
    graph = traced(model)
    kinds = [op.kind for op in graph]
    assert "Affine" not in kinds and kinds.count("DepthwiseConv2D") == 0, (
        "the line of the hard sigmoid goes into the kernel"
    )
    assert_equal(graph, model)


def test_arithmetic_with_constants() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    x = (1.0 - image) * np.array([1.0, -2.0, 0.5], np.float32) / 4.0 - 0.25
    model = keras.Model(image, kl.ReLU()(x + 2.0))
    graph = traced(model)
    assert not kept_in_float(graph)
    assert_equal(graph, model)


def test_slices_products_and_several_outputs() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    left, right = keras.ops.split(kl.Conv2D(6, 3)(image), 2, axis=-1)
    model = keras.Model(image, left[:, 1:, ::2] * right[:, 1:, ::2])
    assert_equal(traced(model), model)


def test_the_model_is_not_changed_by_unrolling() -> None:
    model = sequential(kl.Reshape(STEPS), kl.LSTM(3))
    traced(model)
    assert model.layers[-1].unroll is False


class Subclassed(keras.Model):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        return inputs * 2


def test_a_subclassed_model_inside_a_model_is_kept() -> None:
    graph = traced(sequential(Subclassed(name="own")))
    assert [item.name for item in kept_in_float(graph)] == ["own"]


def test_a_nested_model_with_several_outputs_is_walked_in_turn() -> None:
    inner = keras.Input((SIZE, SIZE, 3))
    split = keras.Model(inner, [kl.ReLU()(inner), kl.LeakyReLU()(inner)], name="two")
    image = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(image, kl.Add()(split(kl.ReLU()(image))))
    graph = traced(model)
    assert not kept_in_float(graph) and [op.kind for op in graph] == ["Input", "ReLU", "LeakyReLU", "ReLU", "Add"]
    assert_equal(graph, model)


@pytest.mark.parametrize("layer", [kl.LSTM, kl.GRU])
def test_the_input_of_a_large_recurrent_layer_is_a_product_of_its_own(
    layer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgevision.converters.quantize.lower_recurrent.LARGE", 1)
    model = sequential(kl.Reshape(STEPS), layer(3, return_sequences=True), layer(5, go_backwards=True))
    for variable in model.trainable_variables:  # biases too
        variable.assign(np.random.default_rng(0).normal(0, 0.5, variable.shape))
    graph = traced(model)
    assert_equal(graph, model)
    assert [op.kind for op in graph if op.weights] == ["Conv2D", "Conv2D"]
    assert len(kept_in_float(graph)) == 2
    monkeypatch.undo()
    assert not [op for op in traced(model) if op.weights]
