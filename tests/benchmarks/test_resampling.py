"""The bootstrap over processes and blocks, against a slow one and against its own claims."""

from __future__ import annotations

import numpy as np
import pytest

from edgevision.benchmarks import resampling
from edgevision.benchmarks.resampling import interval, resampled


def test_replicates_are_quantiles_of_the_blocks_drawn() -> None:
    blocks = np.random.default_rng(0).lognormal(size=(12, 7))
    processes = [0] * 4 + [1] * 4 + [2] * 4
    found = resampled(blocks, processes, (0.5, 0.9), seed=4)
    weights = resampling._weights(np.array(processes), 4)
    assert (weights.sum(axis=1) == 12).all()
    for row in range(0, len(weights), 97):
        drawn = np.sort(np.repeat(blocks, weights[row].astype(int), axis=0).ravel())
        for p in (0.5, 0.9):
            assert found[p][row] == np.quantile(drawn, p, method="inverted_cdf")


def test_whole_processes_are_drawn() -> None:
    weights = resampling._weights(np.repeat([0, 1, 2, 3, 4], 10), 0)
    per_process = weights.reshape(len(weights), 5, 10).sum(axis=2)
    assert (per_process % 10 == 0).all() and per_process.std(axis=0).min() > 5


def test_many_runs_are_looked_up_to_a_thousandth() -> None:
    blocks = np.random.default_rng(0).lognormal(size=(20, 2000))
    ordered = np.sort(blocks, axis=None)
    middle = float(np.median(resampled(blocks, [0] * 20, (0.9,))[0.9]))
    assert abs(np.searchsorted(ordered, middle) / ordered.size - 0.9) < 1e-3


def test_few_processes_make_an_interval_wider_than_their_bootstrap() -> None:
    replicates = np.exp(np.random.default_rng(0).normal(0, 0.01, 1000))
    low, high = np.quantile(replicates, [0.025, 0.975])
    five, fifty = (interval(1.0, replicates, np.repeat(range(count), 10).tolist()) for count in (5, 50))
    assert five is not None and fifty is not None
    # Student's 2.776 over 1.960, and the root of 5 / 4.
    assert np.log(five.high) / np.log(high) == pytest.approx(2.776 / 1.960 * 1.25**0.5, rel=1e-3)
    assert np.log(fifty.low) / np.log(low) == pytest.approx(1.0356, rel=1e-3)


def test_what_proves_nothing_has_no_interval() -> None:
    replicates = np.ones(1000)
    assert interval(1.0, replicates, [0] * 5) is None
    assert interval(1.0, replicates, [0] * 6) == (1, 1, 1)
    assert interval(0.0, replicates, [0] * 6) is None
