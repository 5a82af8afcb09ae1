"""Images that a model made: how far they are from the float model's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.figures import Figures, Resampled
from edgevision.benchmarks.judges.judge import Judge
from edgevision.benchmarks.metrics.bootstrap import percentile_interval
from edgevision.benchmarks.metrics.generation import Distance, distance, mean_absolute, psnr
from edgevision.benchmarks.statistics import Estimate
from edgevision.datasets import Dataset, Sample, open_images
from edgevision.datasets.latents import LatentDataset, open_latents
from edgevision.runtime.manifest import Manifest


@dataclass(frozen=True, eq=False)
class ImageFigures(Resampled):
    """Distance from the images of a reference.

    Attributes:
        sums: float64 (n, 5), a ``Distance`` per image.
        reference: Name of the artifact that made the others.
    """

    headline: ClassVar[str] = "mean_absolute"
    unit: ClassVar[str] = "grey levels"
    is_better: ClassVar[int] = -1

    sums: NDArray[np.float64]
    reference: str

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.sums)

    @property
    def value(self) -> float:
        """``mean_absolute``, grey levels of 0..255."""
        return mean_absolute(Distance(*self.sums.sum(axis=0)))

    def resampled(self, counts: NDArray[np.int64]) -> float:
        """See ``Resampled.resampled``."""
        return mean_absolute(Distance(*(counts @ self.sums)))

    def difference(self, reference: ImageFigures) -> Estimate:
        """The distance itself."""
        return percentile_interval(self.value, self.spread)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; without anything but background in the reference there is no foreground."""
        whole = Distance(*self.sums.sum(axis=0))
        drawn = float(whole.foreground / whole.foreground_values) if whole.foreground_values else None
        return {
            "mean_absolute": self.value,
            "interval95": list(self.interval95),
            "mean_absolute_foreground": drawn,
            "psnr_db": psnr(whole),
            "n": self.n,
            "reference": self.reference,
        }


class ImageJudge(Judge):
    """See ``ImageFigures``; samples are images, or latents where the model takes none."""

    needs_float: ClassVar[bool] = True

    def __init__(self, samples: Dataset | LatentDataset) -> None:
        self._samples, self._sums = samples, dict[str, list[Distance]]()
        self._references: dict[str, str] = {}
        if isinstance(samples, Dataset):
            self.images, self.split = samples, samples.split

    @classmethod
    def open(cls, manifest: Manifest, data: str | Path, split: str | None) -> ImageJudge:
        """See ``Judge.open``."""
        return cls(open_latents(data) if manifest.preprocessing is None else open_images(data, split, prefer="test"))

    def __len__(self) -> int:
        return len(self._samples)

    def name(self, index: int) -> str:
        """See ``Judge.name``."""
        return f"latent {index}" if self.images is None else self.images.entries[index].name

    def read(self, index: int) -> Any:
        """See ``Judge.read``: pixels, arrays by name, or the seed of a latent."""
        sample = self._samples[index]
        return sample.decode() if isinstance(sample, Sample) else sample

    def truths(self) -> Iterable[bytes]:
        """See ``Judge.truths``: images are judged by those of another artifact; latents are what they are made of."""
        if isinstance(self._samples, LatentDataset):
            yield str(len(self._samples)).encode()
            yield from (array.tobytes() for array in (self._samples.arrays or {}).values())

    def add(self, index: int, results: Mapping[str, Any]) -> None:
        """See ``Judge.add``: int8 is compared with float32 of its own format where there is one."""
        floats = [name for name in results if name.startswith("float32.")]
        for artifact, result in results.items():
            own = f"float32.{artifact.partition('.')[2]}"
            base = own if own in floats and own != artifact else floats[0]
            self._references[artifact] = base
            self._sums.setdefault(artifact, []).append(distance(result.pixels, results[base].pixels))

    def figures(self) -> dict[str, Figures]:
        """See ``Judge.figures``."""
        return {
            artifact: ImageFigures(np.array(sums, np.float64), self._references[artifact])
            for artifact, sums in self._sums.items()
        }
