from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers as kl

from edgevision.converters.quantize.build import build_model
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.functions import FUNCTIONS
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.observe import Batch, Observer, batch_size, observe
from edgevision.converters.quantize.points import measured_points
from edgevision.converters.quantize.scoring import Values, round_to
from tests.converters.models import SIZE, as_batch, folded, pictures, sequential

IMAGES, _ = pictures(50)


def network() -> Graph:
    layers = [kl.Rescaling(1 / 127.5, -1), kl.Conv2D(4, 3), kl.LeakyReLU(), kl.MaxPooling2D(), kl.Conv2D(3, 3)]
    return folded(sequential(*layers, kl.GlobalAveragePooling2D(), kl.Dense(4)))


def in_batches(size: int) -> Iterator[Batch]:
    for start in range(0, len(IMAGES), size):
        yield as_batch(IMAGES[start : start + size])


def seen(*parts: Values) -> Observer:
    observer = Observer()
    for part in parts:
        observer.see_extremes(part)
    for part in parts:
        observer.see_values(part)
    return observer


def squared_error(grid: Range, values: Values) -> float:
    return float(np.square(round_to(grid, values) - values).sum())


def test_streamed_is_the_same_as_at_once() -> None:
    graph = network()
    streamed, whole = observe(graph, lambda: in_batches(7)), observe(graph, lambda: in_batches(50))
    assert set(streamed) == set(whole) == set(measured_points(graph)) and len(whole) == 4
    for name, observer in whole.items():
        other = streamed[name]
        # another batch size may add in another order: the last bit of a value may differ
        assert other.low == pytest.approx(observer.low, rel=1e-5)
        assert other.high == pytest.approx(observer.high, rel=1e-5)
        assert other.counts.sum() == observer.counts.sum() == len(IMAGES) * np.prod(graph.ops[name].shape)
        assert np.abs(np.cumsum(other.counts - observer.counts)).max() <= 1e-3 * observer.counts.sum()
        assert other.least_squares().scale == pytest.approx(observer.least_squares().scale, rel=0.05)


def test_streamed_values_fall_into_the_very_same_bins() -> None:
    values = np.random.default_rng(0).normal(size=999).astype(np.float32)
    whole, streamed = seen(values), seen(*np.array_split(values, 13))
    assert (whole.low, whole.high) == (streamed.low, streamed.high) == (values.min(), values.max())
    np.testing.assert_array_equal(whole.counts, streamed.counts)


def test_extremes_are_those_of_the_float_model() -> None:
    graph = network()
    observers = observe(graph, lambda: in_batches(16))
    values = build_model(graph, outputs=list(observers))(IMAGES.astype(np.float32))
    for name, observer in observers.items():
        assert observer.low == pytest.approx(float(np.min(values[name])), rel=1e-5)
        assert observer.high == pytest.approx(float(np.max(values[name])), rel=1e-5)
        grid = observer.min_max()
        assert grid.low <= observer.low + grid.scale and grid.high >= observer.high - grid.scale


@settings(max_examples=60, deadline=None)
@given(
    places=st.lists(st.integers(0, 2047), min_size=1, max_size=200),
    low=st.floats(-5, 5),
    span=st.floats(0.1, 20),
)
def test_least_squares_is_never_worse_than_min_max_on_what_it_saw(places: list[int], low: float, span: float) -> None:
    """Values at the centres of the histogram's 2048 bins, so that it holds all there is to know of them."""
    values = np.linspace(low, low + span, 2048)[[0, 2047, *places]]
    observer = seen(values)
    assert observer.counts.sum() == len(values)
    by_squares, by_extremes = (squared_error(grid, values) for grid in (observer.least_squares(), observer.min_max()))
    assert by_squares <= by_extremes * (1 + 1e-9) + 1e-15


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("outliers", [0, 1, 9])
def test_least_squares_is_not_worse_on_values_between_the_centres(seed: int, outliers: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(random.normal(), 1, 20_000).astype(np.float32)
    values[:outliers] *= 5
    observer = seen(values)
    assert squared_error(observer.least_squares(), values) <= 1.02 * squared_error(observer.min_max(), values)


def test_least_squares_cuts_outliers_off() -> None:
    values = np.random.default_rng(1).uniform(-1, 1, 1_000_000).astype(np.float32)
    values[0] = 4.0
    observer = seen(values)
    clipped, covering = observer.least_squares(), observer.min_max()
    assert clipped.high < 2 < covering.high
    assert squared_error(clipped, values) < 0.6 * squared_error(covering, values)


def test_bin_centres_lie_where_the_values_are() -> None:
    """Values put on bins from below would all seem to lie half a bin too low."""
    values = np.random.default_rng(2).uniform(-1, 2, 100_000).astype(np.float32)
    observer = seen(values)
    centres = np.linspace(observer.low, observer.high, len(observer.counts))
    mean = float((centres * observer.counts).sum() / observer.counts.sum())
    bin_width = centres[1] - centres[0]
    assert mean == pytest.approx(float(values.mean(dtype=np.float64)), abs=0.05 * bin_width)


@pytest.mark.parametrize("share", [0.9999, 0.99])
def test_percentiles_leave_a_share_out_at_each_end(share: float) -> None:
    values = np.random.default_rng(3).normal(0.5, 1, 200_000).astype(np.float32)
    observer = seen(values)
    grid, (low, high) = observer.percentile(share), np.quantile(values, [1 - share, share])
    bin_width = (observer.high - observer.low) / 2047
    assert grid.low == pytest.approx(low, abs=bin_width + grid.scale)
    assert grid.high == pytest.approx(high, abs=bin_width + grid.scale)
    assert observer.percentile(1.0) == observer.min_max()


def test_what_is_read_through_a_function_needs_no_grid_where_that_is_flat() -> None:
    """Hard swish is zero below -3: steps spent there are lost to the rest."""
    values = np.random.default_rng(4).normal(-2, 4, 100_000).astype(np.float32)
    hard_swish = FUNCTIONS["hard_silu"]
    plain, through = Observer(), Observer(hard_swish)
    for observer in (plain, through):
        observer.see_extremes(values[None])
        observer.see_values(values)
    assert plain.least_squares().low < -6 and -3.6 < through.least_squares().low < -2.8

    def behind(grid: Range) -> float:
        return float(np.square(hard_swish(round_to(grid, values)) - hard_swish(values)).sum())

    assert behind(through.least_squares()) < 0.6 * behind(plain.least_squares())


@pytest.mark.parametrize("values", [[0.0], [0.5], [-0.5], [0.0, 0.0]])
def test_constant_tensors(values: list[float]) -> None:
    array = np.array(values, np.float32)
    observer = seen(array)
    for grid in (observer.min_max(), observer.least_squares()):
        np.testing.assert_allclose(round_to(grid, array), array, atol=1e-6)


def test_values_of_one_sign_keep_zero_at_the_end() -> None:
    positive = seen(np.array([0.5, 1.0, 2.0], np.float32))
    assert positive.min_max().zero_point == positive.least_squares().zero_point == 0
    negative = seen(np.array([-0.5, -1.0, -2.0], np.float32))
    assert negative.min_max().zero_point == negative.least_squares().zero_point == 255


def test_batch_size_follows_the_budget() -> None:
    graph = network()
    one = 4 * sum(int(np.prod(op.shape)) for op in graph)
    assert graph.input.shape == (SIZE, SIZE, 3)
    assert [batch_size(graph, budget) for budget in (1, one, 5 * one, 10**9)] == [1, 1, 5, 32]
