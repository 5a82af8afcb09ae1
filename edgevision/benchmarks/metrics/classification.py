"""Metrics of answers that are one class each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Bins of the expected calibration error, as in its paper.
BINS = 15


class PerClass(NamedTuple):
    """Each float64 (classes,), 0..1; 0 where nothing was predicted, or is there, to divide by.

    Attributes:
        precision: Share of the images named so that are.
        recall: Share of the images that are so that were named.
        f1: Harmonic mean of both.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]


def confusion(truth: NDArray[np.integer], predictions: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """int64 (classes, classes): images by true class (row) and predicted class (column).

    Args:
        truth: Integers (n,), 0..classes - 1.
        predictions: The same.
        classes: How many there are.
    """
    cells = truth.astype(np.int64) * classes + predictions
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def per_class(table: NDArray[np.int64]) -> PerClass:
    """Precision, recall and F1 of each class of a confusion matrix (classes, classes)."""
    return from_counts(np.diag(table), table.sum(axis=0), table.sum(axis=1))


def from_counts(hits: NDArray[Any], named: NDArray[Any], there: NDArray[Any]) -> PerClass:
    """The same from counts per class: rightly named, named, and there."""
    return PerClass(_share(hits, named), _share(hits, there), _share(2 * hits, named + there))


def _share(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.divide(part, whole, out=np.zeros(part.shape, np.float64), where=whole > 0)
    return found


def macro(table: NDArray[np.int64]) -> dict[str, float]:
    """Means over the classes that are there or were named, as scikit-learn takes them: precision, recall, f1."""
    seen = (table.sum(axis=0) + table.sum(axis=1)) > 0
    return {name: float(values[seen].mean()) for name, values in per_class(table)._asdict().items()}


def calibration_error(confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = BINS) -> float:
    """Expected calibration error, 0..1: how far, on average, confidence is from the share of right answers.

    Guo, C. et al. (2017), On calibration of modern neural networks, ICML: bins of equal width, each gap weighted by
    the images in its bin.

    Args:
        confidence: (n,), probability of the predicted class, 0..1.
        correct: bool (n,), whether it is the right one.
        bins: How many.
    """
    place = np.clip(np.ceil(confidence.astype(np.float64) * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=correct - confidence.astype(np.float64), minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))
