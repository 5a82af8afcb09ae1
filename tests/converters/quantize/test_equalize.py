from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters.quantize.build import build_model
from edgevision.converters.quantize.equalize import equalize
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.quantize import Quantized, quantize
from tests.converters.models import Floats, as_batch, folded, pictures, sequential

PIXELS, _ = pictures(96)
BATCH = as_batch(PIXELS)

#: What may stand between two kernels.
BETWEEN: dict[str, Any] = {
    "nothing": lambda: [],
    "ReLU": lambda: [kl.ReLU()],
    "leaky": lambda: [kl.LeakyReLU(), kl.AveragePooling2D(2)],
    "pools": lambda: [kl.ReLU(), kl.MaxPooling2D(2), kl.ZeroPadding2D(1)],
}


def network(*between: Any, behind: Any = None) -> Any:
    second = behind or kl.Conv2D(6, 3)
    return sequential(
        kl.Rescaling(1 / 255.0), kl.Conv2D(8, 3), *between, second, kl.ReLU(), kl.GlobalMaxPooling2D(), kl.Dense(4)
    )


def skew(model: Any, factor: float) -> Any:
    """Some channels behind the first kernel larger by ``factor``, the next kernel smaller by it: the same outputs."""
    first, second = [layer for layer in model.layers if layer.weights][:2]
    factors = np.where(np.arange(8) < 2, factor, 1.0).astype(np.float32)
    kernel, bias = first.get_weights()
    first.set_weights([kernel * factors, bias * factors])
    kernel, bias = second.get_weights()
    second.set_weights([kernel / factors[:, None], bias])
    return model


def answers(graph: Graph) -> Floats:
    return np.asarray(build_model(graph)(PIXELS.astype(np.float32)))


def spread(graph: Graph, name: str) -> float:
    """Behind an operation, the range of the widest channel beside the median one's."""
    values = np.asarray(build_model(graph, outputs=[name])(PIXELS.astype(np.float32))[name])
    ranges = np.abs(values).max((0, 1, 2))
    return float(ranges.max() / np.median(ranges))


def quantized(graph: Graph) -> Quantized:
    return quantize(
        graph, "logits", lambda: [as_batch(PIXELS[:48])], as_batch(PIXELS[:48]), lambda: [as_batch(PIXELS[48:])]
    )


@pytest.mark.parametrize("name", BETWEEN)
@pytest.mark.parametrize("behind", [None, lambda: kl.DepthwiseConv2D(3, depth_multiplier=2)])
def test_answers_stay_and_channels_become_alike(name: str, behind: Any) -> None:
    model = skew(network(*BETWEEN[name](), behind=behind and behind()), 100)
    graph = folded(model)
    level = equalize(graph, BATCH)
    assert level is not None
    np.testing.assert_allclose(answers(level), answers(graph), rtol=1e-3, atol=1e-3)
    first = next(op.name for op in graph if op.has_kernel)
    assert spread(graph, first) > 20 and spread(level, first) < 0.25 * spread(graph, first)


