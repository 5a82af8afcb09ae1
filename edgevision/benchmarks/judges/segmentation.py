"""A class per pixel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.figures import Figures, Resampled, plain
from edgevision.benchmarks.judges.judge import ImageSamples, check_size
from edgevision.benchmarks.metrics.classification import from_counts
from edgevision.benchmarks.metrics.segmentation import PixelCounts, counts_of, iou, mean_iou, pixel_table
from edgevision.datasets import MaskDataset, open_masks
from edgevision.datasets.masks import IGNORED
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.manifest import Manifest


@dataclass(frozen=True, eq=False)
class PixelFigures(Resampled):
    """Intersection over union, of the pixels of all images together.

    Attributes:
        counts: Of each image, int64 (images, classes) each.
        table: int64 (classes + 1, classes + 1): all pixels by true class (row) and predicted class (column).
        judged: int64 (k,), the classes that the data knows; a model may know more.
        labels: Class names.
    """

    headline: ClassVar[str] = "miou"

    counts: PixelCounts
    table: NDArray[np.int64]
    judged: NDArray[np.int64]
    labels: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.counts.hits)

    @property
    def value(self) -> float:
        """``miou``, 0..1."""
        return mean_iou(counts_of(self.table), self.judged)

    def resampled(self, counts: NDArray[np.int64]) -> float:
        """See ``Resampled.resampled``."""
        return mean_iou(PixelCounts(*(counts @ values for values in self.counts)), self.judged)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a class that is neither there nor named has no intersection over union."""
        summed = counts_of(self.table)
        each, values = from_counts(summed.hits, summed.named, summed.there), iou(summed)
        return {
            "miou": plain(self.value),
            "interval95": [plain(limit) for limit in self.interval95],
            "pixel_accuracy": float(summed.hits.sum() / self.table.sum()),
            "n": self.n,
            "per_class": {
                self.labels[i]: {
                    "iou": plain(values[i]),
                    "precision": float(each.precision[i]),
                    "recall": float(each.recall[i]),
                    "pixels": int(summed.there[i]),
                }
                for i in self.judged.tolist()
            },
            "confusion": self.table[:-1, :-1].tolist(),
        }


class PixelJudge(ImageSamples):
    """See ``PixelFigures``."""

    def __init__(self, data: MaskDataset) -> None:
        super().__init__(data.images)
        self._data, self._mask = data, np.empty((0, 0), np.uint8)
        self._tables: dict[str, NDArray[np.int64]] = {}
        self._counts: dict[str, list[PixelCounts]] = {}

    @classmethod
    def open(cls, manifest: Manifest, data: str | Path, split: str | None) -> PixelJudge:
        """See ``Judge.open``."""
        return cls(open_masks(data, split, prefer="test").aligned_to(manifest.labels))

    def read(self, index: int) -> NDArray[np.uint8]:
        """See ``Judge.read``."""
        pixels: NDArray[np.uint8] = super().read(index)
        self._mask = self._data.mask(index)
        check_size(self.name(index), pixels.shape[:2], self._mask.shape, "mask")
        return pixels

    def truths(self) -> Iterable[bytes]:
        """See ``Judge.truths``."""
        return "".join(self._data.masks.image_hashes()).encode(), self._data.order.tobytes()

    def add(self, index: int, results: Mapping[str, Any]) -> None:
        """See ``Judge.add``; the sample is the last that was read."""
        for artifact, result in results.items():
            table = pixel_table(self._mask, result.classes, len(self._data.labels), IGNORED)
            self._tables[artifact] = self._tables.get(artifact, 0) + table
            self._counts.setdefault(artifact, []).append(counts_of(table))

    def figures(self) -> dict[str, Figures]:
        """See ``Judge.figures``."""
        if not any(table.any() for table in self._tables.values()):
            raise DatasetError("no pixel is to be judged", expected="masks with classes", got=f"{IGNORED} everywhere")
        judged, labels = self._data.judged, self._data.labels
        return {
            artifact: PixelFigures(PixelCounts(*map(np.stack, zip(*counts))), self._tables[artifact], judged, labels)
            for artifact, counts in self._counts.items()
        }
