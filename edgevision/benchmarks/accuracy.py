"""What predictions on labelled images say: accuracy of one artifact, difference between two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.statistics import Estimate, paired_interval, wilson_interval
from edgevision.runtime.errors import InputError


@dataclass(frozen=True, eq=False)
class Accuracy:
    """How often one artifact is right.

    Attributes:
        predictions: int64 (n,), index of the best class per image.
        truth: int64 (n,), index of the right class per image.
        ranks: int64 (n,), place of the right class among the scores, 0 is best; None when only the best is known.
    """

    predictions: NDArray[np.int64]
    truth: NDArray[np.int64]
    ranks: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.predictions.shape != self.truth.shape or self.truth.ndim != 1 or not self.truth.size:
            shapes = f"{self.predictions.shape} and {self.truth.shape}"
            raise InputError("predictions do not match the labels", expected="one per image, (n,), n >= 1", got=shapes)

    @property
    def n(self) -> int:
        """Number of images."""
        return int(self.truth.size)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """bool (n,), whether the best class is the right one."""
        right: NDArray[np.bool_] = self.predictions == self.truth
        return right

    @property
    def top1(self) -> float:
        """Share of images whose best class is right, 0..1."""
        return float(self.correct.mean())

    @property
    def top5(self) -> float | None:
        """Share of images whose right class is among the best five, 0..1; None when it is not known."""
        return None if self.ranks is None else float((self.ranks < 5).mean())

    @property
    def interval95(self) -> tuple[float, float]:
        """95 % interval of ``top1`` (Wilson), 0..1."""
        return wilson_interval(int(self.correct.sum()), self.n)

    def to_dict(self) -> dict[str, Any]:
        """top1, its interval, n, and top5 when known, as plain values for JSON."""
        facts: dict[str, Any] = {"top1": self.top1, "interval95": list(self.interval95), "n": self.n}
        return facts if self.top5 is None else {**facts, "top5": self.top5}


def ranks(scores: NDArray[np.float32], truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of the right class among the scores, 0 is best: int64 (n,). Of equal scores the first class is better.

    Args:
        scores: float32 (n, classes).
        truth: int64 (n,), index of the right class.
    """
    own = scores[np.arange(truth.size), truth][:, None]
    earlier = np.arange(scores.shape[1])[None] < truth[:, None]
    found: NDArray[np.int64] = ((scores > own) | ((scores == own) & earlier)).sum(axis=1)
    return found


@dataclass(frozen=True)
class Comparison:
    """One artifact against another on the same images.

    Attributes:
        artifact: The one judged.
        reference: What it is judged against.
        difference: Accuracy of ``artifact`` minus accuracy of ``reference`` in points (percent), with its
            paired 95 % interval (Tango).
        same_top1: Share of images on which both name the same class, right or wrong, 0..1.
    """

    artifact: str
    reference: str
    difference: Estimate
    same_top1: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "artifact": self.artifact,
            "reference": self.reference,
            "difference_points": self.difference.value,
            "interval95": [self.difference.low, self.difference.high],
            "same_top1": self.same_top1,
        }


def compare(accuracies: Mapping[str, Accuracy], artifact: str, reference: str) -> Comparison:
    """``artifact`` against ``reference``, both measured on the same images in the same order."""
    judged, base = accuracies[artifact], accuracies[reference]
    same = float((judged.predictions == base.predictions).mean())
    return Comparison(artifact, reference, paired_interval(base.correct, judged.correct), same)


def compare_precisions(accuracies: Mapping[str, Accuracy]) -> tuple[Comparison, ...]:
    """Every other artifact against the float32 one of its own format, else against the first float32 one there is.

    Artifact names begin with their precision: "int8.tflite", "float32.tflite".
    """
    floats = [name for name in accuracies if name.startswith("float32.")]
    found = []
    for name in accuracies:
        own = f"float32.{name.partition('.')[2]}"
        if name not in floats and floats:
            found.append(compare(accuracies, name, own if own in accuracies else floats[0]))
    return tuple(found)
