"""Peaks of a heatmap as centres of boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgevision.runtime.tasks.candidates import Candidates, Chosen, Read, best, corners, logit_below, no_extras
from edgevision.runtime.tasks.task import channels_last, map_shape, misfit, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.heads.detection import CenterNetHead
    from edgevision.runtime.tasks.task import Task


class CenterNetDecoder:
    """Zhou et al. 2019, "Objects as Points"; see ``CenterNetHead``."""

    def __init__(self, head: CenterNetHead, task: Task, size: tuple[int, int]) -> None:
        self._head = head
        self._heatmap, self._sizes = task.spec(head.heatmap), task.spec(head.sizes)
        self._offsets = None if head.offsets is None else task.spec(head.offsets)
        rows, columns, classes = map_shape(self._heatmap, head.layout)
        if classes != len(task.labels):
            raise misfit(self._heatmap, f"{len(task.labels)} channels, one per label")
        for spec in (self._sizes, self._offsets):
            if spec is not None and map_shape(spec, head.layout) != (rows, columns, 2):
                raise misfit(spec, f"{rows} x {columns} cells of 2 values")
        self._cell = np.array([size[1] / columns, size[0] / rows])

    def __call__(self, read: Read) -> Candidates:
        """The boxes of one answer."""
        head = self._head
        heat = channels_last(read(self._heatmap), head.layout)
        is_logit = head.score_kind == "sigmoid_logits"
        y, x, class_ids = peaks(heat, logit_below(head.score_threshold) if is_logit else head.score_threshold)
        scores = sigmoid(heat[y, x, class_ids]) if is_logit else heat[y, x, class_ids]
        chosen = best(Chosen(y * heat.shape[1] + x, class_ids, scores), head)
        y, x = np.divmod(chosen.rows, heat.shape[1])
        centers = np.stack([x, y], axis=1) + self._pairs(read, self._offsets, y, x)
        unit = self._cell if head.unit == "cells" else 1.0
        boxes = corners(centers * self._cell, self._pairs(read, self._sizes, y, x) * unit)
        return Candidates(boxes, chosen.scores, chosen.class_ids, no_extras(len(boxes)), chosen.rows)

    def _pairs(self, read: Read, spec: object, y: NDArray[np.intp], x: NDArray[np.intp]) -> NDArray[np.float64]:
        """(m, 2) x, y of a two-channel map at some cells; the cells' middles where there is no map."""
        if spec is None:
            return np.full((len(x), 2), 0.5)
        values = channels_last(read(spec), self._head.layout)[y, x]  # type: ignore[arg-type]
        return (values if self._head.order == "xy" else values[:, ::-1]).astype(np.float64)


def peaks(heat: NDArray[np.float32], threshold: float) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Cells that reach the threshold and are not less than any of their eight neighbours in the same channel.

    That is equality with a 3x3 maximum, as the paper has it, looked up only where it matters; of a plateau every cell
    is a peak.

    Args:
        heat: float32 (h, w, channels).
        threshold: Least value.

    Returns:
        Rows, columns and channels, (m,) each.
    """
    found = np.flatnonzero(heat >= np.float32(threshold))  # a tenth of what numpy.nonzero takes in three dimensions
    y, x, channel = np.unravel_index(found, heat.shape)
    value, highest = heat[y, x, channel], np.full(len(y), -np.inf, np.float32)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):  # beyond the edge stands the edge, which is a neighbour anyway
            near = heat[np.clip(y + down, 0, len(heat) - 1), np.clip(x + right, 0, heat.shape[1] - 1), channel]
            highest = np.maximum(highest, near)
    top = value >= highest
    return y[top], x[top], channel[top]
