"""Metrics of maps of classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.metrics.classification import confusion

#: What a model did not look at (``results.segmentation.UNSEEN``) counts as a class of its own that is never right.
_EXTRA = 1


class PixelCounts(NamedTuple):
    """Pixels of one image, or sums over images; each int64 (..., classes).

    Attributes:
        hits: Of the class and named so.
        there: Of the class.
        named: Named so, where the truth is judged.
    """

    hits: NDArray[np.int64]
    there: NDArray[np.int64]
    named: NDArray[np.int64]


def pixel_table(truth: NDArray[np.uint8], found: NDArray[np.uint8], classes: int, ignored: int) -> NDArray[np.int64]:
    """int64 (classes + 1, classes + 1): judged pixels by true class and predicted class; the last is "none of them".

    Args:
        truth: uint8 (height, width), indices, or ``ignored``.
        found: uint8 (height, width); indices outside the classes are wrong wherever they are.
        classes: How many there are.
        ignored: Value of pixels that are not judged.
    """
    judged = truth != ignored
    return confusion(truth[judged], np.minimum(found[judged], classes), classes + _EXTRA)


def counts_of(table: NDArray[np.int64]) -> PixelCounts:
    """Counts per class of a ``pixel_table``."""
    return PixelCounts(*(values[:-_EXTRA] for values in (np.diag(table), table.sum(axis=1), table.sum(axis=0))))


def iou(counts: PixelCounts) -> NDArray[np.float64]:
    """Intersection over union per class, float64 (..., classes), 0..1; NaN where a class is neither there nor named."""
    union = counts.there + counts.named - counts.hits
    found: NDArray[np.float64] = np.divide(counts.hits, union, out=np.full(union.shape, np.nan), where=union > 0)
    return found


def mean_iou(counts: PixelCounts, judged: NDArray[np.integer]) -> float:
    """Mean of ``iou`` over the classes in ``judged`` that are there or were named, 0..1; NaN if none is."""
    values = iou(counts)[judged]
    return float(values[~np.isnan(values)].mean()) if (~np.isnan(values)).any() else float("nan")
