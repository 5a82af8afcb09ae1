from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevision.converters.quantize.fake_quant import FIXED_RANGES, PIXELS, STEPS, Range
from edgevision.converters.quantize.layers import fake_quantize_layer
from edgevision.converters.quantize.scoring import round_to

ends = st.floats(-1e4, 1e4, width=32)


def fake_quantized(values: np.ndarray, grid: Range) -> np.ndarray:
    return np.asarray(fake_quantize_layer(grid, "grid")(values.astype(np.float32)))


@settings(max_examples=300, deadline=None)
@given(a=ends, b=ends)
def test_zero_lies_on_every_grid_and_everything_seen_is_covered(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    grid = Range.covering(low, high)
    assert grid.scale > 0 and isinstance(grid.zero_point, int) and 0 <= grid.zero_point <= STEPS
    assert grid.low <= 0 <= grid.high
    assert round_to(grid, np.zeros(1)) == 0.0
    assert (0 - grid.low) / grid.scale == pytest.approx(grid.zero_point)
    # moving the grid so that 0.0 is exact costs at most half a step at one end
    assert grid.low <= min(low, 0.0) + 0.5001 * grid.scale
    assert grid.high >= max(high, 0.0) - 0.5001 * grid.scale
    assert grid.high - grid.low == pytest.approx(STEPS * grid.scale)


@settings(max_examples=100, deadline=None)
@given(a=ends, b=ends, seed=st.integers(0, 9))
def test_the_layer_rounds_as_integer_kernels_do(a: float, b: float, seed: int) -> None:
    """Two ways to the same grid: TensorFlow's nudging must not move the one that was asked for."""
    grid = Range.covering(min(a, b), max(a, b))
    inside = np.random.default_rng(seed).integers(0, STEPS + 1, 50) - grid.zero_point
    exact = inside * grid.scale
    np.testing.assert_allclose(fake_quantized(exact, grid), exact, rtol=1e-5, atol=1e-5 * grid.scale)
    assert fake_quantized(np.zeros(1), grid)[0] == 0.0
    outside = fake_quantized(np.array([grid.low - 9 * grid.scale, grid.high + 9 * grid.scale]), grid)
    np.testing.assert_allclose(outside, [grid.low, grid.high], rtol=1e-5, atol=1e-5 * grid.scale)


def test_pixels_are_stored_as_they_are() -> None:
    levels = np.arange(256, dtype=np.float32)
    np.testing.assert_array_equal(fake_quantized(levels, PIXELS), levels)


def test_fixed_ranges_are_those_integer_kernels_demand() -> None:
    """TFLite's quantisation specification: sigmoid scale 1/256 from 0, tanh 1/128 around 0."""
    assert FIXED_RANGES["sigmoid"] == Range(1 / 256, 0)
    assert FIXED_RANGES["tanh"] == Range(1 / 128, 128)
    assert FIXED_RANGES["tanh"].low == -1.0


def test_an_all_zero_tensor_has_a_usable_grid() -> None:
    grid = Range.covering(0.0, 0.0)
    assert grid.scale == 1e-6 and grid.zero_point == 0
    assert fake_quantized(np.zeros(3), grid).tolist() == [0, 0, 0]


def test_the_gradient_passes_inside_and_stops_outside() -> None:
    layer = fake_quantize_layer(Range(0.1, 0), "grid")
    values = tf.Variable([-1.0, 3.33, 99.0])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(values))
    np.testing.assert_array_equal(tape.gradient(total, values), [0.0, 1.0, 0.0])


def test_a_model_with_the_layer_can_be_saved_and_read(tmp_path: Path) -> None:
    image = keras.Input((4,))
    model = keras.Model(image, fake_quantize_layer(Range(0.25, 7), "grid")(image))
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    values = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(np.asarray(again(values)), np.asarray(model(values)))
    assert again.layers[-1].range == Range(0.25, 7)
