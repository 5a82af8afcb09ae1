"""Metrics of scores that are sorted: average precision, and thresholds that give the same precision."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Ranked(NamedTuple):
    """Answers to one question, best first; made once, weighed many times by a bootstrap.

    Attributes:
        order: int (n,), indices of the samples by falling score.
        right: bool (n,), in that order.
        ends: int (k,), places in that order where a run of equal scores ends.
    """

    order: NDArray[np.int64]
    right: NDArray[np.bool_]
    ends: NDArray[np.int64]


def ranked(scores: NDArray[np.floating], right: NDArray[np.bool_]) -> Ranked:
    """Samples by falling score.

    Args:
        scores: (n,).
        right: bool (n,), whether the class is really there.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1).astype(np.int64)
    return Ranked(order, right[order], ends)


def average_precision(found: Ranked, counts: NDArray[np.integer] | None = None) -> float:
    """Area under the precision-recall steps, 0..1, as scikit-learn has it; NaN where nothing is right.

    Args:
        found: The sorted samples.
        counts: Integers (n,): how often each sample is taken; None is once.
    """
    weights = np.ones(len(found.order)) if counts is None else counts[found.order].astype(np.float64)
    hits, all_ = np.cumsum(weights * found.right)[found.ends], np.cumsum(weights)[found.ends]
    if not hits[-1] > 0:
        return float("nan")
    precision = np.divide(hits, all_, out=np.zeros(len(hits)), where=all_ > 0)
    return float((np.diff(hits, prepend=0.0) * precision).sum() / hits[-1])


class Shift(NamedTuple):
    """How the threshold has to move for the precision to stay.

    Attributes:
        reference_precision: Of the reference at the bundle's thresholds, 0..1.
        precision: Of the artifact at the same thresholds, 0..1; None where it names nothing.
        shift: What to add to the thresholds so that the artifact has the reference's precision; None where no
            threshold gives it.
    """

    reference_precision: float
    precision: float | None
    shift: float | None


def threshold_shift(
    reference: tuple[NDArray[np.floating], NDArray[np.bool_]], judged: tuple[NDArray[np.floating], NDArray[np.bool_]]
) -> Shift | None:
    """The smallest move of the threshold, up or down, that brings the precision to the reference's.

    Upwards while the precision is lower, downwards while it is higher, to the first score where it no longer is.

    Args:
        reference: Margins (n,), each a score less its threshold, and bool (n,), whether the answer is right.
        judged: The same of the other artifact, (m,).

    Returns:
        None where the reference names nothing.
    """
    named = reference[0] >= 0
    if not named.any():
        return None
    wanted = float(reference[1][named].mean())
    order = np.argsort(-judged[0], kind="stable")
    margins, right = judged[0][order].astype(np.float64), judged[1][order]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    ends = np.append(np.flatnonzero(np.diff(margins)), len(margins) - 1) if len(margins) else np.empty(0, np.int64)
    margins, precision = margins[ends], precision[ends]  # falling margins; precision of all down to each
    above = int((margins >= 0).sum())
    own = float(precision[above - 1]) if above else None
    if own is not None and own == wanted:
        return Shift(wanted, own, 0.0)
    if own is not None and own < wanted:
        places = np.flatnonzero(precision[: above - 1] >= wanted)[::-1]
    else:
        places = above + np.flatnonzero(precision[above:] <= wanted)
    return Shift(wanted, own, float(margins[places[0]]) if len(places) else None)
