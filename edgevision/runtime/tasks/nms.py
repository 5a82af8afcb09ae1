"""Greedy non-maximum suppression, exact, one pass of numpy per box that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    x1, y1, x2, y2 = boxes[order].astype(np.float64).T.copy()
    ids, area = class_ids[order], np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
    alive, kept = np.arange(len(order)), list[int]()
    while alive.size and len(kept) < most:
        first, rest = alive[0], alive[1:]
        kept.append(first)
        width = np.minimum(x2[first], x2[rest]) - np.maximum(x1[first], x1[rest])
        height = np.minimum(y2[first], y2[rest]) - np.maximum(y1[first], y1[rest])
        common = np.maximum(width, 0) * np.maximum(height, 0)
        # Multiplied out: boxes without an area overlap nothing, and nothing is divided by zero.
        apart = common <= iou_threshold * (area[first] + area[rest] - common)
        alive = rest[apart | (ids[rest] != ids[first])]
    return order[np.array(kept, np.intp)]
