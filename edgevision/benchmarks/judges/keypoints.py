"""Named points of objects, by COCO's object keypoint similarity."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.figures import Figures
from edgevision.benchmarks.judges.detection import LEAST_SCORE, BoxFigures
from edgevision.benchmarks.judges.judge import ImageSamples, check_size
from edgevision.benchmarks.metrics.detection import Found, Shapes, match
from edgevision.benchmarks.metrics.points import fields_of, sigmas_of, true_fields
from edgevision.datasets import BoxDataset, open_boxes
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.manifest import Manifest


class PointJudge(ImageSamples):
    """See ``BoxFigures``. A model for one instance has no boxes: everything annotated is of one class for it."""

    def __init__(self, data: BoxDataset, names: tuple[str, ...], threshold: float | None) -> None:
        super().__init__(data.images)
        self._data, self._names, self._threshold, self._rows = data, names, threshold, list[int]()
        self._found: dict[str, list[Found]] = {}

    @classmethod
    def open(cls, manifest: Manifest, data: str | Path, split: str | None) -> PointJudge:
        """See ``Judge.open``."""
        head: Any = manifest.head
        found = open_boxes(data, split, prefer="test", also="points")
        detector = getattr(head, "detector", None)
        found = one_class(found) if detector is None else found.aligned_to(manifest.labels)
        if not any((~truth.ignored).any() for truth in found.truths):
            raise DatasetError(f"{data} has no objects with points", expected="keypoints", got=f"{len(found)} images")
        found = with_points_of(found, head.names)
        return cls(found, head.names, None if detector is None else float(detector.score_threshold))

    @property
    def options(self) -> dict[str, Any]:
        """See ``Judge.options``."""
        return {} if self._threshold is None else {"score_threshold": min(self._threshold, LEAST_SCORE)}

    def read(self, index: int) -> NDArray[np.uint8]:
        """See ``Judge.read``."""
        pixels: NDArray[np.uint8] = super().read(index)
        check_size(self.name(index), pixels.shape[:2], self._data.truths[index].size, "annotation")
        return pixels

    def add(self, index: int, results: Mapping[str, Any]) -> None:
        """See ``Judge.add``."""
        self._rows.append(index)
        for artifact, result in results.items():
            self._found.setdefault(artifact, []).append(self._of(result))

    def _of(self, result: Any) -> Found:
        """Keypoints of one instance (its score is the mean of its points'), or Detections with keypoints."""
        points = getattr(result, "keypoints", None)
        if points is None:
            none = np.zeros(len(result), np.int64)
            around = np.concatenate([result.xy.min(axis=1), result.xy.max(axis=1)], axis=1)
            return Found(around, result.scores.mean(axis=1), none, fields_of(result.xy, result.scores))
        known = np.isin(result.class_ids, self._data.judged)
        fields = fields_of(points.xy[known], points.scores[known])
        return Found(result.boxes[known], result.scores[known], result.class_ids[known], fields)

    def figures(self) -> dict[str, Figures]:
        """See ``Judge.figures``.

        Raises:
            MissingPackageError: pycocotools is not installed.
        """
        truths = [self._data.truths[row] for row in self._rows]
        if not any((~truth.ignored).any() for truth in truths):
            raise DatasetError("no image with objects could be read", expected="one or more", got=f"{len(truths)}")
        shapes = Shapes("keypoints", [true_fields(truth) for truth in truths], sigmas_of(self._names))
        labels, threshold = self._data.labels, self._threshold or 0.0
        return {
            artifact: BoxFigures(match(truths, found, len(labels), shapes), labels, threshold, len(truths), "points")
            for artifact, found in self._found.items()
        }


def one_class(data: BoxDataset) -> BoxDataset:
    """The same with all objects of one class."""
    truths = (dataclasses.replace(truth, class_ids=np.zeros(len(truth), np.int64)) for truth in data.truths)
    label = data.labels[0] if len(data.labels) == 1 else "object"
    return dataclasses.replace(data, labels=(label,), truths=tuple(truths), judged=np.zeros(1, np.int64))


def with_points_of(data: BoxDataset, names: tuple[str, ...]) -> BoxDataset:
    """The same with points in a model's order; matched by name.

    Raises:
        DatasetError: The names are not the same.
    """
    if sorted(data.points) != sorted(names):
        cure = "rename the keypoints in the annotations' categories to the model's"
        expected, got = ", ".join(names), ", ".join(data.points)
        raise DatasetError("the data's points are not the model's", expected=expected, got=got, cure=cure)
    order = [data.points.index(name) for name in names]
    truths = (dataclasses.replace(t, points=None if t.points is None else t.points[:, order]) for t in data.truths)
    return dataclasses.replace(data, truths=tuple(truths), points=names)
