from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import layers as kl

from edgevision.converters.quantize.fake_quant import PIXELS, Range
from edgevision.converters.quantize.graph import Array, Graph, Op
from edgevision.converters.quantize.weights import LIMIT, LIMITS, channel_axes, quantize_kernels, round_biases, to_grid
from tests.converters.models import folded, sequential

#: Magnitudes that occur in trained networks, dead channels included.
values = st.one_of(st.floats(-1e3, 1e3, width=32), st.sampled_from([0.0, 1e-45, 3e-43, 1e-38, -1e-20]).map(np.float32))
kernels = arrays(
    np.float32, st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)), elements=values
)


@settings(max_examples=200, deadline=None)
@given(kernel=kernels, axes=st.sampled_from([(3,), (2, 3), (0,), (0, 1)]))
def test_the_int8_grid(kernel: Array, axes: tuple[int, ...]) -> None:
    others = tuple(axis for axis in range(4) if axis not in axes)
    stored, scale = to_grid(kernel, axes)
    assert stored.dtype == np.int8 and scale.dtype == np.float32
    assert scale.shape == tuple(n if axis in axes else 1 for axis, n in enumerate(kernel.shape))
    assert (scale > 0).all() and np.isfinite(scale).all()

    largest = np.abs(stored.astype(int)).max(axis=others)
    is_zero = np.abs(kernel).max(axis=others) <= 1e-30
    assert (largest[is_zero] == 0).all() and set(largest[~is_zero].ravel()) <= set(LIMITS)

    real = stored.astype(np.float32) * scale
    assert (np.abs(real - kernel) <= 0.5001 * scale).all()

    again, same_scale = to_grid(real, axes)
    assert (np.abs(again * same_scale - real) <= 1e-3 * scale).all()
    np.testing.assert_array_equal(to_grid(again * same_scale, axes)[0], again)


def test_a_full_grid_is_found_again() -> None:
    """Few weights may happen to lie on a coarser grid as well; this many do not."""
    kernel = np.random.default_rng(0).normal(size=(3, 3, 8, 32)).astype(np.float32)
    stored, scale = to_grid(kernel, (3,))
    assert (np.abs(stored).max((0, 1, 2)) == LIMIT).all()
    again, same_scale = to_grid(stored * scale, (3,))
    np.testing.assert_array_equal(again, stored)
    np.testing.assert_allclose(same_scale, scale, rtol=1e-6)


def test_channels_have_scales_of_their_own() -> None:
    kernel = np.ones((3, 3, 2, 4), np.float32) * np.array([1e-3, 1.0, 0.0, 50.0], np.float32)
    kernel[1, 1, 1] *= 0.7  # not on any coarser grid
    stored, scale = to_grid(kernel, (3,))
    np.testing.assert_array_equal(stored[0, 0, 0], [127, 127, 0, 127])
    np.testing.assert_allclose(scale.ravel(), [1e-3 / 127, 1 / 127, 1e-4, 50 / 127], rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "shape", "axes"),
    [("Conv2D", (3, 3, 2, 5), (3,)), ("Dense", (7, 5), (1,)), ("DepthwiseConv2D", (3, 3, 4, 2), (2, 3))],
)
def test_channel_axes_are_those_of_the_outputs(kind: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    op = Op("k", kind, ["image"], (1,), {}, [np.ones(shape, np.float32), np.zeros(1, np.float32)])
    assert channel_axes(op) == axes


def network() -> Graph:
    layers = (kl.Conv2D(4, 3), kl.ReLU(), kl.DepthwiseConv2D(3, depth_multiplier=2), kl.Flatten(), kl.Dense(3))
    return folded(sequential(*layers))


def test_only_kernels_are_rounded_and_only_in_the_copy() -> None:
    graph = network()
    before = graph.copy()
    rounded = quantize_kernels(graph)
    for op in graph:
        for was, now in zip(before.ops[op.name].weights, op.weights):
            np.testing.assert_array_equal(was, now)
        if op.has_kernel:
            kernel, bias = rounded.ops[op.name].weights
            stored, scale = to_grid(op.weights[0], channel_axes(op))
            np.testing.assert_array_equal(kernel, stored.astype(np.float32) * scale)
            assert (kernel != op.weights[0]).any() and kernel.dtype == np.float32
            np.testing.assert_array_equal(bias, op.weights[1])


def test_biases_come_to_lie_on_the_accumulators_grid() -> None:
    """Input scale x kernel scale of the channel is one unit of the int32 accumulator."""
    rounded = quantize_kernels(network())
    inputs = {"image": PIXELS}
    ranges = {op.name: Range(0.02, 3) for op in rounded if op.kind != "Input"} | inputs
    exact = rounded.copy()
    round_biases(rounded, ranges)
    checked = 0
    for op in rounded:
        if op.has_kernel:
            unit = to_grid(op.weights[0], channel_axes(op))[1].ravel().astype(np.float64) * ranges[op.inputs[0]].scale
            units = op.weights[1] / unit
            np.testing.assert_allclose(units, np.rint(units), atol=1e-3)
            assert (np.abs(op.weights[1] - exact.ops[op.name].weights[1]) <= 0.5001 * unit).all()
            assert (op.weights[1] != exact.ops[op.name].weights[1]).any()
            checked += 1
    assert checked == 3


def test_biases_behind_values_without_a_grid_stay() -> None:
    rounded = quantize_kernels(network())
    before = rounded.copy()
    round_biases(rounded, {})
    for op in rounded:
        for was, now in zip(before.ops[op.name].weights, op.weights):
            np.testing.assert_array_equal(was, now)


def test_a_bias_too_large_for_its_weights_clears_them() -> None:
    """In units of 1e-9 x 1 a bias of 0.7 would need more than 32 bits; a channel without weights keeps its bias."""
    graph = folded(sequential(kl.Conv2D(4, 3), kl.Flatten(), kl.Dense(3)))
    op = next(op for op in graph if op.has_kernel)
    op.weights[0][..., 1], op.weights[0][..., 2], op.weights[1] = 1e-9, 0.0, np.full(4, 0.7, np.float32)
    rounded = quantize_kernels(graph)
    round_biases(rounded, {"image": PIXELS})
    kernel, bias = rounded.ops[op.name].weights
    assert not kernel[..., 1].any() and not kernel[..., 2].any()
    assert kernel[..., 0].any() and kernel[..., 3].any()
    np.testing.assert_allclose(bias, 0.7, atol=2e-3)
    units = bias / to_grid(kernel, (3,))[1].ravel()
    assert (np.abs(units) < 2**31).all()
