"""Rows of coordinates, scores and further values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgevision.runtime.tasks.candidates import Candidates, Read, choose, corners
from edgevision.runtime.tasks.task import misfit, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.heads.detection import YoloHead
    from edgevision.runtime.spec import TensorSpec
    from edgevision.runtime.tasks.task import Task


class YoloDecoder:
    """Redmon et al. 2016, "You Only Look Once", as today's anchor-free heads put it out; see ``YoloHead``.

    Attributes:
        scale: Pixels of the input per unit of the coordinates, x and y.
    """

    def __init__(self, head: YoloHead, task: Task, size: tuple[int, int], extras: int = 0) -> None:
        """``size``: height and width of the model's input, pixels; ``extras``: values behind the class scores."""
        self._head, self._classes = head, len(task.labels)
        self.scale = np.array([size[1], size[0]] if head.unit == "unit" else [1, 1])
        rest = head.objectness + self._classes + extras
        self._boxes = task.spec(head.output)
        self._scores = None if head.scores is None else task.spec(head.scores)
        count = self._rows(self._boxes, 4 + rest if self._scores is None else 4)
        if self._scores is not None and self._rows(self._scores, rest) != count:
            raise misfit(self._scores, f"{count} places, like {self._boxes.name!r}")

    def _rows(self, spec: TensorSpec, width: int) -> int:
        rows, columns = (1, 2) if self._head.layout == "rows" else (2, 1)
        if len(spec.shape) != 3 or spec.shape[0] != 1 or spec.shape[columns] != width:
            raise misfit(spec, f"(1, n, {width})" if self._head.layout == "rows" else f"(1, {width}, n)")
        return spec.shape[rows]

    def __call__(self, read: Read) -> Candidates:
        """The boxes of one answer."""
        head = self._head
        boxes = self._by_row(read(self._boxes))
        rest = boxes[:, 4:] if self._scores is None else self._by_row(read(self._scores))
        factor = None
        if head.objectness:
            factor, rest = rest[:, 0], rest[:, 1:]
            factor = sigmoid(factor) if head.score_kind == "sigmoid_logits" else factor
        values = rest[:, : self._classes]
        chosen = choose(values, head.score_kind, head, every_class=head.every_class, factor=factor)
        found = boxes[chosen.rows, :4].astype(np.float64)
        if head.order == "xywh":
            found = corners(found[:, :2], found[:, 2:])
        extras = rest[chosen.rows, self._classes :]
        return Candidates(found * np.tile(self.scale, 2), chosen.scores, chosen.class_ids, extras, chosen.rows)

    def _by_row(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = values[0] if self._head.layout == "rows" else values[0].T
        return found
