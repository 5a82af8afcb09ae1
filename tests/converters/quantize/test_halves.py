"""Scales that keep results away from halves (that engines round alike with them: ``test_integers``)."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers as kl

from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.halves import off_halves
from edgevision.converters.quantize.points import measured_points, value_grids
from edgevision.converters.quantize.weights import quantize_kernels, round_biases, to_grid
from tests.converters.models import SIZE, folded, scrambled, sequential


def nearest_to_a_half(factor: float) -> float:
    """How near whole numbers times a factor come to one, of those whose product is below 256."""
    products = np.arange(1, int(256 / factor) + 1) * factor
    return float(np.abs(products % 1 - 0.5).min())


def test_multiples_stay_away_from_halves() -> None:
    random = np.random.default_rng(0)
    factors = np.exp(random.uniform(np.log(2e-5), np.log(4), (40, 5)))
    factors[0] = 1, 0.5, 0.25, 1 / 256, 1 / 4096  # once in so many times half way
    found = off_halves(factors)
    assert found.shape == factors.shape
    assert np.abs(found / factors - 1).max() < 1e-3
    for factor in found.ravel():
        assert nearest_to_a_half(factor) > 0.99 * min(1 / 4094, factor / 2)
    assert min(nearest_to_a_half(factor) for factor in factors.ravel()) < 1e-6


def test_kernels_have_scales_that_stay_off_halves() -> None:
    graph = folded(sequential(kl.Conv2D(6, 3), kl.DepthwiseConv2D(3), kl.ReLU(6), kl.Flatten(), kl.Dense(3)))
    rounded = quantize_kernels(graph)
    grids = value_grids(graph, dict.fromkeys(measured_points(graph), Range(0.1, 7)))
    made = rounded.copy()
    round_biases(made, grids)
    kernels = [op for op in made if op.has_kernel]
    for op in kernels:
        axes = (2, 3) if op.kind == "DepthwiseConv2D" else (op.weights[0].ndim - 1,)
        stored, scale = to_grid(op.weights[0], axes)
        before, coarse = to_grid(rounded.ops[op.name].weights[0], axes)
        np.testing.assert_array_equal(stored, before)
        np.testing.assert_allclose(scale, coarse, rtol=1e-3)
        inside = grids[op.inputs[0]].scale
        for factor in scale.ravel().astype(np.float64) * inside / 0.1:
            assert nearest_to_a_half(factor) > 0.9 * min(1 / 4094, factor / 2)


def test_a_shared_kernel_stays_one() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    shared = kl.Conv2D(3, 3)
    graph = folded(scrambled(keras.Model(image, kl.Conv2D(3, 3, name="own")(shared(shared(image))))), (SIZE, SIZE, 3))
    made = quantize_kernels(graph)
    before = {op.name: op.weights[0].copy() for op in made if op.has_kernel}
    round_biases(
        made, value_grids(graph, {name: Range(0.1 * n, 7) for n, name in enumerate(measured_points(graph), 1)})
    )
    assert [name for name in before if np.array_equal(before[name], made.ops[name].weights[0])] == list(before)[:2]
