"""One class per window of frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.figures import Figures
from edgevision.benchmarks.judges.classification import Scores
from edgevision.benchmarks.judges.judge import Judge
from edgevision.datasets import ClipDataset, open_clips
from edgevision.runtime.manifest import Manifest


class WindowJudge(Judge):
    """As classification, over windows that do not overlap."""

    def __init__(self, clips: ClipDataset, frames: int) -> None:
        self.images, self.split, self._windows = clips.images, clips.split, clips.windows(frames)
        self._names, self._labels = self._windows.names, self._windows.targets
        self._scores = Scores(clips.labels)

    @classmethod
    def open(cls, manifest: Manifest, data: str | Path, split: str | None) -> WindowJudge:
        """See ``Judge.open``."""
        clips = open_clips(data, split, prefer="test").aligned_to(manifest.labels)
        return cls(clips, manifest.artifacts[0].inputs[0].shape[1])

    def __len__(self) -> int:
        return len(self._windows)

    def name(self, index: int) -> str:
        """See ``Judge.name``: its first and its last frame."""
        return self._names[index]

    def read(self, index: int) -> list[NDArray[np.uint8]]:
        """See ``Judge.read``: its frames, uint8 (H, W, 3), RGB."""
        return [frame.decode() for frame in self._windows[index]]

    def add(self, index: int, results: Mapping[str, Any]) -> None:
        """See ``Judge.add``."""
        self._scores.add(self.name(index), int(self._labels[index]), results)

    def figures(self) -> dict[str, Figures]:
        """See ``Judge.figures``."""
        return self._scores.figures()