@pytest.mark.parametrize("behind", [None, lambda: kl.DepthwiseConv2D(3, depth_multiplier=2)])
def test_badly_scaled_channels_ruin_int8_and_equalisation_saves_it(
    behind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = folded(network(kl.ReLU(), behind=behind and behind()))
    skewed = folded(skew(network(kl.ReLU(), behind=behind and behind()), 100))
    np.testing.assert_allclose(answers(skewed), answers(plain), rtol=1e-3, atol=1e-3)
    usual, saved = quantized(plain), quantized(skewed)
    assert saved.equalized and saved.recipe.endswith(", equalized")
    without = min(error for name, error in saved.errors.items() if "equalized" not in name)
    assert without > 30 * min(usual.errors.values())
    assert saved.errors[saved.recipe] < 3 * min(usual.errors.values())
    assert saved.errors[saved.recipe] == min(saved.errors.values())


def test_it_is_left_out_where_it_does_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """A candidate like the others: here a levelled graph that answers nothing."""

    def ruined(graph: Graph, pixels: Any) -> Graph:
        worse = graph.copy()
        worse.ops[worse.output].weights[0][:] = 0
        return worse

    monkeypatch.setattr("edgevision.converters.quantize.quantize.equalize", ruined)
    made = quantized(folded(network(kl.ReLU())))
    assert not made.equalized and any("equalized" in name for name in made.errors)
    assert made.errors[made.recipe] == min(made.errors.values())


@pytest.mark.parametrize(
    "between",
    [
        [kl.ReLU(6)],
        [kl.Activation("tanh")],
        [kl.Activation("gelu")],
        [kl.ReLU(), kl.Flatten(), kl.Reshape((14, 14, 8)), kl.Activation("sigmoid")],
    ],
)
def test_what_would_change_answers_is_left_alone(between: Any) -> None:
    assert equalize(folded(skew(network(*between), 100)), BATCH) is None


FACTORS = np.where(np.arange(8) < 2, 100, 1).astype(np.float32)


def branching(how: str, factors: Floats = FACTORS) -> Any:
    """A value with several readers, its channels larger by some factors and read smaller by them."""
    image = keras.Input((16, 16, 3))
    value = kl.Conv2D(8, 3, padding="same", name="first")(kl.Rescaling(1 / 255.0)(image))
    if how == "two kernels":
        joined = kl.Concatenate()([kl.Conv2D(6, 3, name=name)(value) for name in ("second", "third")])
    else:
        other = kl.Conv2D(8, 3, padding="same", name="other")(kl.ReLU()(kl.BatchNormalization(name="before")(value)))
        joined = {"beside": kl.Concatenate, "sum": kl.Add}[how]()([value, other])
        joined = kl.Conv2D(6, 3)(kl.ReLU()(kl.BatchNormalization(name="behind")(kl.MaxPooling2D(2)(joined))))
    model = keras.Model(image, kl.Dense(4)(kl.GlobalMaxPooling2D()(kl.ReLU()(joined))))
    for name in ("first", "other")[: 2 if how == "sum" else 1]:
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([kernel * factors, bias * factors])
    for layer in model.layers:
        if isinstance(layer, kl.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            gamma[:8] /= factors
            layer.set_weights([gamma, beta, mean, variance])
        elif layer.name in ("second", "third"):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel / factors[:, None], bias])
    return model


@pytest.mark.parametrize("how", ["two kernels", "beside", "sum"])
def test_channels_are_followed_to_all_their_readers(how: str) -> None:
    graph = folded(branching(how))
    level = equalize(graph, BATCH)
    assert level is not None
    np.testing.assert_allclose(answers(level), answers(graph), rtol=1e-3, atol=1e-3)
    names = [op.name for op in graph if op.name in ("first", "other") or op.kind in ("Add", "Concatenate")]
    for name in names[:1] if how == "two kernels" else [names[0], names[-1]]:
        share = 0.4 if how == "two kernels" else 0.05
        assert spread(graph, name) > 20 and spread(level, name) < share * spread(graph, name)


@pytest.mark.parametrize("how", ["beside", "sum"])
def test_norms_behind_a_junction_do_not_enlarge_roundings(how: str) -> None:
    found = quantized(folded(branching(how)))
    without = min(error for name, error in found.errors.items() if "equalized" not in name)
    assert found.equalized and without > 5 * found.errors[found.recipe]


def test_a_network_without_a_channel_that_could_be_scaled() -> None:
    bent = network(kl.Activation("tanh"))
    wide = sequential(kl.Rescaling(1 / 255.0), kl.LayerNormalization(), kl.ReLU(), kl.GlobalAveragePooling2D())
    assert equalize(folded(bent), BATCH) is None and equalize(folded(wide), BATCH) is None


def test_a_channel_that_something_else_reads_too_is_left_alone() -> None:
    image = keras.Input((16, 16, 3))
    value = kl.Conv2D(8, 3)(image)
    joined = kl.Concatenate()([kl.Conv2D(6, 3)(value), kl.Conv2D(6, 3)(kl.Activation("tanh")(value))])
    model = keras.Model(image, kl.GlobalMaxPooling2D()(joined))
    kernel, bias = model.layers[1].get_weights()
    model.layers[1].set_weights([kernel * FACTORS, bias])
    assert equalize(folded(model), BATCH) is None


def test_level_channels_need_nothing() -> None:
    assert equalize(folded(network(kl.ReLU())), BATCH) is None


def test_channels_that_show_nothing_stay_as_they_are() -> None:
    model = skew(network(kl.ReLU()), 100)
    kernel, bias = model.layers[1].get_weights()
    kernel[..., 5], bias[5] = 0, 0
    model.layers[1].set_weights([kernel, bias])
    graph = folded(model)
    level = equalize(graph, BATCH)
    assert level is not None and all(np.isfinite(weights).all() for op in level for weights in op.weights)
    np.testing.assert_allclose(answers(level), answers(graph), rtol=1e-3, atol=1e-3)
