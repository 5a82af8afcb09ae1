"""Heatmaps, coordinates and rows of detectors to named points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from edgevision.runtime.heads.keypoints import (
    DirectKeypointsHead,
    HeatmapKeypointsHead,
    InstanceKeypointsHead,
    KeypointsHead,
)
from edgevision.runtime.preprocess import Geometry, geometry
from edgevision.runtime.results.keypoints import Keypoints
from edgevision.runtime.tasks.detection import DetectionTask
from edgevision.runtime.tasks.task import Outputs, Task, channels_last, map_shape, misfit, sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.heads import Head
    from edgevision.runtime.heads.detection import DetectionHead
    from edgevision.runtime.manifest import Manifest
    from edgevision.runtime.results.detections import Detections
    from edgevision.runtime.spec import TensorSpec


class HeatmapKeypointsTask(Task):
    """See ``HeatmapKeypointsHead``."""

    def __init__(self, manifest: Manifest, outputs: Sequence[TensorSpec]) -> None:
        super().__init__(manifest, outputs)
        head = manifest.head
        assert isinstance(head, HeatmapKeypointsHead) and manifest.preprocessing is not None, "refused when made"
        self._head, self._preprocessing, self._spec = head, manifest.preprocessing, self.spec(head.output)
        rows, columns, count = map_shape(self._spec, head.layout)
        if count != len(head.names):
            raise misfit(self._spec, f"{len(head.names)} channels, one per point")
        self._cell = np.array([self._preprocessing.width / columns, self._preprocessing.height / rows])

    def decode(self, outputs: Outputs, size: tuple[int, int]) -> Keypoints:
        """See ``Task.decode``."""
        heat = channels_last(self.real(outputs, self._spec), self._head.layout)
        y, x = np.divmod(heat.reshape(-1, heat.shape[2]).argmax(axis=0), heat.shape[1])
        points = np.arange(heat.shape[2])
        places = np.stack([x, y], axis=1) + self._head.cell_center
        if self._head.refine:
            places += np.stack([_slope(heat, y, x, points, 0, 1), _slope(heat, y, x, points, 1, 0)], axis=1) / 4
        value = heat[y, x, points]
        scores = sigmoid(value) if self._head.score_kind == "sigmoid_logits" else np.clip(value, 0, 1)
        return _result(self._head, (places * self._cell)[None], scores[None], geometry(size, self._preprocessing))


def _slope(
    heat: NDArray[np.float32], y: NDArray[np.intp], x: NDArray[np.intp], points: NDArray[np.intp], down: int, right: int
) -> NDArray[np.float64]:
    """The side on which the heatmap is higher: -1, 0 or 1; 0 on its edge, where one side is missing."""
    rows, columns = heat.shape[:2]
    inside = (y >= down) & (y + down < rows) & (x >= right) & (x + right < columns)
    after = heat[np.minimum(y + down, rows - 1), np.minimum(x + right, columns - 1), points]
    before = heat[np.maximum(y - down, 0), np.maximum(x - right, 0), points]
    return cast("NDArray[np.float64]", np.sign(after - before) * inside)


class DirectKeypointsTask(Task):
    """See ``DirectKeypointsHead``."""

    def __init__(self, manifest: Manifest, outputs: Sequence[TensorSpec]) -> None:
        super().__init__(manifest, outputs)
        head = manifest.head
        assert isinstance(head, DirectKeypointsHead) and manifest.preprocessing is not None, "refused when made"
        self._head, self._preprocessing, self._spec = head, manifest.preprocessing, self.spec(head.output)
        count = len(head.names)
        self._width, rest = divmod(int(np.prod(self._spec.shape)), count)
        if rest or self._width not in (2, 3):
            raise misfit(self._spec, f"{count} points of 2 or 3 values")

    def decode(self, outputs: Outputs, size: tuple[int, int]) -> Keypoints:
        """See ``Task.decode``."""
        head, p = self._head, self._preprocessing
        values = self.real(outputs, self._spec).reshape(1, len(head.names), self._width)
        points = (values[..., :2] if head.order == "xy" else values[..., 1::-1]).astype(np.float64)
        points = points * np.array([p.width, p.height]) if head.unit == "unit" else points
        has_scores = self._width == 3 and head.third == "score"
        return _result(
            head, points, _scores(values[..., 2], head.score_kind) if has_scores else None, geometry(size, p)
        )


class InstanceKeypointsTask(DetectionTask):
    """See ``InstanceKeypointsHead``; the result is Detections with keypoints."""

    def __init__(self, manifest: Manifest, outputs: Sequence[TensorSpec]) -> None:
        assert isinstance(manifest.head, InstanceKeypointsHead), "refused when the manifest was made"
        self._head = manifest.head
        super().__init__(manifest, outputs)

    def detector(self, head: Head) -> DetectionHead:
        """See ``DetectionTask.detector``."""
        return self._head.detector

    def options(self) -> dict[str, Any]:
        """See ``DetectionTask.options``."""
        return {"extras": len(self._head.names) * self._head.values}

    def decode(self, outputs: Outputs, size: tuple[int, int]) -> Detections:
        """See ``Task.decode``."""
        objects, head = self.objects(outputs, size), self._head
        values = objects.found.extras.reshape(len(objects.boxes), len(head.names), head.values)
        points = values[..., :2].astype(np.float64) * self.decoder.scale
        scores = _scores(values[..., 2], head.score_kind) if head.values == 3 else None
        return self.detections(objects, keypoints=_result(head, points, scores, objects.geometry))


def _scores(values: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
    return sigmoid(values) if kind == "sigmoid_logits" else np.clip(values, np.float32(0), np.float32(1))


def _result(
    head: KeypointsHead, points: NDArray[np.float64], scores: NDArray[np.float32] | None, place: Geometry
) -> Keypoints:
    """Points (n, points, 2) in pixels of the model's input, as they lie on the source."""
    certain = np.ones(points.shape[:2], np.float32)
    found = certain if scores is None else np.ascontiguousarray(scores, np.float32)
    return Keypoints(place.clipped(points), found, head.names, place.size, head.skeleton, head.score_threshold)
