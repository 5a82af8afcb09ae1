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


def percentile_interval(value: float, spread: NDArray[np.float64]) -> Estimate:
    """``value`` between the 2.5 % and 97.5 % quantiles of its resamples, but for those that are NaN (nothing to find).

    Args:
        value: From all images.
        spread: float64 (repeats,), from each resample.
    """
    known = spread[~np.isnan(spread)]
    low, high = np.quantile(known, [0.025, 0.975]) if known.size else (value, value)
    return Estimate(value, float(low), float(high))
