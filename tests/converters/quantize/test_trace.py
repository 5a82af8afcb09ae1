from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters.quantize.build import build_model
from edgevision.converters.quantize.lower import IDENTITY_LAYERS
from edgevision.converters.quantize.trace import trace
from tests.converters.models import SIZE, folded, scrambled, sequential, signals

Make = Callable[[], list[Any]]

#: Every layer type, in every use that has code of its own.
CHAINS: dict[str, Make] = {
    "conv valid": lambda: [kl.Conv2D(5, 3)],
    "conv same, strides": lambda: [kl.Conv2D(5, 3, strides=2, padding="same")],
    "conv uneven kernel and strides": lambda: [kl.Conv2D(4, (2, 5), strides=(1, 3), padding="same")],
    "conv dilated": lambda: [kl.Conv2D(4, 3, dilation_rate=2, padding="same")],
    "conv without bias": lambda: [kl.Conv2D(4, 3, use_bias=False)],
    "conv relu": lambda: [kl.Conv2D(4, 3, activation="relu")],
    "conv relu6": lambda: [kl.Rescaling(20.0), kl.Conv2D(4, 3, activation="relu6")],
    "conv leaky_relu": lambda: [kl.Conv2D(4, 3, activation="leaky_relu")],
    "conv sigmoid": lambda: [kl.Conv2D(4, 3, activation="sigmoid"), kl.Conv2D(2, 1)],
    "conv tanh": lambda: [kl.Conv2D(4, 3, activation="tanh"), kl.Conv2D(2, 1)],
    "conv softmax": lambda: [kl.Conv2D(4, 3, activation="softmax"), kl.Conv2D(2, 1)],
    "depthwise": lambda: [kl.DepthwiseConv2D(3)],
    "depthwise multiplier 2": lambda: [kl.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="relu")],
    "depthwise strides, no bias": lambda: [kl.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)],
    "depthwise dilated": lambda: [kl.DepthwiseConv2D(3, dilation_rate=2)],
    "separable": lambda: [kl.SeparableConv2D(5, 3)],
    "separable multiplier 2": lambda: [kl.SeparableConv2D(5, 3, depth_multiplier=2, padding="same", activation="relu")],
    "separable strides, no bias": lambda: [kl.SeparableConv2D(5, 3, strides=2, padding="same", use_bias=False)],
    "separable dilated": lambda: [kl.SeparableConv2D(5, 3, dilation_rate=2)],
    "dense on 2-D": lambda: [kl.Flatten(), kl.Dense(7, activation="relu"), kl.Dense(3)],
    "dense without bias": lambda: [kl.Flatten(), kl.Dense(7, use_bias=False)],
    "dense on 4-D": lambda: [kl.Dense(6, activation="relu"), kl.Dense(2, use_bias=False)],
    "BN first": lambda: [kl.BatchNormalization(), kl.Conv2D(4, 3)],
    "BN first, padded conv": lambda: [kl.BatchNormalization(), kl.Conv2D(4, 3, padding="same")],
    "conv BN": lambda: [kl.Conv2D(4, 3), kl.BatchNormalization()],
    "conv BN relu": lambda: [kl.Conv2D(4, 3), kl.BatchNormalization(), kl.ReLU()],
    "depthwise multiplier 2 BN": lambda: [kl.DepthwiseConv2D(3, depth_multiplier=2), kl.BatchNormalization()],
    "conv relu BN pool": lambda: [kl.Conv2D(4, 3, activation="relu"), kl.BatchNormalization(), kl.MaxPooling2D()],
    "conv relu BN pool conv": lambda: [
        kl.Conv2D(4, 3, activation="relu"),
        kl.BatchNormalization(),
        kl.MaxPooling2D(),
        kl.Conv2D(3, 3),
    ],
    "conv relu BN average depthwise": lambda: [
        kl.Conv2D(4, 3, activation="relu"),
        kl.BatchNormalization(),
        kl.AveragePooling2D(2),
        kl.DepthwiseConv2D(3, depth_multiplier=2),
    ],
    "BN relu conv": lambda: [kl.Conv2D(4, 3), kl.ReLU(), kl.BatchNormalization(), kl.ReLU(), kl.Conv2D(3, 3)],
    "flatten BN dense": lambda: [kl.Flatten(), kl.BatchNormalization(), kl.Dense(4)],
    "BN flatten dense": lambda: [kl.ReLU(), kl.BatchNormalization(), kl.Flatten(), kl.Dense(4)],
    "BN average flatten dense": lambda: [
        kl.ReLU(),
        kl.BatchNormalization(),
        kl.GlobalAveragePooling2D(),
        kl.Dropout(0.5),
        kl.Dense(4),
    ],
    "BN without gain and offset": lambda: [kl.Conv2D(4, 3), kl.BatchNormalization(scale=False, center=False)],
    "BN after BN": lambda: [kl.BatchNormalization(), kl.BatchNormalization(epsilon=0.1), kl.ReLU()],
    "BN axis by number": lambda: [kl.Conv2D(4, 3), kl.BatchNormalization(axis=3)],
    "relu": lambda: [kl.ReLU()],
    "relu max_value 6": lambda: [kl.Rescaling(20.0), kl.ReLU(max_value=6)],
    "relu max_value 0.5": lambda: [kl.Conv2D(4, 3), kl.ReLU(max_value=0.5)],
    "relu negative_slope": lambda: [kl.ReLU(negative_slope=0.3)],
    "leaky relu": lambda: [kl.LeakyReLU(), kl.Conv2D(3, 3), kl.LeakyReLU(negative_slope=0.01)],
    "activation layers": lambda: [
        kl.Activation("relu"),
        kl.Conv2D(4, 3),
        kl.Activation("tanh"),
        kl.Activation("linear"),
        kl.Activation("sigmoid"),
        kl.Conv2D(4, 3),
        kl.Activation("relu6"),
    ],
    "softmax layer": lambda: [kl.GlobalAveragePooling2D(), kl.Softmax()],
    "max pooling": lambda: [kl.MaxPooling2D((3, 2), strides=2, padding="same")],
    "average pooling": lambda: [kl.AveragePooling2D((3, 2), strides=(2, 1), padding="same")],
    "global average": lambda: [kl.GlobalAveragePooling2D()],
    "global average keepdims": lambda: [kl.GlobalAveragePooling2D(keepdims=True), kl.Conv2D(3, 1)],
    "global max": lambda: [kl.GlobalMaxPooling2D(), kl.Dense(3)],
    "global max keepdims": lambda: [kl.GlobalMaxPooling2D(keepdims=True), kl.Conv2D(3, 1)],
    "flatten": lambda: [kl.Flatten()],
    "reshape": lambda: [kl.Reshape((SIZE // 2, SIZE * 2, 3)), kl.Conv2D(3, 3), kl.Reshape((-1,)), kl.Dense(2)],
    "dropout": lambda: [kl.Dropout(0.9), kl.SpatialDropout2D(0.9), kl.GaussianNoise(1.0), kl.Conv2D(3, 3)],
    "zero padding": lambda: [kl.ZeroPadding2D(((1, 2), (3, 0))), kl.Conv2D(3, 3, strides=2)],
    "rescaling": lambda: [kl.Rescaling(2.5, offset=-1), kl.Conv2D(3, 3)],
    "rescaling per channel": lambda: [kl.Rescaling([2.0, 0.5, -1.0], offset=[0.1, 0.0, -0.2]), kl.Conv2D(3, 3)],
    "rescaling, padded conv": lambda: [kl.Rescaling(2.5, offset=-1), kl.Conv2D(3, 3, padding="same")],
    "rescaling, padding, conv": lambda: [kl.Rescaling(2.5, offset=-1), kl.ZeroPadding2D(1), kl.Conv2D(3, 3)],
    "scaling alone, padding, conv": lambda: [kl.Rescaling(2.5), kl.ZeroPadding2D(1), kl.Conv2D(3, 3, padding="same")],
    "normalization": lambda: [kl.Normalization(mean=[0.1, 0.2, -0.3], variance=[0.5, 2.0, 1.0]), kl.Conv2D(3, 3)],
    "normalization of all alike": lambda: [kl.Normalization(axis=None, mean=0.1, variance=4.0), kl.Conv2D(3, 3)],
    "random augmentation": lambda: [
        kl.RandomFlip(),
        kl.RandomRotation(0.2),
        kl.RandomZoom(0.2),
        kl.RandomTranslation(0.2, 0.2),
        kl.RandomContrast(0.5),
        kl.RandomBrightness(0.5),
        kl.Conv2D(3, 3),
    ],
}


def both(model: Any) -> tuple[Any, Any]:
    """What the model and its rebuilt graph answer."""
    graph, values = folded(model), signals(3)
    assert not any(op.kind == "Affine" for op in graph)
    return np.asarray(model(values, training=False)), np.asarray(build_model(graph)(values, training=False))


def assert_rebuilt(model: Any) -> None:
    expected, found = both(model)
    assert found.shape == expected.shape
    assert np.ptp(expected) > 1e-3, "the answers must differ for the comparison to mean anything"
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("case", CHAINS)
def test_rebuilt_equals_the_original(case: str) -> None:
    assert_rebuilt(sequential(*CHAINS[case]()))


def test_layers_that_only_train_leave_nothing_behind() -> None:
    graph = trace(sequential(*CHAINS["random augmentation"]()), (SIZE, SIZE, 3))
    assert [op.kind for op in graph] == ["Input", "Conv2D"]
    graph = trace(sequential(*CHAINS["dropout"]()), (SIZE, SIZE, 3))
    assert [op.kind for op in graph] == ["Input", "Conv2D"]


def test_every_layer_taken_for_identity_is_one_in_keras() -> None:
    """A misspelt name in the list would never match; a layer that computes something must not stand in it."""
    missing = {name for name in IDENTITY_LAYERS if not hasattr(kl, name)}
    assert missing == {"StochasticDepth"}, "keras.applications' own layer"
    for name in ("Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout"):
        layer = getattr(kl, name)(0.5)
        np.testing.assert_array_equal(layer(signals(1), training=False), signals(1))


def residual() -> Any:
    image = keras.Input((SIZE, SIZE, 3))
    stem = kl.Conv2D(6, 3, padding="same")(image)
    one = kl.ReLU()(kl.BatchNormalization()(stem))
    two = kl.BatchNormalization()(kl.Conv2D(6, 3, padding="same", use_bias=False)(one))
    three = kl.Conv2D(6, 1)(image)
    added = kl.ReLU()(kl.Add()([stem, two, three]))
    joined = kl.Concatenate()([added, kl.LeakyReLU()(one), kl.BatchNormalization()(stem)])
    return scrambled(keras.Model(image, kl.Dense(3)(kl.GlobalAveragePooling2D()(joined))))


def test_functional_with_branches() -> None:
    model = residual()
    assert_rebuilt(model)
    adds = [op for op in trace(model, (SIZE, SIZE, 3)) if op.kind == "Add"]
    assert [len(op.inputs) for op in adds] == [2, 2], "integer kernels add two at a time"


def test_a_tensor_used_twice() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    once = kl.Conv2D(4, 3)(image)
    joined = kl.Concatenate()([once, once])
    assert_rebuilt(scrambled(keras.Model(image, kl.Add()([joined, joined]))))


def test_concatenate_along_rows() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    joined = kl.Concatenate(axis=1)([kl.Conv2D(4, 3)(image), kl.Conv2D(4, (5, 3))(image)])
    assert_rebuilt(scrambled(keras.Model(image, joined)))


@pytest.mark.parametrize("keeps", [False, True])
def test_the_mean_of_one_place_is_that_place(keeps: bool) -> None:
    model = sequential(kl.Conv2D(4, SIZE), kl.GlobalAveragePooling2D(keepdims=keeps), kl.Dense(3))
    assert_rebuilt(model)
    assert [op.kind for op in trace(model, (SIZE, SIZE, 3))][2] == "Reshape"


def test_models_in_models() -> None:
    inner = keras.Sequential([keras.Input((None, None, 4)), kl.Conv2D(4, 3), kl.BatchNormalization(), kl.ReLU()])
    source = keras.Input((SIZE, SIZE, 3))
    feature = kl.Conv2D(4, 3)(source)
    middle = keras.Model(source, inner(kl.Dropout(0.5)(feature)))
    model = scrambled(keras.Sequential([keras.Input((SIZE, SIZE, 3)), kl.Rescaling(2.0), middle, kl.Flatten()]))
    assert_rebuilt(model)


def test_models_in_a_model_may_have_layers_of_the_same_names() -> None:
    """What moves values or stays in float keeps its name, which has to be another then; weights go along."""

    def inner(order: tuple[int, int, int], slope: float) -> Any:
        values = keras.Input((SIZE, SIZE, 3))
        slopes = kl.PReLU(alpha_initializer=keras.initializers.Constant(slope), name="same")(values - 128.0)
        return keras.Model(values, kl.Permute(order, name="turn")(kl.Conv2D(3, 1, name="same_1")(slopes)))

    image = keras.Input((SIZE, SIZE, 3))
    parts = [inner((1, 2, 3), 0.1)(image), inner((2, 1, 3), 0.5)(image)]
    assert_rebuilt(keras.Model(image, kl.Flatten()(kl.Concatenate()(parts))))


def test_a_recurrent_layer_may_be_called_twice() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    shared = kl.GRU(4, activation="relu")
    halves = [kl.Reshape((SIZE, -1))(part) for part in (image, image / 2.0)]
    assert_rebuilt(keras.Model(image, kl.Concatenate()([shared(half) for half in halves])))


def test_shared_layers_and_shared_models() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    shared = kl.Conv2D(3, 3, padding="same", activation="relu")
    block = keras.Sequential([keras.Input((SIZE, SIZE, 3)), kl.Conv2D(3, 3, padding="same"), kl.BatchNormalization()])
    output = kl.Add()([block(shared(shared(image))), block(image)])
    model = scrambled(keras.Model(image, output))
    assert_rebuilt(model)
    names = [op.name for op in trace(model, (SIZE, SIZE, 3))]
    assert len(set(names)) == len(names) == 10


def test_an_open_size_is_traced_at_the_size_asked_for() -> None:
    model = sequential(kl.Conv2D(4, 3), kl.GlobalMaxPooling2D(), kl.Dense(2), shape=(None, None, 3))
    for height, width in ((8, 12), (SIZE, SIZE)):
        graph = folded(model, (height, width, 3))
        values = signals(2, (height, width, 3))
        assert graph.input.shape == (height, width, 3)
        found = np.asarray(build_model(graph)(values))
        np.testing.assert_allclose(found, np.asarray(model(values)), atol=1e-4)


def test_the_model_itself_is_left_as_it_was() -> None:
    model = residual()
    before = [weight.copy() for weight in model.get_weights()]
    assert_rebuilt(model)
    for was, now in zip(before, model.get_weights()):
        np.testing.assert_array_equal(was, now)


class Doubling(kl.Layer):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        return inputs * 2
