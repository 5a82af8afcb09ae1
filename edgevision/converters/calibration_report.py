"""What calibration images are like, for the manifest and for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgevision.converters.image_facts import LOOKS, ImageFacts
from edgevision.converters.quantize.convergence import Convergence


@dataclass(frozen=True)
class ClassCoverage:
    """How many of the model's classes are among the chosen images, by the folders they lie in."""

    present: int
    classes: int


@dataclass(frozen=True)
class GreyLevels:
    """Mean grey level of an image, 0..255: mean and standard deviation over images."""

    mean: float
    std: float


@dataclass(frozen=True)
class SourceSizes:
    """(width, height) of the image with the least, the median and the largest area, pixels."""

    min: tuple[int, int]
    median: tuple[int, int]
    max: tuple[int, int]


@dataclass(frozen=True)
class CalibrationReport:
    """The images that set ranges and chose between candidates.

    Attributes:
        images: How many.
        distinct: How many different ones, by their pixels.
        class_coverage: None when the data is not in folders named after classes.
        grey_level: Brightness and its spread, of the model's input pixels.
        source_size: Before resizing.
        sha256: Content hash of all images taken from the data, the judging ones included.
        convergence: How far the ranges settled; None when none had to be measured.
    """

    images: int
    distinct: int
    class_coverage: ClassCoverage | None
    grey_level: GreyLevels
    source_size: SourceSizes
    sha256: str
    convergence: Convergence | None

    @property
    def words(self) -> str:
        """One line: count, classes, brightness, size."""
        parts = [f"{self.images} images"]
        if self.distinct < self.images:
            parts.append(f"{self.distinct} different")
        if self.class_coverage is not None:
            parts.append(f"{self.class_coverage.present} of {self.class_coverage.classes} classes")
        parts.append(f"grey level {self.grey_level.mean:.0f} \N{PLUS-MINUS SIGN} {self.grey_level.std:.0f}")
        sizes = dict.fromkeys("x".join(map(str, each)) for each in (self.source_size.min, self.source_size.max))
        return ", ".join([*parts, " to ".join(sizes)])


def report(
    facts: Sequence[ImageFacts],
    names: Sequence[str],
    labels: Sequence[str],
    sha256: str,
    convergence: Convergence | None,
) -> CalibrationReport:
    """See ``CalibrationSet.report``; ``names`` are those of the images of ``facts``."""
    grey = np.array([each.looks[LOOKS.index("brightness")] for each in facts])
    sizes = sorted((each.size for each in facts), key=lambda size: (size[0] * size[1], size))
    least, median, largest = ((width, height) for height, width in (sizes[0], sizes[len(sizes) // 2], sizes[-1]))
    return CalibrationReport(
        images=len(facts),
        distinct=len({each.digest for each in facts}),
        class_coverage=_coverage(names, labels),
        grey_level=GreyLevels(round(float(grey.mean()), 1), round(float(grey.std()), 1)),
        source_size=SourceSizes(least, median, largest),
        sha256=sha256,
        convergence=convergence,
    )


def _coverage(names: Sequence[str], labels: Sequence[str]) -> ClassCoverage | None:
    """Classes whose folder at least one image lies in; None unless every image lies in the folder of a class."""
    known, found = set(labels), set()
    for name in names:
        folders = [part for part in name.split("/")[:-1] if part in known]
        if not folders:
            return None
        found.add(folders[0])
    return ClassCoverage(len(found), len(known))
