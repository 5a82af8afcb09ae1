"""Pairs of images: do they show the same?"""

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
from edgevision.benchmarks.metrics.verification import (
    SortedPairs,
    accuracies,
    equal_error,
    roc,
    sorted_pairs,
    supported_rates,
    true_accepts,
)
from edgevision.datasets import PairDataset, open_pairs
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.heads.embedding import EmbeddingHead
from edgevision.runtime.manifest import Manifest


@dataclass(frozen=True, eq=False)
class PairFigures(Resampled):
    """Equal error rate, accuracy at the bundle's threshold, true accepts at given false accepts.

    Resamples draw images: a pair is there as often as both its images together, since pairs that share an image are not
    independent.

    Attributes:
        cosines: float64 (n,), -1..1.
        same: bool (n,), whether the two show the same.
        pairs: int64 (n, 2), which images.
        images: How many images.
        threshold: The bundle's; None where it has none.
    """

    headline: ClassVar[str] = "eer"
    is_better: ClassVar[int] = -1

    cosines: NDArray[np.float64]
    same: NDArray[np.bool_]
    pairs: NDArray[np.int64]
    images: int
    threshold: float | None

    @property
    def n(self) -> int:
        """Number of pairs."""
        return len(self.cosines)

    @property
    def units(self) -> int:
        """Number of images."""
        return self.images

    @cached_property
    def _sorted(self) -> SortedPairs:
        return sorted_pairs(self.cosines, self.same)

    @property
    def value(self) -> float:
        """``eer``, 0..1."""
        return equal_error(roc(self._sorted))[0]

    def resampled(self, counts: NDArray[np.int64]) -> float:
        """See ``Resampled.resampled``."""
        return equal_error(roc(self._sorted, counts[self.pairs[:, 0]] * counts[self.pairs[:, 1]]))[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON. Where the bundle has no threshold that of the equal error rate here is taken."""
        points = roc(self._sorted)
        eer, own = equal_error(points)
        limit = own if self.threshold is None else self.threshold
        accuracy, balanced = accuracies(self.cosines, self.same, limit)
        different = int((~self.same).sum())
        return {
            "eer": eer,
            "interval95": [plain(value) for value in self.interval95],
            "eer_threshold": own,
            "accuracy": accuracy,
            "balanced_accuracy": balanced,
            "threshold": limit,
            "threshold_from": "this data" if self.threshold is None else "the bundle",
            "tar_at_far": {f"{rate:g}": true_accepts(points, rate) for rate in supported_rates(different)},
            "n": self.n,
            "same": self.n - different,
            "different": different,
            "images": self.images,
        }

    def changes(self, reference: PairFigures) -> dict[str, Any]:
        """How far the threshold of the equal error rate moved."""
        own, other = (equal_error(roc(found._sorted))[1] for found in (self, reference))
        return {"eer_threshold_shift": own - other}


class PairJudge(ImageSamples):
    """See ``PairFigures``; each image is embedded once."""

    def __init__(self, data: PairDataset, threshold: float | None) -> None:
        super().__init__(data.images)
        self._data, self._threshold, self._rows = data, threshold, list[int]()
        self._vectors: dict[str, list[NDArray[np.float64]]] = {}

    @classmethod
    def open(cls, manifest: Manifest, data: str | Path, split: str | None) -> PairJudge:
        """See ``Judge.open``."""
        assert isinstance(manifest.head, EmbeddingHead), "refused when the manifest was made"
        return cls(open_pairs(data, split, prefer="test"), manifest.head.threshold)

    def truths(self) -> Iterable[bytes]:
        """See ``Judge.truths``."""
        return self._data.pairs.tobytes(), self._data.same.tobytes()

    def add(self, index: int, results: Mapping[str, Any]) -> None:
        """See ``Judge.add``."""
        self._rows.append(index)
        for artifact, result in results.items():
            self._vectors.setdefault(artifact, []).append(result.vector.astype(np.float64))

    def figures(self) -> dict[str, Figures]:
        """See ``Judge.figures``: of the pairs whose images both could be read."""
        place = np.full(len(self.images), -1, np.int64)
        place[self._rows] = np.arange(len(self._rows))
        pairs = place[self._data.pairs]
        known = (pairs >= 0).all(axis=1)
        pairs, same = pairs[known], self._data.same[known]
        if not same.any() or same.all():
            got = f"{int(same.sum())} same, {int((~same).sum())} different"
            raise DatasetError("too few pairs could be read", expected="same and different ones", got=got)
        found: dict[str, Figures] = {}
        for artifact, rows in self._vectors.items():
            vectors = np.stack(rows)
            cosines = np.einsum("nd,nd->n", vectors[pairs[:, 0]], vectors[pairs[:, 1]]).clip(-1, 1)
            found[artifact] = PairFigures(cosines, same, pairs, len(rows), self._threshold)
        return found
