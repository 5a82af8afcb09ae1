"""Distances from cells to the four sides of a box."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgevision.runtime.tasks.candidates import Candidates, Read, choose, no_extras
from edgevision.runtime.tasks.task import channels_last, map_shape, misfit, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.heads.detection import FcosHead
    from edgevision.runtime.spec import TensorSpec
    from edgevision.runtime.tasks.task import Task


class FcosDecoder:
    """Tian et al. 2019, "FCOS: Fully Convolutional One-Stage Object Detection"; see ``FcosHead``."""

    def __init__(self, head: FcosHead, task: Task, size: tuple[int, int]) -> None:
        self._head, self._size = head, size
        self._maps = [(tuple(map(task.spec, names)), width) for names, width in self._groups(head, len(task.labels))]
        places = [self._level(index, stride) for index, stride in enumerate(head.strides)]
        self._places = np.concatenate([place for place, _ in places])
        self._strides = np.concatenate([stride for _, stride in places])

    def _groups(self, head: FcosHead, classes: int) -> list[tuple[tuple[str, ...], int]]:
        groups = [(head.boxes, 4), (head.scores, classes)]
        return [*groups, (head.centerness, 1)] if head.centerness else groups

    def _level(self, index: int, stride: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Each cell's centre (cells, 2) x, y in pixels of the input, and its stride (cells, 1)."""
        rows, columns, _ = map_shape(self._maps[0][0][index], self._head.layout)
        for specs, width in self._maps:
            if map_shape(specs[index], self._head.layout) != (rows, columns, width):
                raise misfit(specs[index], f"{rows} x {columns} cells of {width} values")
        if any(abs(count - pixels / stride) > 1 for count, pixels in zip((rows, columns), self._size)):  # any padding
            cells = " x ".join(f"{pixels / stride:g}" for pixels in self._size)
            raise misfit(self._maps[0][0][index], f"about {cells} cells at stride {stride}")
        y, x = np.mgrid[:rows, :columns] + 0.5
        return np.stack([x.ravel(), y.ravel()], axis=1) * stride, np.full((rows * columns, 1), float(stride))

    def __call__(self, read: Read) -> Candidates:
        """The boxes of one answer."""
        head = self._head
        parts = [self._joined(read, specs, width) for specs, width in self._maps]
        scores = sigmoid(parts[1]) if head.score_kind == "sigmoid_logits" else parts[1]
        if head.centerness:
            centerness = sigmoid(parts[2]) if head.score_kind == "sigmoid_logits" else parts[2]
            scores = np.sqrt(scores * centerness)
        chosen = choose(scores, "sigmoid", head, every_class=head.every_class)
        sides = parts[0][chosen.rows].astype(np.float64)
        sides = sides * self._strides[chosen.rows] if head.unit == "strides" else sides
        places = self._places[chosen.rows]
        boxes = np.concatenate([places - sides[:, :2], places + sides[:, 2:]], axis=1)
        return Candidates(boxes, chosen.scores, chosen.class_ids, no_extras(len(boxes)), chosen.rows)

    def _joined(self, read: Read, specs: tuple[TensorSpec, ...], width: int) -> NDArray[np.float32]:
        """All levels' cells, row by row, (cells, width)."""
        return np.concatenate([channels_last(read(spec), self._head.layout).reshape(-1, width) for spec in specs])
