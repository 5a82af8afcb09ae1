"""Metrics of pairs: do two images show the same?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.statistics import SUPPORT

#: False accept rates at which the true accept rate is asked for.
RATES = (1e-1, 1e-2, 1e-3)


class Roc(NamedTuple):
    """The operating points, from accepting nothing to accepting all; float64 (k,) each.

    Attributes:
        false_accepts: Share of different pairs accepted, 0..1.
        true_accepts: Share of same pairs accepted, 0..1.
        thresholds: Cosine that a pair has to reach; the first is infinite.
    """

    false_accepts: NDArray[np.float64]
    true_accepts: NDArray[np.float64]
    thresholds: NDArray[np.float64]


class SortedPairs(NamedTuple):
    """Pairs by falling cosine; sorted once, weighed many times by a bootstrap.

    Attributes:
        order: int64 (n,), indices of the pairs.
        cosines: float64 (n,), falling.
        same: bool (n,), in that order.
        ends: int64 (k,), where runs of equal cosines end.
    """

    order: NDArray[np.int64]
    cosines: NDArray[np.float64]
    same: NDArray[np.bool_]
    ends: NDArray[np.int64]


def sorted_pairs(cosines: NDArray[np.floating], same: NDArray[np.bool_]) -> SortedPairs:
    """Pairs by falling cosine.

    Args:
        cosines: (n,), -1..1.
        same: bool (n,), whether the two show the same.
    """
    order = np.argsort(-cosines, kind="stable")
    values = cosines[order].astype(np.float64)
    ends = np.append(np.flatnonzero(np.diff(values)), len(values) - 1).astype(np.int64)
    return SortedPairs(order, values, same[order], ends)


def roc(pairs: SortedPairs, counts: NDArray[np.integer] | None = None) -> Roc:
    """All operating points.

    Args:
        pairs: The sorted pairs.
        counts: Integers (n,): how often each pair is taken, in the order before sorting; None is once.
    """
    weights = np.ones(len(pairs.order)) if counts is None else counts[pairs.order].astype(np.float64)
    rates = []
    for kind in (~pairs.same, pairs.same):
        summed = np.cumsum(weights * kind)[pairs.ends]
        rates.append(np.insert(summed / summed[-1] if summed[-1] > 0 else np.full(len(summed), np.nan), 0, 0.0))
    return Roc(rates[0], rates[1], np.insert(pairs.cosines[pairs.ends], 0, np.inf))


def equal_error(found: Roc) -> tuple[float, float]:
    """Equal error rate, 0..1, where as many same pairs are refused as different ones accepted; and its threshold.

    Between two operating points on a straight line, as through scikit-learn's ``roc_curve``. NaN without both kinds.
    """
    gap = found.false_accepts - (1 - found.true_accepts)  # grows from -1 to 1
    if np.isnan(gap).any():
        return float("nan"), float("nan")
    after = int(np.argmax(gap >= 0))
    before = max(after - 1, 0)
    step = gap[after] - gap[before]
    share = float(-gap[before] / step) if step > 0 else 0.0
    rate = found.false_accepts[before] + share * (found.false_accepts[after] - found.false_accepts[before])
    return float(rate), float(found.thresholds[after])


def true_accepts(found: Roc, rate: float) -> float:
    """Highest true accept rate, 0..1, at a false accept rate of at most ``rate``."""
    return float(found.true_accepts[found.false_accepts <= rate].max())


def supported_rates(different: int) -> tuple[float, ...]:
    """Those of ``RATES`` at which so many different pairs let at least ten through: of fewer the rate is a guess."""
    return tuple(rate for rate in RATES if different * rate >= SUPPORT - 1e-9)


def accuracies(cosines: NDArray[np.floating], same: NDArray[np.bool_], threshold: float) -> tuple[float, float]:
    """Share of pairs judged rightly at a threshold, and the mean of both kinds' shares (balanced); 0..1 each."""
    accepted = cosines >= threshold
    right = accepted == same
    return float(right.mean()), float((right[same].mean() + right[~same].mean()) / 2)
