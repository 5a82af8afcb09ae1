"""Greedy non-maximum suppression, exact, a block of boxes at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Boxes that are compared with each other at once. Most images have fewer candidates.
_BLOCK = 64


def suppress(
    boxes: NDArray[Any], scores: NDArray[Any], class_ids: NDArray[Any], iou_threshold: float | None, most: int
) -> NDArray[np.intp]:
    """Which boxes stay: from the best down each drops those of its class that it overlaps too much.

    Overlap is intersection over union (Everingham et al. 2010, "The PASCAL Visual Object Classes Challenge"; the greedy
    rule is that of Felzenszwalb et al. 2010, "Object Detection with Discriminatively Trained Part-Based Models").
    Classes are compared as numbers: boxes of different classes are not moved apart, which would round them.

    Args:
        boxes: (n, 4) x1, y1, x2, y2, any unit.
        scores: (n,); of equal scores the first comes first.
        class_ids: (n,).
        iou_threshold: A box is dropped when its overlap exceeds it; None drops none.
        most: How many are kept at most.

    Returns:
        Indices of the boxes that stay, best first.
    """
    order = np.argsort(-scores, kind="stable")
    if iou_threshold is None or len(order) < 2:
        return order[:most]
    ranked, ids = boxes[order].astype(np.float64), class_ids[order]
    alive, kept = np.arange(len(order)), list[int]()
    while alive.size and len(kept) < most:
        block, rest = alive[:_BLOCK], alive[_BLOCK:]
        first = block[_greedy(_too_close(ranked[block], ids[block], ranked[block], ids[block], iou_threshold))]
        kept.extend(first)
        alive = rest[~_too_close(ranked[first], ids[first], ranked[rest], ids[rest], iou_threshold).any(axis=0)]
    return order[np.array(kept[:most], np.intp)]


def _greedy(too_close: NDArray[np.bool_]) -> list[int]:
    """Which boxes of a block stay, (n, n) in order of score."""
    dropped, kept = np.zeros(len(too_close), np.bool_), []
    for index, row in enumerate(too_close):
        if not dropped[index]:
            kept.append(index)
            dropped |= row
    return kept


def _too_close(
    a: NDArray[np.float64], a_ids: NDArray[Any], b: NDArray[np.float64], b_ids: NDArray[Any], limit: float
) -> NDArray[np.bool_]:
    """bool (n, m): whether boxes ``a`` (n, 4) drop boxes ``b`` (m, 4)."""
    width = np.minimum(a[:, None, 2], b[:, 2]) - np.maximum(a[:, None, 0], b[:, 0])
    height = np.minimum(a[:, None, 3], b[:, 3]) - np.maximum(a[:, None, 1], b[:, 1])
    common = np.maximum(width, 0) * np.maximum(height, 0)
    # Multiplied out: boxes without an area overlap nothing, and nothing is divided by zero.
    found: NDArray[np.bool_] = common > limit * (_areas(a)[:, None] + _areas(b) - common)
    found &= a_ids[:, None] == b_ids
    return found


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    areas: NDArray[np.float64] = sides[:, 0] * sides[:, 1]
    return areas
