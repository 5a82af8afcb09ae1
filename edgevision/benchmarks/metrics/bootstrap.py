"""Intervals of figures that no formula covers: the bootstrap over images, the same resamples for every artifact."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.statistics import Estimate

#: How many resamples.
REPEATS = 1000


def resamples(n: int, repeats: int = REPEATS, seed: int = 0) -> Iterator[NDArray[np.int64]]:
    """How often each of ``n`` images is taken, int64 (n,), in each resample; the same on every machine.

    Efron, B. (1979), Bootstrap methods: another look at the jackknife, Ann. Stat. 7, 1-26.
    """
    random = np.random.RandomState(seed)  # its stream is frozen for good
    for _ in range(repeats):
        yield np.bincount(random.randint(0, n, n), minlength=n).astype(np.int64)


def percentile_interval(value: float, spread: NDArray[np.float64], confidence: float = 0.95) -> Estimate:
    """``value`` between the outer quantiles of its resamples, but for those that are NaN (nothing to find).

    Args:
        value: From all images.
        spread: float64 (repeats,), from each resample.
        confidence: Of the interval, 0..1.
    """
    known, tail = spread[~np.isnan(spread)], (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail]) if known.size else (value, value)
    return Estimate(value, float(low), float(high))
