"""Operations that compute the same from the same, done once."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers as kl

from edgevision.converters.quantize.build import build_model
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.merge import merge
from edgevision.converters.quantize.trace import trace

SHAPE = (8, 8, 3)


def merged(output: Any, image: Any) -> Graph:
    """A model's graph, merged, after a look at whether it still answers the same."""
    model = keras.Model(image, output)
    graph = trace(model, SHAPE)
    merge(graph)
    pixels = np.random.default_rng(0).integers(0, 256, (4, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(build_model(graph)(pixels)), np.asarray(model(pixels)), rtol=1e-5, atol=1e-4)
    return graph


def names(graph: Graph, kind: str) -> list[str]:
    return [op.name for op in graph if op.kind == kind]


def test_chains_of_the_same_become_one() -> None:
    image = keras.Input(SHAPE)
    x = kl.Conv2D(4, 3)(image)
    left, right = (kl.MaxPooling2D(2)(kl.ReLU()(x)) for _ in range(2))
    graph = merged(kl.Add()([kl.Conv2D(4, 1)(left), kl.Conv2D(4, 1)(right)]), image)
    assert len(names(graph, "ReLU")) == len(names(graph, "MaxPooling2D")) == 1
    assert len(names(graph, "Conv2D")) == 3, "kernels stay, whatever they hold"


def test_a_sum_of_the_same_takes_it_twice() -> None:
    image = keras.Input(SHAPE)
    x = kl.Conv2D(4, 3)(image)
    graph = merged(kl.Add()([kl.ReLU()(x), kl.ReLU()(x)]), image)
    (relu,) = names(graph, "ReLU")
    assert graph.ops[graph.output].inputs == [relu, relu]


def test_what_differs_stays() -> None:
    image = keras.Input(SHAPE)
    x = kl.Conv2D(4, 3)(image)
    parts = [kl.ReLU()(x), kl.ReLU(max_value=6)(x), kl.ReLU()(kl.Conv2D(4, 3)(image)), kl.MaxPooling2D(1)(x)]
    parts += [kl.AveragePooling2D(1)(x), kl.Permute((1, 2, 3))(x), kl.Permute((2, 1, 3))(x)]
    graph = merged(kl.Concatenate()(parts), image)
    kinds = {"ReLU": 3, "MaxPooling2D": 1, "AveragePooling2D": 1, "Moved": 2}
    assert {kind: len(names(graph, kind)) for kind in kinds} == kinds


def test_layers_that_are_called_the_same_stay() -> None:
    """Within models within it: what such layers do is seen in themselves alone."""
    image = keras.Input(SHAPE)
    x = kl.Conv2D(4, 3)(image)
    turned = [
        keras.Sequential([keras.Input(x.shape[1:]), kl.Permute(order, name="turn")])(x)
        for order in ((1, 2, 3), (2, 1, 3))
    ]
    assert len(names(merged(kl.Concatenate()(turned), image), "Moved")) == 2


def test_outputs_stay() -> None:
    image = keras.Input(SHAPE)
    x = kl.Conv2D(4, 3)(image)
    graph = trace(keras.Model(image, kl.Add()([kl.ReLU()(x), kl.Conv2D(4, 1)(kl.ReLU()(x))])), SHAPE)
    first, second = names(graph, "ReLU")
    graph.outputs = {"one": first, "other": second}
    merge(graph)
    assert graph.outputs == {"one": first, "other": second} and {first, second} <= set(graph.ops)
