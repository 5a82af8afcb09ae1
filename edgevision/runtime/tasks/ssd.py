"""Boxes as distances from anchors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgevision.runtime.errors import BundleError
from edgevision.runtime.tasks.candidates import Candidates, Read, choose, corners, no_extras
from edgevision.runtime.tasks.task import misfit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.heads.detection import SsdHead
    from edgevision.runtime.spec import TensorSpec
    from edgevision.runtime.tasks.task import Task

#: exp of more than this is no size of a box in any image.
_LARGEST = 20.0


class SsdDecoder:
    """Liu et al. 2016, "SSD: Single Shot MultiBox Detector", section 2.2; see ``SsdHead``."""

    def __init__(self, head: SsdHead, task: Task, size: tuple[int, int]) -> None:
        """``size``: height and width of the model's input, pixels."""
        self._head, self._classes = head, len(task.labels) + head.background
        self._boxes = [task.spec(name) for name in head.boxes]
        self._scores = [task.spec(name) for name in head.scores]
        self._anchors = head.anchors.boxes().astype(np.float64)
        self._scale = np.array([size[1], size[0]])
        for specs, width in ((self._boxes, 4), (self._scores, self._classes)):
            counts = [_rows(spec, width) for spec in specs]
            if sum(counts) != len(self._anchors):
                expected, got = f"{len(self._anchors)} rows, one per anchor", f"{sum(counts)}"
                raise BundleError("the outputs do not match the anchors", expected=expected, got=got)

    def __call__(self, read: Read) -> Candidates:
        """The boxes of one answer."""
        head = self._head
        scores = np.concatenate([read(spec).reshape(-1, self._classes) for spec in self._scores])
        chosen = choose(scores, head.score_kind, head, every_class=head.every_class, background=head.background)
        deltas = np.concatenate([read(spec).reshape(-1, 4) for spec in self._boxes])[chosen.rows]
        boxes = self._decoded(deltas.astype(np.float64), self._anchors[chosen.rows])
        return Candidates(boxes, chosen.scores, chosen.class_ids, no_extras(len(boxes)), chosen.rows)

    def _decoded(self, deltas: NDArray[np.float64], anchors: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._head.order == "yxhw":
            deltas = deltas[:, [1, 0, 3, 2]]
        deltas = deltas * np.array(self._head.variances)
        centers = anchors[:, :2] + deltas[:, :2] * anchors[:, 2:]
        sizes = anchors[:, 2:] * np.exp(np.minimum(deltas[:, 2:], _LARGEST))
        return corners(centers * self._scale, sizes * self._scale)


def _rows(spec: TensorSpec, width: int) -> int:
    """How many rows of so many values an output has."""
    count, rest = divmod(int(np.prod(spec.shape)), width)
    if spec.shape[0] != 1 or len(spec.shape) < 3 or rest or spec.shape[-1] % width:
        raise misfit(spec, f"(1, n, {width}), or (1, h, w, a multiple of {width})")
    return count
