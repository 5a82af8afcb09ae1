"""Boxes of which a part went out of sight."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from edgevision.trainers.examples import Example

#: A box stays when at least this share of its area is still in sight, and at least a pixel in each direction.
LEAST_IN_SIGHT = 0.25


def areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 (n,), square pixels."""
    found: NDArray[np.float32] = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1)
    return found


def cut(boxes: NDArray[np.float32], frame: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """What of the boxes (n, 4) lies within left, top, right, bottom; of boxes outside nothing: no area."""
    corners = np.array(frame, np.float32).reshape(2, 2)
    inside = np.clip(boxes.reshape(-1, 2, 2), corners[0], corners[1])
    return inside.reshape(-1, 4)


def clipped(example: Example, boxes: NDArray[np.float32], frame: tuple[float, float, float, float]) -> Example:
    """The example with these boxes in place of its own, in the same order, cut off at the frame.

    Those of which less than ``LEAST_IN_SIGHT`` of the area is left are dropped: what is left of them seldom
    tells what it was.

    Args:
        example: With class ids of the boxes.
        boxes: float32 (n, 4), where its boxes are now.
        frame: left, top, right, bottom.
    """
    inside = cut(boxes, frame)
    large = (inside[:, 2:] - inside[:, :2] >= 1).all(axis=1)
    return kept(dataclasses.replace(example, boxes=inside), large & (areas(inside) >= LEAST_IN_SIGHT * areas(boxes)))


def uncovered(example: Example, hidden: tuple[int, int, int, int]) -> Example:
    """Without the boxes of which a rectangle (left, top, right, bottom) hides too much; the others stay whole."""
    if example.boxes is None:
        return example
    seen = areas(example.boxes) - areas(cut(example.boxes, hidden))
    return kept(example, seen >= LEAST_IN_SIGHT * areas(example.boxes))


def kept(example: Example, keep: NDArray[np.bool_]) -> Example:
    """With those boxes alone for which ``keep``, bool (n,), holds."""
    if example.boxes is None or example.class_ids is None or keep.all():
        return example
    return dataclasses.replace(example, boxes=example.boxes[keep], class_ids=example.class_ids[keep])


def joined(first: Example, second: Example, example: Example) -> Example:
    """``example`` with the boxes of both others."""
    if first.boxes is None or second.boxes is None or first.class_ids is None or second.class_ids is None:
        return example
    boxes = np.concatenate([first.boxes, second.boxes])
    return dataclasses.replace(example, boxes=boxes, class_ids=np.concatenate([first.class_ids, second.class_ids]))


def shifted(example: Example, right: int, down: int) -> Example:
    """With boxes so many pixels aside."""
    if example.boxes is None:
        return example
    return dataclasses.replace(example, boxes=example.boxes + np.array([right, down, right, down], np.float32))
