"""Which place of a head answers for which object, and how a box is written there: the inverse of ``runtime.tasks``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.heads import Head
from edgevision.runtime.heads.detection import FcosHead, SsdHead
from edgevision.trainers.engine import import_tensorflow

#: Class of a place where nothing is, and of one that is judged neither way.
NOTHING, IGNORED = -1, -2


class Assigned(NamedTuple):
    """What each place of an image has to answer.

    Attributes:
        class_ids: int32 (places,), the object's class, ``NOTHING`` or ``IGNORED``.
        boxes: float32 (places, 4) x1, y1, x2, y2 in pixels of the input, of the object, or of the nearest one.
        nearest: int32 (places,), class of the object of ``boxes``, whatever the place answers for; ``NOTHING`` of none.
    """

    class_ids: NDArray[np.int32]
    boxes: NDArray[np.float32]
    nearest: NDArray[np.int32]


class Places(ABC):
    """The places of a head, level by level, row by row, as its decoder reads them.

    Attributes:
        count: How many there are.
    """

    count: int

    @abstractmethod
    def assign(self, boxes: NDArray[np.float32], class_ids: NDArray[np.int64]) -> Assigned:
        """What the places answer where these objects are, (n, 4) pixels of the input and (n,)."""

    @abstractmethod
    def decoded(self, raw: Any) -> Any:
        """Boxes x1, y1, x2, y2 in pixels of the input from what the network gives, tensors (batch, places, 4)."""

    @abstractmethod
    def encoded(self, boxes: Any) -> Any:
        """What the network should give for boxes, tensors (batch, places, 4)."""


class AnchorPlaces(Places):
    """An anchor answers for the object that it overlaps by half or more, and the best anchor for each object anyway.

    Liu et al. 2016, "SSD", section 2.2; what overlaps by 0.4 to 0.5 is ignored (Lin et al. 2017, "RetinaNet").
    """

    def __init__(self, head: SsdHead, size: tuple[int, int]) -> None:
        scale = np.array([size[1], size[0]] * 2, np.float64)
        self._anchors = (head.anchors.boxes() * scale).astype(np.float32)
        self._variances = np.array(head.variances, np.float32)
        self._corners = np.concatenate(
            [self._anchors[:, :2] - self._anchors[:, 2:] / 2, self._anchors[:, :2] + self._anchors[:, 2:] / 2], axis=1
        )
        self.count = len(self._anchors)

    def assign(self, boxes: NDArray[np.float32], class_ids: NDArray[np.int64]) -> Assigned:
        """See ``Places.assign``."""
        if not len(boxes):
            return _nothing(self.count)
        overlaps = overlap(self._corners, boxes)
        best = overlaps.argmax(axis=1)
        most = overlaps[np.arange(self.count), best]
        answers = np.where(most >= 0.5, class_ids[best], np.where(most >= 0.4, IGNORED, NOTHING))
        # Whatever no anchor suits has its best one; of several with the same that one comes last which it suits best.
        order = overlaps.max(axis=0).argsort(kind="stable")
        own = overlaps.argmax(axis=0)[order]
        best[own], answers[own], most[own] = order, class_ids[order], 1.0
        nearest = np.where(most > 0, class_ids[best], NOTHING)
        return Assigned(answers.astype(np.int32), boxes[best], nearest.astype(np.int32))

    def decoded(self, raw: Any) -> Any:
        """See ``Places.decoded``."""
        tf = import_tensorflow()
        deltas = raw * self._variances
        centers = self._anchors[:, :2] + deltas[..., :2] * self._anchors[:, 2:]
        sizes = self._anchors[:, 2:] * tf.exp(tf.minimum(deltas[..., 2:], 4.0))
        return tf.concat([centers - sizes / 2, centers + sizes / 2], axis=-1)

    def encoded(self, boxes: Any) -> Any:
        """See ``Places.encoded``."""
        tf = import_tensorflow()
        sizes = tf.maximum(boxes[..., 2:] - boxes[..., :2], 1e-3)
        centers = (boxes[..., :2] + boxes[..., 2:]) / 2
        moved = (centers - self._anchors[:, :2]) / self._anchors[:, 2:]
        return tf.concat([moved, tf.math.log(sizes / self._anchors[:, 2:])], axis=-1) / self._variances


class CellPlaces(Places):
    """A cell near an object's centre and within it answers for it; the level follows from the object's size.

    Tian et al. 2019, "FCOS", with the sampling around centres of its later version. Of several objects the smallest is
    meant.
    """

    #: How near, in cells, and how many cells long an object of a level is at most; the last level has what is larger.
    RADIUS, LONGEST = 1.5, 8.0

    def __init__(self, head: FcosHead, size: tuple[int, int]) -> None:
        levels = [np.mgrid[: size[0] // stride, : size[1] // stride] for stride in head.strides]
        parts = [(np.stack([x.ravel(), y.ravel()], 1) + 0.5) * s for (y, x), s in zip(levels, head.strides)]
        self._points = np.concatenate(parts).astype(np.float32)
        self._strides = np.concatenate([np.full(len(part), s) for part, s in zip(parts, head.strides)])
        self._strides = self._strides.astype(np.float32)[:, None]
        self._levels, self._steps = np.array(head.strides, np.float32), 1.0 if head.unit == "pixels" else self._strides
        self.count = len(self._points)

    def assign(self, boxes: NDArray[np.float32], class_ids: NDArray[np.int64]) -> Assigned:
        """See ``Places.assign``."""
        if not len(boxes):
            return _nothing(self.count)
        centers, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        level = np.searchsorted(self._levels[:-1] * self.LONGEST, sides.max(axis=1))
        away = np.abs(self._points[:, None] - centers).max(axis=2)
        away[self._strides != self._levels[level]] = np.inf
        inside = (self._points[:, None] > boxes[:, :2]).all(2) & (self._points[:, None] < boxes[:, 2:]).all(2)
        takes = inside & (away < self.RADIUS * self._strides)
        takes[away.argmin(axis=0), np.arange(len(boxes))] = True
        areas = np.where(takes, sides.prod(axis=1), np.inf)
        best = areas.argmin(axis=1)
        answers = np.where(takes.any(axis=1), class_ids[best], NOTHING).astype(np.int32)
        return Assigned(answers, boxes[best], answers)

    def decoded(self, raw: Any) -> Any:
        """See ``Places.decoded``."""
        tf = import_tensorflow()
        sides = raw * self._steps
        return tf.concat([self._points - sides[..., :2], self._points + sides[..., 2:]], axis=-1)

    def encoded(self, boxes: Any) -> Any:
        """See ``Places.encoded``."""
        tf = import_tensorflow()
        return tf.concat([self._points - boxes[..., :2], boxes[..., 2:] - self._points], axis=-1) / self._steps


def joined(outputs: Mapping[str, Any], names: Sequence[str], width: int) -> Any:
    """Outputs of all levels, (batch, h, w, a multiple of width) each, as one tensor (batch, places, width)."""
    tf = import_tensorflow()
    parts = [outputs[name] for name in names]
    return tf.concat([tf.reshape(part, (tf.shape(part)[0], -1, width)) for part in parts], axis=1)


def places_of(head: Head | None, size: tuple[int, int]) -> Places:
    """The places of a head over an input of (height, width) pixels."""
    if isinstance(head, SsdHead):
        return AnchorPlaces(head, size)
    assert isinstance(head, FcosHead), "the families of this task have one of the two"
    return CellPlaces(head, size)


def overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of boxes (n, 4) and (m, 4) x1, y1, x2, y2: float32 (n, m)."""
    sides = np.minimum(a[:, None, 2:], b[:, 2:]) - np.maximum(a[:, None, :2], b[:, :2])
    common = np.maximum(sides, 0).prod(axis=2)
    areas = [np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1) for boxes in (a, b)]
    found: NDArray[np.float32] = common / np.maximum(areas[0][:, None] + areas[1] - common, 1e-9)
    return found


def _nothing(count: int) -> Assigned:
    empty = np.full(count, NOTHING, np.int32)
    return Assigned(empty, np.zeros((count, 4), np.float32), empty)
