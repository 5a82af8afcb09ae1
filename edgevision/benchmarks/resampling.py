"""Intervals of latencies, whose runs are not independent: a bootstrap over processes, then over blocks within them.

Runs of one block share a moment of the machine, blocks of one process share where its memory happens to lie. So what
is drawn again are whole processes, and of each drawn process whole blocks (Davison and Hinkley, Bootstrap Methods and
their Application, 1997, section 3.8); runs stay with their block. Five processes make a bootstrap interval too narrow:
it is widened by Student's quantile over the normal one and the root of n / (n - 1) (Hesterberg, What Teachers Should
Know about the Bootstrap, Am. Stat. 69, 2015: "narrowness bias"), on the scale of ratios because latencies are positive.
``selftest`` shows on known distributions how often these intervals hold the truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.statistics import Estimate, student_quantile

Floats = NDArray[np.float64]

#: How often everything is drawn again.
REPLICATES = 1000
#: Fewer blocks than this support no interval.
LEAST_BLOCKS = 6
#: Different values that quantiles are looked up among: of more runs every so-manieth.
_GRID = 2048


def resampled(blocks: Floats, processes: Sequence[int], ps: Sequence[float], seed: int = 0) -> dict[float, Floats]:
    """Quantiles of all runs together, in every replicate.

    Two series with the same ``processes`` and ``seed`` are drawn alike: replicate by replicate they hold the same
    moments of the machine, so that their ratio is a paired one.

    Args:
        blocks: (blocks, runs) values, block by block in the order they were measured.
        processes: (blocks,) which process each block belongs to.
        ps: Quantiles, 0..1.
        seed: Decides what is drawn.

    Returns:
        Quantile -> (replicates,) values of the unit of ``blocks``.
    """
    ordered = np.sort(blocks, axis=None)
    places = np.linspace(0, ordered.size - 1, min(ordered.size, _GRID)).astype(int)
    grid = np.unique(ordered[places])
    counts = np.zeros((len(blocks), grid.size), np.float32)
    rows = np.repeat(np.arange(len(blocks)), blocks.shape[1])
    np.add.at(counts, (rows, np.searchsorted(grid, blocks.ravel())), 1)
    below = _weights(np.asarray(processes), seed) @ np.cumsum(counts, axis=1)
    return {p: grid[np.argmax(below >= p * below[:, -1:], axis=1)] for p in ps}


def _weights(processes: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """How often each block is drawn, (replicates, blocks)."""
    random = np.random.default_rng(seed)
    names = np.unique(processes)
    drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=REPLICATES)
    weights = np.zeros((REPLICATES, processes.size), np.float32)
    for column, name in enumerate(names):
        own = np.flatnonzero(processes == name)
        weights[:, own] = random.multinomial(drawn[:, column] * own.size, np.full(own.size, 1 / own.size))
    return weights


def interval(value: float, replicates: Floats, processes: Sequence[int], confidence: float = 0.95) -> Estimate | None:
    """A positive value with its interval, widened for the few processes (for the blocks, where there is one process).

    Args:
        value: What was measured.
        replicates: The same in every replicate.
        processes: As ``resampled``.
        confidence: How often the interval is to hold the truth, 0..1.

    Returns:
        None with fewer than ``LEAST_BLOCKS`` blocks, or where a value is not positive.
    """
    names = len(set(processes))
    units = names if names > 1 else len(processes)
    if len(processes) < LEAST_BLOCKS or value <= 0 or replicates.min() <= 0:
        return None
    tail = (1 - confidence) / 2
    wider = math.sqrt(units / (units - 1)) * student_quantile(1 - tail, units - 1) / NormalDist().inv_cdf(1 - tail)
    low, high = (float(end) for end in np.quantile(replicates, [tail, 1 - tail]))
    return Estimate(value, min(value, value * (low / value) ** wider), max(value, value * (high / value) ** wider))
