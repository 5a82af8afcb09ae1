"""Steps of activations that keep results away from halves (that engines round alike with them: ``test_integers``)."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.points import measured_points
from edgevision.converters.quantize.steps import with_steps
from tests.converters.models import SIZE, folded, scrambled
from tests.converters.quantize.test_halves import nearest_to_a_half


def ones(graph: Graph, **scales: float) -> dict[str, Range]:
    """A grid for each point, the same but where said."""
    return {name: Range(scales.get(name, 0.1), 7) for name in measured_points(graph)}


def test_steps_that_meet_in_sums_divide_by_odd_numbers() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    first, second = (kl.Conv2D(4, 3, padding="same", name=name)(image) for name in ("first", "second"))
    total = kl.ReLU(name="fused")(kl.Add(name="sum")([first, kl.MaxPooling2D(1)(second)]))
    third = kl.ReLU(6, name="bounded")(kl.Conv2D(4, 1, name="inner")(total))
    whole = kl.Add(name="whole")([total, third])
    graph = folded(scrambled(keras.Model(image, kl.Conv2D(2, 1, name="apart")(whole))))
    measured = ones(graph, first=0.0123, second=0.0456, fused=0.05, bounded=6 / 255, whole=0.051)
    found = with_steps(graph, measured)
    assert found["apart"] == measured["apart"]
    unit = found["first"].scale / 511
    for name in measured.keys() - {"apart"}:
        assert (found[name].scale / unit) % 2 == pytest.approx(1)
        change = found[name].scale / measured[name].scale - 1
        assert -0.004 < change <= 0 if name == "bounded" else 0 <= change < 0.004, "a bound is not passed"
    assert with_steps(graph, found) == found, "they stay"


def test_a_given_grid_is_a_part_of_the_unit() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    gate, other = kl.Conv2D(4, 1, activation="sigmoid")(image), kl.Conv2D(4, 1, name="other")(image)
    graph = folded(scrambled(keras.Model(image, kl.Conv2D(2, 1)(kl.Add(name="sum")([gate, other])))))
    found = with_steps(graph, ones(graph, other=0.0011, sum=0.0073))
    counts = (found[name].scale * 256 for name in ("other", "sum"))
    assert any(np.allclose([count * unit % 2 for count in counts], 1) for unit in range(1801, 1831, 2))


def test_parts_are_an_odd_share_of_the_whole() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    parts = [kl.Conv2D(4, 3, padding="same", name=name)(image) for name in ("one", "two", "same")]
    added = kl.Add(name="sum")([kl.Conv2D(4, 3, padding="same", name="three")(image), parts[0]])
    whole = kl.Concatenate(name="whole")([*parts[1:], kl.ReLU(6, name="bounded")(kl.Conv2D(4, 1)(image)), added])
    graph = folded(scrambled(keras.Model(image, kl.Conv2D(2, 1)(kl.Concatenate(name="last")([whole, parts[1]])))))
    scales = {"one": 0.02, "two": 0.03, "three": 0.04, "bounded": 6 / 255, "sum": 0.05, "last": 0.1, "whole": 0.06}
    found = {name: grid.scale for name, grid in with_steps(graph, ones(graph, same=0.06, **scales)).items()}
    assert found["last"] == 0.1 and found["same"] == found["whole"]
    for part, joined in (("whole", "last"), ("two", "last"), ("bounded", "whole"), ("sum", "whole")):
        share = 256 * found[part] / found[joined]
        assert share % 2 == pytest.approx(1 + 1 / 1024) and abs(share - 256 * scales[part] / scales[joined]) < 2.5
    assert found["bounded"] <= 6 / 255
    unit = found["one"] / 511
    assert all((found[name] / unit) % 2 == pytest.approx(1) for name in ("one", "three", "sum")), "in proportion"


def test_products_and_means_stay_off_halves() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.Conv2D(4, 1, name="x")(image)
    scaled = kl.Multiply(name="scaled")([x, kl.Conv2D(4, 1, activation="sigmoid")(image)])
    mean = kl.GlobalAveragePooling2D(name="mean")(kl.MaxPooling2D(2)(scaled))
    graph = folded(scrambled(keras.Model(image, kl.Dense(3)(mean))))
    measured = ones(graph, x=0.1, scaled=0.05, mean=0.025)
    found = with_steps(graph, measured)
    assert {name for name in found if found[name] != measured[name]} == {"scaled", "mean"}
    factors = (
        found["x"].scale / 256 / found["scaled"].scale,
        found["scaled"].scale / (SIZE // 2) ** 2 / found["mean"].scale,
    )
    for factor, before in zip(factors, (0.1 / 256 / 0.05, 0.05 / 64 / 0.025)):
        assert nearest_to_a_half(before) == 0
        assert nearest_to_a_half(factor) > 1 / 4100 and factor == pytest.approx(before, rel=1e-3)
