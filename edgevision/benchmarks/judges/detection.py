"""Boxes around objects, and masks of them where both the model and the data have masks."""

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
from edgevision.benchmarks.metrics.detection import IOUS, Fields, Found, Matches, Shapes, average_precisions, match
from edgevision.benchmarks.metrics.outlines import runs_of_mask, runs_of_outline
from edgevision.benchmarks.metrics.ranking import threshold_shift
from edgevision.datasets import BoxDataset, open_boxes
from edgevision.datasets.boxes import Also
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
        judged_by: What is compared: "boxes", "masks" or "points".
        boxes: Where ``matches`` are of masks, those of the same objects' boxes; else None.
    """

    headline: ClassVar[str] = "ap50"

    matches: tuple[Matches, ...]
    labels: tuple[str, ...]
    threshold: float
    images: int
    judged_by: str = "boxes"
    boxes: tuple[Matches, ...] | None = None

    @property
    def n(self) -> int:
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
        beside = {} if self.boxes is None else {"boxes": _means(np.stack([average_precisions(m) for m in self.boxes]))}
        return {
            **_means(self.per_class),
            "interval95": [plain(limit) for limit in self.interval95],
            "judged_by": self.judged_by,
            **beside,
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
        measure = "oks" if self.judged_by == "points" else "iou"
        return {"score_threshold": self.threshold, measure: float(IOUS[0]), **values}

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


def _means(per_class: NDArray[np.float64]) -> dict[str, float]:
    """Of float64 (classes, 10)."""
    at_75 = per_class[:, np.argmin(np.abs(IOUS - 0.75))]
    values = {"ap50": per_class[:, 0], "ap75": at_75, "ap": per_class}
    return {name: float(np.nanmean(value)) for name, value in values.items()}


class BoxJudge(ImageSamples):
    """See ``BoxFigures``."""

    def __init__(self, data: BoxDataset, threshold: float) -> None:
        super().__init__(data.images)
        self._data, self._threshold, self._rows = data, threshold, list[int]()
        self._masks: list[list[Fields]] | None = None if data.truths[0].outlines is None else []
        self._found: dict[str, list[Found]] = {}

    @classmethod
    def open(cls, manifest: Manifest, data: str | Path, split: str | None) -> BoxJudge:
        """See ``Judge.open``."""
        detector: Any = getattr(manifest.head, "detector", manifest.head)
        also: Also | None = "outlines" if manifest.task == "instance_segmentation" else None
        found = open_boxes(data, split, prefer="test", also=also).aligned_to(manifest.labels)
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
        check_size(self.name(index), pixels.shape[:2], self._data.truths[index].size, "annotation")
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
        if self._masks is not None:
            size = next(iter(results.values())).size
            outlines = self._data.truths[index].outlines or ()
            self._masks.append([{"segmentation": runs_of_outline(each, size)} for each in outlines])
        for artifact, result in results.items():
            # What the data has no name for is nowhere annotated: nobody can say whether it is there.
            known = np.isin(result.class_ids, self._data.judged)
            # Runs are small; the masks of all images would not fit.
            masks = None
            if self._masks is not None:
                masks = [{"segmentation": runs_of_mask(result.mask(i))} for i in np.flatnonzero(known)]
            found = Found(result.boxes[known], result.scores[known], result.class_ids[known], masks)
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
        figures: dict[str, Figures] = {}
        for artifact, found in self._found.items():
            boxes = match(truths, found, len(labels))
            if self._masks is None:
                figures[artifact] = BoxFigures(boxes, labels, self._threshold, count)
            else:
                masks = match(truths, found, len(labels), Shapes("segm", self._masks))
                figures[artifact] = BoxFigures(masks, labels, self._threshold, count, "masks", boxes)
        return figures
