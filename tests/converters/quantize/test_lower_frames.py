"""Films: frames side by side in the batch, where the integer kernels for images take them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters.export import kept_in_float
from edgevision.converters.quantize.build import build_model, run
from edgevision.converters.quantize.fold import fold, prepend_normalization
from edgevision.converters.quantize.graph import Graph, Op
from edgevision.converters.quantize.macs import macs
from edgevision.converters.quantize.trace import trace_tensors
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.spec import Preprocessing, named_preprocessing
from tests.converters.models import scrambled

FILM = (6, 12, 12, 3)
P = named_preprocessing("torch", 12, 12)


def per_frame() -> list[Any]:
    net = keras.Sequential([keras.Input(FILM[1:]), kl.Conv2D(5, 3, activation="relu"), kl.BatchNormalization()])
    return [
        kl.TimeDistributed(net),
        kl.TimeDistributed(kl.Flatten()),
        kl.TimeDistributed(kl.Dense(4)),
        kl.BatchNormalization(),
    ]


def three_axes() -> list[Any]:
    return [
        *(kl.Conv3D(4, (1, 3, 3), use_bias=False), kl.BatchNormalization(), kl.ReLU()),
        *(kl.Conv3D(5, 3, padding="same", activation="relu"), kl.MaxPooling3D((1, 2, 2))),
        *(kl.Conv3D(5, (2, 3, 3), strides=(2, 1, 1)), kl.LeakyReLU(), kl.GlobalAveragePooling3D()),
    ]


def strided() -> list[Any]:
    return [kl.Conv3D(4, 3, strides=2, padding="same"), kl.AveragePooling3D((1, 2, 2)), kl.Flatten(), kl.Dense(3)]


def traced(make: Callable[[], list[Any]], p: Preprocessing = P) -> tuple[Any, Graph]:
    model = scrambled(keras.Sequential([keras.Input(FILM), *make()]))
    graph = trace_tensors(model, [Op("film", "Input", [], FILM, dtype="uint8")], ["output"])
    prepend_normalization(graph, p)
    fold(graph)
    return model, graph


@pytest.mark.parametrize("make", [per_frame, three_axes, strided])
def test_films_are_for_integer_kernels(make: Callable[[], list[Any]]) -> None:
    model, graph = traced(make)
    assert not kept_in_float(graph)
    film = np.random.default_rng(0).integers(0, 256, (3, *FILM), np.uint8)
    found = np.asarray(run(build_model(graph), {"film": film}))
    np.testing.assert_allclose(found, np.asarray(model(normalize(film, P))), atol=2e-4, rtol=1e-3)


def test_scales_and_offsets_go_into_the_kernels() -> None:
    _, graph = traced(three_axes)
    kinds = [op.kind for op in graph]
    assert kinds.count("Conv2D") == 3 and not {"Affine", "DepthwiseConv2D"} & set(kinds)
    assert not {"Affine", "DepthwiseConv2D"} & {op.kind for op in traced(per_frame)[1]}
    # a ReLU stands right behind its kernel, where it costs nothing
    assert [graph.ops[op.inputs[0]].kind for op in graph if op.kind == "ReLU"] == ["Conv2D", "Conv2D"]


def test_work_is_counted_for_every_frame() -> None:
    _, graph = traced(per_frame)
    counts = [macs(graph, op) for op in graph if op.has_kernel]
    assert counts == [6 * 10 * 10 * 5 * 27, 6 * 500 * 4]


def test_films_of_different_lengths_stay_in_float() -> None:
    film = keras.Input(FILM)
    inner = kl.TimeDistributed(kl.TimeDistributed(kl.Dense(2)), name="films")
    graph = trace_tensors(keras.Model(film, inner(film)), [Op("film", "Input", [], FILM)], ["output"])
    assert [item.name for item in kept_in_float(graph)] == ["films"]
