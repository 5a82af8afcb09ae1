"""Boxes around objects. Of objects with masks the boxes are judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.figures import Figures, Resampled, plain
from edgevision.benchmarks.judges.judge import ImageSamples, check_size
from edgevision.benchmarks.metrics.classification import from_counts
from edgevision.benchmarks.metrics.detection import IOUS, Found, Matches, average_precisions, match
from edgevision.benchmarks.metrics.ranking import threshold_shift
from edgevision.datasets import BoxDataset, open_boxes
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.manifest import Manifest

#: Average precision is about all of the scores: boxes are taken from here on, whatever the bundle's threshold is.
LEAST_SCORE = 0.01


@dataclass(frozen=True, eq=False)
class BoxFigures(Resampled):
    """COCO's average precision, and precision and recall at the bundle's threshold.

    Attributes:
        matches: Per class.
        labels: Class names.
        threshold: The bundle's, 0..1.
        images: How many.
    """

    headline: ClassVar[str] = "ap50"

    matches: tuple[Matches, ...]
    labels: tuple[str, ...]
    threshold: float
    images: int

    @property
    def n(self) -> int:
        """Number of images."""
        return self.images

    @property
    def units(self) -> int:
        """Number of images."""
        return self.images

    @cached_property
    def per_class(self) -> NDArray[np.float64]:
        """float64 (classes, 10): average precision at each IoU; NaN for a class without objects."""
        return np.stack([average_precisions(found) for found in self.matches])

    @property
    def value(self) -> float:
        """``ap50``, 0..1."""
        return float(np.nanmean(self.per_class[:, 0]))

    def resampled(self, counts: NDArray[np.int64]) -> float:
        """See ``Resampled.resampled``."""
        values = np.array([average_precisions(found, counts, 1)[0] for found in self.matches])
        known = values[~np.isnan(values)]
        return float(known.mean()) if known.size else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a class without objects has no average precision."""
        objects = [int(found.objects.sum()) for found in self.matches]
        rows = zip(self.labels, self.per_class, objects)
        return {
            "ap50": self.value,
            "interval95": [plain(limit) for limit in self.interval95],
            "ap75": float(np.nanmean(self.per_class[:, np.argmin(np.abs(IOUS - 0.75))])),
            "ap": float(np.nanmean(self.per_class)),
            "n": self.n,
            "objects": sum(objects),
            "per_class": {
                label: {"ap50": plain(row[0]), "ap": plain(row.mean()), "objects": count} for label, row, count in rows
            },
            "at_threshold": self._at_threshold(sum(objects)),
        }

    def _at_threshold(self, objects: int) -> dict[str, float]:
        margins, right = self.answers
        named = margins >= 0
        found = from_counts(np.array([(named & right).sum()]), np.array([named.sum()]), np.array([objects]))
        values = {name: float(share[0]) for name, share in found._asdict().items()}
        return {"score_threshold": self.threshold, "iou": float(IOUS[0]), **values}

    def changes(self, reference: BoxFigures) -> dict[str, Any]:
        """The threshold's shift."""
        shift = threshold_shift(reference.answers, self.answers)
        return {} if shift is None else {"threshold_shift": shift._asdict()}

    @property
    def answers(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Of all detections that count: score less threshold, float64 (d,), and whether it is an object at IoU 0.5."""
        counted = [~found.ignored[0] for found in self.matches]
        scores = np.concatenate([found.scores[kept] for found, kept in zip(self.matches, counted)])
        right = np.concatenate([found.hits[0, kept] for found, kept in zip(self.matches, counted)])
        return scores - np.float32(self.threshold), right


class BoxJudge(ImageSamples):
    """See ``BoxFigures``."""

    def __init__(self, data: BoxDataset, threshold: float) -> None:
        super().__init__(data.images)
        self._data, self._threshold, self._rows = data, threshold, list[int]()
        self._found: dict[str, list[Found]] = {}

    @classmethod
    def open(cls, manifest: Manifest, data: str | Path, split: str | None) -> BoxJudge:
        """See ``Judge.open``."""
        detector: Any = getattr(manifest.head, "detector", manifest.head)
        found = open_boxes(data, split, prefer="test").aligned_to(manifest.labels)
        if not any((~truth.ignored).any() for truth in found.truths):
            raise DatasetError(f"{data} has no objects to find", expected="boxes", got=f"{len(found)} images without")
        return cls(found, float(detector.score_threshold))

    @property
    def options(self) -> dict[str, Any]:
        """See ``Judge.options``."""
        return {"score_threshold": min(self._threshold, LEAST_SCORE)}

    def read(self, index: int) -> NDArray[np.uint8]:
        """See ``Judge.read``."""
        pixels: NDArray[np.uint8] = super().read(index)
        size = self._data.truths[index].size
        check_size(self.name(index), pixels.shape[:2], size or pixels.shape[:2], "annotation")
        return pixels

    def truths(self) -> Iterable[bytes]:
        """See ``Judge.truths``."""
        for truth in self._data.truths:
            yield b"".join(
                np.asarray(each).tobytes() for each in (truth.xyxy, truth.class_ids, truth.ignored, truth.crowd)
            )

    def add(self, index: int, results: Mapping[str, Any]) -> None:
        """See ``Judge.add``."""
        self._rows.append(index)
        for artifact, result in results.items():
            # What the data has no name for is nowhere annotated: nobody can say whether it is there.
            known = np.isin(result.class_ids, self._data.judged)
            found = Found(result.boxes[known], result.scores[known], result.class_ids[known])
            self._found.setdefault(artifact, []).append(found)

    def figures(self) -> dict[str, Figures]:
        """See ``Judge.figures``.

        Raises:
            MissingPackageError: pycocotools is not installed.
        """
        labels, count = self._data.labels, len(self._rows)
        truths = [self._data.truths[row] for row in self._rows]
        if not any((~truth.ignored).any() for truth in truths):
            raise DatasetError("no image with objects could be read", expected="one or more", got=f"{count} without")
        return {
            artifact: BoxFigures(match(truths, found, len(labels)), labels, self._threshold, count)
            for artifact, found in self._found.items()
        }
