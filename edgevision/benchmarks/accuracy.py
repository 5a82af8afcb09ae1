"""Predictions on labelled images: how often one artifact is right, what changes against another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.figures import Comparison as Comparison
from edgevision.benchmarks.figures import Figures
from edgevision.benchmarks.figures import compare as compare
from edgevision.benchmarks.figures import compare_precisions as compare_precisions
from edgevision.benchmarks.metrics.classification import calibration_error, confusion, macro, per_class
from edgevision.benchmarks.metrics.ranking import Shift, threshold_shift
from edgevision.benchmarks.statistics import Estimate, paired_interval, wilson_interval
from edgevision.runtime.errors import InputError

#: Of more classes than this ``to_dict`` leaves the confusion matrix out: it would be all of the file.
MOST_CLASSES = 100
#: Changed answers that ``changes`` names, at most.
WORST = 20


@dataclass(frozen=True, eq=False)
class Accuracy(Figures):
    """How often one artifact is right.

    Attributes:
        predictions: int64 (n,), index of the best class per image.
        truth: int64 (n,), index of the right class per image.
        ranks: int64 (n,), place of the right class among the scores, 0 is best; None when only the best is known.
        confidence: float32 (n,), probability of the best class, 0..1; None when it is not known.
        labels: Class names; empty when figures per class are not wanted.
        names: Name of each image; empty when changed answers are not to be named.
    """

    headline: ClassVar[str] = "top1"

    predictions: NDArray[np.int64]
    truth: NDArray[np.int64]
    ranks: NDArray[np.int64] | None = None
    confidence: NDArray[np.float32] | None = None
    labels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

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
    def value(self) -> float:
        """``top1``."""
        return self.top1

    @property
    def top5(self) -> float | None:
        """Share of images whose right class is among the best five, 0..1; None when it is not known."""
        return None if self.ranks is None else float((self.ranks < 5).mean())

    @property
    def interval95(self) -> tuple[float, float]:
        """95 % interval of ``top1`` (Wilson), 0..1."""
        return wilson_interval(int(self.correct.sum()), self.n)

    @property
    def calibration_error(self) -> float | None:
        """Expected calibration error, 0..1, lower is better; None without confidences."""
        return None if self.confidence is None else calibration_error(self.confidence, self.correct)

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """int64 (classes, classes): images by true class (row) and predicted class (column)."""
        return confusion(self.truth, self.predictions, len(self.labels))

    def to_dict(self) -> dict[str, Any]:
        """top1, its interval, n, and whatever else is known, as plain values for JSON."""
        facts: dict[str, Any] = {"top1": self.top1, "interval95": list(self.interval95), "n": self.n}
        facts |= {} if self.top5 is None else {"top5": self.top5}
        facts |= {} if self.confidence is None else {"calibration_error": self.calibration_error}
        if self.labels:
            rows = np.stack([*per_class(self.confusion)]).T.tolist()
            images = self.confusion.sum(axis=1).tolist()
            facts["macro"] = macro(self.confusion)
            facts["per_class"] = {
                label: {"precision": p, "recall": r, "f1": f1, "images": count}
                for label, (p, r, f1), count in zip(self.labels, rows, images)
            }
        if 0 < len(self.labels) <= MOST_CLASSES:
            facts["confusion"] = self.confusion.tolist()
        return facts

    def difference(self, reference: Accuracy) -> Estimate:
        """Of ``top1`` in points, with Tango's paired interval."""
        return paired_interval(reference.correct, self.correct)

    def changes(self, reference: Accuracy) -> dict[str, Any]:
        """Share of the same answers; answers that flipped, the surest first; of two classes the threshold's shift."""
        changed = self.predictions != reference.predictions
        found: dict[str, Any] = {
            "same_top1": float((~changed).mean()),
            "flips": {
                "lost": int((reference.correct & ~self.correct).sum()),
                "gained": int((self.correct & ~reference.correct).sum()),
                "changed": int(changed.sum()),
            },
        }
        if self.labels and self.names and self.confidence is not None and reference.confidence is not None:
            found["flips"]["worst"] = [self._flip(reference, int(i)) for i in self.worst(reference)]
        if len(self.labels) == 2 and (shift := self._shift(reference)) is not None:
            found["threshold_shift"] = shift._asdict()
        return found

    def worst(self, reference: Accuracy, most: int = WORST) -> NDArray[np.int64]:
        """The changed answers, up to ``most``, those first of which both artifacts were surest: int64 (flips,).

        Empty where confidences are not known.
        """
        changed = np.flatnonzero(self.predictions != reference.predictions)
        if self.confidence is None or reference.confidence is None:
            return changed[:0]
        sure = np.minimum(self.confidence, reference.confidence)[changed]
        return changed[np.argsort(-sure, kind="stable")[:most]]

    def _flip(self, reference: Accuracy, i: int) -> dict[str, Any]:
        assert self.confidence is not None and reference.confidence is not None, "asked for before"
        return {
            "image": self.names[i],
            "truth": self.labels[self.truth[i]],
            "reference": self.labels[reference.predictions[i]],
            "reference_score": float(reference.confidence[i]),
            "artifact": self.labels[self.predictions[i]],
            "artifact_score": float(self.confidence[i]),
        }

    def _shift(self, reference: Accuracy) -> Shift | None:
        pairs = [(found._margin, found.truth == 1) for found in (reference, self) if found._margin is not None]
        return threshold_shift((pairs[0][0], pairs[0][1]), (pairs[1][0], pairs[1][1])) if len(pairs) == 2 else None

    @property
    def _margin(self) -> NDArray[np.float64] | None:
        """Of two classes whose probabilities sum to one: the second's less 0.5, float64 (n,)."""
        if self.confidence is None:
            return None
        over = self.confidence.astype(np.float64) - 0.5
        # Of equal scores the first class is the answer: a margin of -0 would name the second.
        return np.where(self.predictions == 1, over, np.minimum(-over, np.nextafter(0, -1)))


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
