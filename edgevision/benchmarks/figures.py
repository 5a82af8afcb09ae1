"""What one artifact got on labelled data, whatever the task: figures, their intervals, the difference between two."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.metrics.bootstrap import percentile_interval, resamples
from edgevision.benchmarks.statistics import Estimate

AnyFigures = TypeVar("AnyFigures", bound="Figures")
#: Decimals of resamples in reports; one image of 100,000 moves a share by ten times as much.
_DIGITS = 6


class Figures(ABC):
    """One artifact's figures.

    Attributes:
        headline: Name of the figure that artifacts are compared by, as in ``to_dict``.
        unit: What differences of it are in: "points" (percent) or "grey levels".
        is_better: 1 where a higher figure is better, -1 where a lower one is.
    """

    headline: ClassVar[str]
    unit: ClassVar[str] = "points"
    is_better: ClassVar[int] = 1

    @property
    @abstractmethod
    def n(self) -> int:
        """How many images (pairs, windows) were judged."""

    @property
    @abstractmethod
    def value(self) -> float:
        """The headline's figure."""

    @property
    @abstractmethod
    def interval95(self) -> tuple[float, float]:
        """95 % interval of ``value``."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """All figures as plain values for JSON; None where there was nothing to measure."""

    @abstractmethod
    def difference(self: AnyFigures, reference: AnyFigures) -> Estimate:
        """How much higher ``value`` is than the reference's on the same images, in ``unit``, with its 95 % interval."""

    def changes(self: AnyFigures, reference: AnyFigures) -> dict[str, Any]:
        """What else differs from the reference, as plain values."""
        return {}

    @property
    def resamples(self) -> list[float | None]:
        """``value`` in each bootstrap resample of the images; empty where the interval is none of a bootstrap."""
        return []


class Resampled(Figures):
    """Figures whose intervals come from a bootstrap over images."""

    @property
    def units(self) -> int:
        """How many images are drawn from."""
        return self.n

    @abstractmethod
    def resampled(self, counts: NDArray[np.int64]) -> float:
        """``value`` if each image, int64 (units,), were there so many times; NaN where there is nothing to measure."""

    @cached_property
    def spread(self) -> NDArray[np.float64]:
        """``value`` in each resample, float64 (repeats,); resample by resample the same images for every artifact."""
        return np.array([self.resampled(counts) for counts in resamples(self.units)], np.float64)

    @property
    def resamples(self) -> list[float | None]:
        """``spread`` with the digits that matter, for JSON: from it other runs on the same images can be paired."""
        return [plain(round(float(value), _DIGITS)) for value in self.spread]

    @property
    def interval95(self) -> tuple[float, float]:
        """95 % interval of ``value``: bootstrap percentiles."""
        return percentile_interval(self.value, self.spread)[1:]

    def difference(self: AnyResampled, reference: AnyResampled) -> Estimate:
        """See ``Figures.difference``; paired, because each resample takes the same images for both."""
        factor = 100 if self.unit == "points" else 1
        return percentile_interval(factor * (self.value - reference.value), factor * (self.spread - reference.spread))


AnyResampled = TypeVar("AnyResampled", bound=Resampled)


@dataclass(frozen=True)
class Comparison:
    """One artifact against another on the same images.

    Attributes:
        artifact: The one judged.
        reference: What it is judged against.
        difference: ``artifact``'s figure minus ``reference``'s in ``unit``, with its paired 95 % interval.
        metric: Which figure.
        unit: "points" (percent) or "grey levels".
        is_better: 1 where a positive difference is an improvement, -1 where it is a loss.
        changes: What else differs: flips of classes, shift of the threshold, as plain values.
    """

    artifact: str
    reference: str
    difference: Estimate
    metric: str = "top1"
    unit: str = "points"
    is_better: int = 1
    changes: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "artifact": self.artifact,
            "reference": self.reference,
            "metric": self.metric,
            f"difference_{self.unit.replace(' ', '_')}": plain(self.difference.value),
            "interval95": [plain(self.difference.low), plain(self.difference.high)],
            "higher_is_better": self.is_better > 0,
            **self.changes,
        }


def compare(figures: Mapping[str, Figures], artifact: str, reference: str) -> Comparison:
    """``artifact`` against ``reference``, both measured on the same images in the same order."""
    judged, base = figures[artifact], figures[reference]
    difference, changes = judged.difference(base), judged.changes(base)
    return Comparison(artifact, reference, difference, judged.headline, judged.unit, judged.is_better, changes)


def compare_precisions(figures: Mapping[str, Figures]) -> tuple[Comparison, ...]:
    """Every other artifact against the float32 one of its own format, else against the first float32 one there is.

    Artifact names begin with their precision: "int8.tflite", "float32.tflite".
    """
    floats = [name for name in figures if name.startswith("float32.")]
    found = []
    for name in figures:
        own = f"float32.{name.partition('.')[2]}"
        if name not in floats and floats:
            found.append(compare(figures, name, own if own in figures else floats[0]))
    return tuple(found)


def plain(value: float) -> float | None:
    """The number for JSON, which knows no NaN."""
    return None if math.isnan(value) else float(value)
