from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import layers as kl

from edgevision.converters.quantize.graph import Op
from edgevision.converters.quantize.pairs import SAFE_SUM, by_output, largest_pair, saturates
from edgevision.converters.quantize.weights import LIMIT, LIMITS, channel_axes, overflows, quantize_kernels, to_grid
from tests.converters.models import folded, sequential


@settings(max_examples=200, deadline=None)
@given(arrays(np.int8, (2,), elements=st.integers(-127, 127)))
def test_the_rule_is_what_the_instruction_does(pair: np.ndarray) -> None:
    """Both products of any two pixels, added in 16 bits: over all pixels the extremes are at 0 and 255."""
    sums = [int(pair[0]) * a + int(pair[1]) * b for a in (0, 255) for b in (0, 255)]
    overflow = min(sums) < -(2**15) or max(sums) > 2**15 - 1
    assert saturates(pair.reshape(1, 2)) == overflow


def test_neighbours_in_either_order_count() -> None:
    kernel = np.zeros((1, 3, 2, 2), np.int8)
    assert not saturates(kernel)
    kernel[0, 0, 0, 0] = kernel[0, 2, 1, 1] = 127
    assert not saturates(kernel), "far apart"
    beside, behind = kernel.copy(), kernel.copy()
    beside[0, 0, 0, 1] = behind[0, 1, 0, 0] = 2
    assert saturates(beside) and saturates(behind) and saturates(-beside)
    beside[0, 0, 0, 1] = -127
    assert not saturates(beside), "of other signs"
    assert largest_pair(kernel)[0] == 127


@pytest.mark.parametrize(
    ("kind", "shape", "found"),
    [
        ("Conv2D", (3, 4, 2, 5), (5, 2, 3, 4)),
        ("Dense", (7, 5), (5, 7)),
        ("DepthwiseConv2D", (3, 4, 2, 5), (10, 1, 3, 4)),
        ("Conv2DTranspose", (3, 4, 5, 2), (5, 2, 3, 4)),
    ],
)
def test_outputs_come_first(kind: str, shape: tuple[int, ...], found: tuple[int, ...]) -> None:
    kernel = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    op = Op("k", kind, ["image"], (1,), {}, [kernel, np.zeros(1, np.float32)])
    rows = by_output(op)
    assert rows.shape == found
    scales = to_grid(kernel + 1, channel_axes(op))[1].ravel()
    np.testing.assert_allclose(to_grid(rows + 1, (0,))[1].ravel(), scales, err_msg="channels are in the same order")


def test_safe_grids_are_as_fine_as_they_may_be() -> None:
    layers = (kl.Conv2D(12, 3), kl.ReLU(), kl.DepthwiseConv2D(3, depth_multiplier=2), kl.Flatten(), kl.Dense(9))
    graph = folded(sequential(*layers))
    assert overflows(quantize_kernels(graph))
    safe = quantize_kernels(graph, pair_safe=True)
    assert not overflows(safe)
    seen = set()
    for op, exact in zip(safe, graph):
        if op.has_kernel:
            stored, scale = to_grid(by_output(op), (0,))
            np.testing.assert_allclose(stored * scale, by_output(op), rtol=1e-5, err_msg="the grid is found again")
            assert (np.abs(by_output(exact) - by_output(op)) <= 0.501 * scale).all()
            for rows, channel in zip(by_output(exact), stored):
                limit = int(np.abs(channel).max())
                seen.add(limit)
                finer = [each for each in LIMITS if each > limit]
                if finer:  # the next finer grid would overflow
                    assert largest_pair(np.rint(rows / np.abs(rows).max() * finer[0])[None])[0] > SAFE_SUM
    assert seen <= set(LIMITS) and len(seen - {LIMIT}) >= 3
