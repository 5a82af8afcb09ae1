from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from edgevision.datasets import Dataset
from edgevision.runtime.errors import InputError
from edgevision.trainers.narrowing import narrowed
from edgevision.trainers.train import train

L = keras.layers
IMAGES = np.random.default_rng(0).normal(size=(3, 16, 16, 3)).astype(np.float32)


def plain() -> Any:
    x = image = keras.Input((16, 16, 3))
    x = L.ReLU()(L.BatchNormalization(name="norm")(L.Conv2D(16, 3, padding="same", use_bias=False, name="first")(x)))
    x = L.DepthwiseConv2D(3, padding="same", name="each")(x)
    x = L.MaxPooling2D()(L.Conv2D(24, 1, activation="relu", name="second")(x))
    x = L.Dense(32, activation="relu", name="hidden")(L.Flatten()(x))
    return keras.Model(image, L.Dense(5, name="classes")(x))


def residual() -> Any:
    x = image = keras.Input((16, 16, 3))
    x = L.Conv2D(16, 3, padding="same", name="stem")(x)
    y = L.Conv2D(16, 3, padding="same", name="inner")(x)
    y = L.Conv2D(16, 3, padding="same", name="outer")(L.ReLU()(y))
    return keras.Model(image, L.Dense(4, name="classes")(L.GlobalAveragePooling2D()(L.Add()([x, y]))))


def without(model: Any, name: str, channels: Any) -> None:
    """Makes channels mean nothing."""
    layer = model.get_layer(name)
    weights = layer.get_weights()
    for weight in weights:
        weight[..., channels] = 0
    layer.set_weights(weights)


def test_channels_that_are_nothing_go_and_nothing_changes() -> None:
    model = plain()
    for name, width in (("first", 16), ("second", 24), ("hidden", 32)):
        without(model, name, np.random.default_rng(width).permutation(width)[: width - 8])
    found = narrowed(model, 0.25)
    widths = {name: int(found.get_layer(name).kernel.shape[-1]) for name in ("first", "second", "hidden", "classes")}
    assert widths == {"first": 8, "second": 8, "hidden": 8, "classes": 5}
    np.testing.assert_allclose(found(IMAGES), model(IMAGES), atol=1e-5)


def test_the_batch_norm_counts() -> None:
    model = plain()
    gamma = np.ones(16, np.float32)
    gamma[:8] = 1e-4
    model.get_layer("norm").gamma.assign(gamma)
    found = narrowed(model, 0.5)
    np.testing.assert_array_equal(found.get_layer("norm").gamma, gamma[8:])


def test_residual_blocks_lose_what_lies_inside() -> None:
    found = narrowed(residual(), 0.5)
    assert {name: found.get_layer(name).filters for name in ("stem", "inner", "outer")} == {
        "stem": 16,
        "inner": 8,
        "outer": 16,
    }
    assert found(IMAGES).shape == (3, 4)


def test_a_model_that_keeps_all_is_refused() -> None:
    image = keras.Input((16, 16, 3))
    with pytest.raises(InputError, match="cannot become narrower"):
        narrowed(keras.Model(image, L.Conv2D(32, 3)(image)), 0.5)


def test_a_trained_network_is_trained_on_with_fewer_channels(few: Dataset, tmp_path: Path) -> None:
    for options in ({"keep_channels": 0.5}, {"keep_channels": 0.5, "weights": "imagenet"}):
        with pytest.raises(InputError, match=r"no channels to choose from|no imagenet weights"):
            train(few, tmp_path / "n.keras", **options)
    train(few, tmp_path / "m.keras", epochs=1)
    found = train(few, tmp_path / "n.keras", epochs=1, weights=str(tmp_path / "m.keras"), keep_channels=0.5)
    model = keras.saving.load_model(tmp_path / "n.keras")
    assert [int(layer.kernel.shape[-1]) for layer in model.layers if layer.weights] == [16, 32, 32, 32, 10]
    assert found.parameters == model.count_params() < 122_570 / 3
