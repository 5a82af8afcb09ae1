from __future__ import annotations

from typing import Any

import keras
import pytest
from keras import layers as kl

from edgevision.converters.quantize.fake_quant import FIXED_RANGES, PIXELS, Range
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.points import (
    logits_point,
    measured_points,
    rounded_outputs,
    value_grids,
)
from tests.converters.models import SIZE, folded, scrambled, sequential


def network() -> Graph:
    return folded(
        sequential(
            kl.Conv2D(4, 3, name="plain"),
            kl.ZeroPadding2D(1, name="pad"),
            kl.Conv2D(4, 3, name="fused"),
            kl.ReLU(name="relu"),
            kl.MaxPooling2D(name="max"),
            kl.AveragePooling2D(2, name="mean"),
            kl.Conv2D(4, 1, name="leaky"),
            kl.LeakyReLU(name="leaky_relu"),
            kl.Conv2D(4, 1, activation="tanh", name="tanh"),
            kl.Flatten(name="flat"),
            kl.Dense(3, name="logits"),
            kl.Softmax(name="softmax"),
        )
    )


def test_every_tensor_an_integer_kernel_writes_has_a_grid_and_no_other() -> None:
    graph = network()
    names = ["plain", "relu", "leaky", "tanh", "logits"]
    assert measured_points(graph) == names, "not the fused kernel, not what keeps its input's grid, not the tail"
    grids = value_grids(graph, {name: Range(0.1 * i, i) for i, name in enumerate(names, 1)})
    assert grids["image"] == PIXELS and grids["tanh_tanh"] == FIXED_RANGES["tanh"] == grids["flat"]
    assert grids["pad"] == grids["plain"] and grids["max"] == grids["mean"] == grids["relu"]
    assert grids["leaky_relu"] == grids["leaky"] and "leaky_relu" in rounded_outputs(graph, grids)
    assert "fused" not in grids and "softmax" not in grids
    rounded = rounded_outputs(graph, grids)
    assert set(grids) - set(rounded) == {"max", "flat"}, "values that were only moved are on their grid already"


def test_a_kernel_that_two_operations_take_is_not_fused() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    both = kl.Conv2D(3, 3, name="both")(image)
    model = keras.Model(image, kl.Add(name="sum")([kl.ReLU(name="relu")(both), both]))
    assert measured_points(folded(scrambled(model))) == ["both", "relu", "sum"]


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ([kl.Flatten(), kl.Dense(2, name="last")], "last"),
        ([kl.Flatten(), kl.Dense(2, name="last"), kl.Softmax()], "last"),
        ([kl.Flatten(), kl.Dense(1, name="last", activation="sigmoid")], "last"),
        ([kl.Flatten(), kl.Dense(2), kl.ReLU()], None),
        ([kl.GlobalAveragePooling2D()], None),
    ],
)
def test_where_the_logits_are(layers: list[Any], found: str | None) -> None:
    assert logits_point(folded(sequential(*layers))) == found
