"""Any number of classes per image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.figures import Figures, Resampled, plain
from edgevision.benchmarks.judges.judge import ImageSamples
from edgevision.benchmarks.metrics.classification import from_counts
from edgevision.benchmarks.metrics.ranking import Ranked, average_precision, ranked, threshold_shift
from edgevision.datasets import TagDataset, open_tags
from edgevision.runtime.manifest import Manifest


@dataclass(frozen=True, eq=False)
class TagFigures(Resampled):
    """Mean average precision over classes that are somewhere in the data, and F1 at the bundle's thresholds.

    Attributes:
        scores: float32 (n, classes), 0..1.
        present: bool (n, classes), what is there.
        thresholds: float32 (classes,), from which score on a class is named.
        labels: Class names.
    """

    headline: ClassVar[str] = "map"

    scores: NDArray[np.float32]
    present: NDArray[np.bool_]
    thresholds: NDArray[np.float32]
    labels: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.scores)

    @cached_property
    def _ranked(self) -> list[Ranked]:
        return [ranked(scores, right) for scores, right in zip(self.scores.T, self.present.T)]

    @property
    def value(self) -> float:
        """Mean average precision, 0..1."""
        return _mean([average_precision(column) for column in self._ranked])

    def resampled(self, counts: NDArray[np.int64]) -> float:
        """See ``Resampled.resampled``."""
        return _mean([average_precision(column, counts) for column in self._ranked])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a class that is nowhere in the data has no average precision."""
        named = self.scores >= self.thresholds
        hits = (named & self.present).sum(axis=0)
        each = from_counts(hits, named.sum(axis=0), self.present.sum(axis=0))
        whole = from_counts(hits.sum()[None], named.sum()[None], self.present.sum()[None])
        rows = zip(self.labels, self._ranked, *(values.tolist() for values in each), self.present.sum(axis=0).tolist())
        return {
            "map": plain(self.value),
            "interval95": [plain(limit) for limit in self.interval95],
            "n": self.n,
            "f1_macro": float(each.f1.mean()),
            "f1_micro": float(whole.f1[0]),
            "per_class": {
                label: {"ap": plain(average_precision(column)), "precision": p, "recall": r, "f1": f1, "images": count}
                for label, column, p, r, f1, count in rows
            },
        }

    def changes(self, reference: TagFigures) -> dict[str, Any]:
        """The threshold's shift, and the share of images with exactly the same classes named."""
        named = [found.scores >= found.thresholds for found in (self, reference)]
        shift = threshold_shift(reference.answers, self.answers)
        same = {"same_classes": float((named[0] == named[1]).all(axis=1).mean())}
        return same if shift is None else {**same, "threshold_shift": shift._asdict()}

    @property
    def answers(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Margin of every score to its threshold, float64 (n * classes,), and whether the class is there."""
        return (self.scores.astype(np.float64) - self.thresholds).ravel(), self.present.ravel()


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


class TagJudge(ImageSamples):
    """See ``TagFigures``."""

    def __init__(self, data: TagDataset) -> None:
        super().__init__(data.images)
        self._data, self._rows = data, list[int]()
        self._scores: dict[str, list[NDArray[np.float32]]] = {}
        self._thresholds = np.zeros(len(data.labels), np.float32)

    @classmethod
    def open(cls, manifest: Manifest, data: str | Path, split: str | None) -> TagJudge:
        """See ``Judge.open``."""
        return cls(open_tags(data, split, prefer="test").aligned_to(manifest.labels))

    def truths(self) -> Iterable[bytes]:
        """See ``Judge.truths``."""
        return (self._data.present.tobytes(),)

    def add(self, index: int, results: Mapping[str, Any]) -> None:
        """See ``Judge.add``."""
        self._rows.append(index)
        for artifact, result in results.items():
            self._thresholds = result.thresholds
            self._scores.setdefault(artifact, []).append(result.scores)

    def figures(self) -> dict[str, Figures]:
        """See ``Judge.figures``."""
        present, labels = self._data.present[self._rows], self._data.labels
        return {
            name: TagFigures(np.stack(rows), present, self._thresholds, labels) for name, rows in self._scores.items()
        }
