"""Suppression against the rule as it is written in the papers: two loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgevision.runtime.tasks.nms import suppress


def overlap(a: NDArray[Any], b: NDArray[Any]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common
    return float(common / union) if union > 0 else 0.0


def by_loops(boxes: NDArray[Any], scores: NDArray[Any], ids: NDArray[Any], limit: float, most: int) -> list[int]:
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        if all(ids[index] != ids[other] or overlap(boxes[other], boxes[index]) <= limit for other in kept):
            kept.append(index)
    return kept[:most]


@settings(max_examples=40)
@given(count=st.integers(0, 200), seed=st.integers(0, 2**32 - 1), classes=st.integers(1, 3), most=st.integers(1, 200))
@pytest.mark.parametrize("limit", [0.0, 0.3, 0.5, 1.0])
def test_it_is_the_loop(count: int, seed: int, classes: int, most: int, limit: float) -> None:
    random = np.random.default_rng(seed)
    # Corners on a coarse grid and few scores: many equal boxes, empty boxes, ties, and overlaps that are the limit.
    start = random.integers(0, 8, (count, 2))
    boxes = np.concatenate([start, start + random.integers(0, 6, (count, 2))], axis=1).astype(np.float64)
    scores, ids = random.integers(0, 5, count) / 4, random.integers(0, classes, count)
    found = suppress(boxes, scores.astype(np.float32), ids, limit, most)
    assert found.tolist() == by_loops(boxes, scores, ids, limit, most)


def test_without_a_limit_all_stay_best_first() -> None:
    boxes = np.zeros((3, 4))
    assert suppress(boxes, np.array([0.1, 0.9, 0.9]), np.zeros(3), None, 9).tolist() == [1, 2, 0]
    assert suppress(boxes, np.array([0.1, 0.9, 0.9]), np.zeros(3), None, 2).tolist() == [1, 2]


def test_classes_far_apart_in_number_do_not_blur_boxes() -> None:
    """Boxes moved apart by class * size, a usual trick, are rounded: these two overlap by 0.5 and a millionth."""
    boxes = np.array([[0, 0, 2, 1], [0, 0, 1.000001, 1]])
    far = np.full(2, 10_000_000)
    assert suppress(boxes, np.array([0.9, 0.8]), far, 0.5, 9).tolist() == [0]
    assert suppress(boxes, np.array([0.9, 0.8]), far, 0.500001, 9).tolist() == [0, 1]
