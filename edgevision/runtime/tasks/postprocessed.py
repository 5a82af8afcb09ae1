"""Boxes that the model has decoded itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgevision.runtime.errors import TensorError
from edgevision.runtime.tasks.candidates import Candidates, Chosen, Read, best, no_extras
from edgevision.runtime.tasks.task import misfit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.heads.detection import PostprocessedHead
    from edgevision.runtime.spec import TensorSpec
    from edgevision.runtime.tasks.task import Task


class PostprocessedDecoder:
    """What TFLite_Detection_PostProcess and end-to-end detectors put out; see ``PostprocessedHead``.

    Attributes:
        count: How many rows there are.
    """

    def __init__(self, head: PostprocessedHead, task: Task, size: tuple[int, int]) -> None:
        self._head, self._labels = head, len(task.labels)
        self._scale = np.array([size[1], size[0]] * 2 if head.unit == "unit" else [1, 1, 1, 1])
        self._boxes, width = task.spec(head.boxes), 6 if head.classes is None else 4
        if len(self._boxes.shape) != 3 or self._boxes.shape[0] != 1 or self._boxes.shape[2] != width:
            raise misfit(self._boxes, f"(1, n, {width})")
        self.count = self._boxes.shape[1]
        self._columns = [self._column(task, name) for name in (head.classes, head.scores) if name is not None]
        self._filled = None if head.count is None else task.spec(head.count)
        if self._filled is not None and int(np.prod(self._filled.shape)) != 1:
            raise misfit(self._filled, "one number")

    def _column(self, task: Task, name: str) -> TensorSpec:
        spec = task.spec(name)
        if int(np.prod(spec.shape)) != self.count:
            raise misfit(spec, f"(1, {self.count})")
        return spec

    def __call__(self, read: Read) -> Candidates:
        """The boxes of one answer."""
        rows = read(self._boxes)[0][: self._rows(read)]
        if self._columns:
            numbers, scores = (read(spec).reshape(-1)[: len(rows)] for spec in self._columns)
        else:
            scores, numbers = rows[:, 4], rows[:, 5]
        wanted = np.rint(numbers).astype(np.intp) - self._head.first_class
        chosen = best(Chosen(np.arange(len(rows)), wanted, scores), self._head)
        self._check(chosen.class_ids)
        boxes = rows[chosen.rows, :4].astype(np.float64)
        boxes = boxes if self._head.order == "xyxy" else boxes[:, [1, 0, 3, 2]]
        return Candidates(boxes * self._scale, chosen.scores, chosen.class_ids, no_extras(len(boxes)), chosen.rows)

    def _rows(self, read: Read) -> int:
        """How many rows are filled."""
        if self._filled is None:
            return self.count
        found = float(read(self._filled).reshape(-1)[0])
        if not 0 <= found <= self.count:
            raise TensorError("the number of detections is not usable", expected=f"0..{self.count}", got=f"{found:g}")
        return round(found)

    def _check(self, class_ids: NDArray[np.intp]) -> None:
        if len(class_ids) and not (class_ids.min() >= 0 and class_ids.max() < self._labels):
            got = f"{class_ids.min()}..{class_ids.max()} after first_class"
            raise TensorError("a detected class has no label", expected=f"0..{self._labels - 1}", got=got)
