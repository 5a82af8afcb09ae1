"""One class per image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.accuracy import Accuracy, ranks
from edgevision.benchmarks.figures import Figures
from edgevision.benchmarks.judges.judge import ImageSamples
from edgevision.datasets import Dataset, open_dataset
from edgevision.runtime.manifest import Manifest


class Scores:
    """Each artifact's scores and the right class of every sample, as they come in."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._labels, self._truth, self._names = labels, list[int](), list[str]()
        self._scores: dict[str, list[NDArray[np.float32]]] = {}

    def add(self, name: str, truth: int, results: Mapping[str, Any]) -> None:
        """Takes a sample's Classification of each artifact."""
        self._truth.append(truth)
        self._names.append(name)
        for artifact, result in results.items():
            self._scores.setdefault(artifact, []).append(result.scores)

    def figures(self) -> dict[str, Figures]:
        """Accuracy per artifact. Of equal scores the first class is the better one."""
        return {artifact: self._accuracy(np.stack(rows)) for artifact, rows in self._scores.items()}

    def _accuracy(self, scores: NDArray[np.float32]) -> Accuracy:
        truth = np.array(self._truth, np.int64)
        known = ranks(scores, truth) if scores.shape[1] > 5 else None
        best = scores.argmax(axis=1).astype(np.int64)
        return Accuracy(best, truth, known, scores.max(axis=1), self._labels, tuple(self._names))


class ClassJudge(ImageSamples):
    """Top-1 and what follows from it."""

    images: Dataset

    def __init__(self, images: Dataset) -> None:
        super().__init__(images)
        self._scores = Scores(images.labels)

    @classmethod
    def open(cls, manifest: Manifest, data: str | Path, split: str | None) -> ClassJudge:
        """See ``Judge.open``."""
        return cls(open_dataset(data, split, prefer="test").aligned_to(manifest.labels))

    def add(self, index: int, results: Mapping[str, Any]) -> None:
        """See ``Judge.add``."""
        entry = self.images.entries[index]
        assert entry.label is not None, "opened with labels"
        self._scores.add(entry.name, entry.label, results)

    def figures(self) -> dict[str, Figures]:
        """See ``Judge.figures``."""
        return self._scores.figures()
