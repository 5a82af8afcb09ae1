"""The harness on known distributions: a few repetitions here, forty in the slow tier (scripts/check_harness.py)."""

from __future__ import annotations

import pytest

from edgevision.benchmarks import selftest
from edgevision.benchmarks.protocol import Protocol
from edgevision.benchmarks.report.findings import intervals_ms
from edgevision.benchmarks.report.validity import doubts, drift
from edgevision.benchmarks.report.verdicts import verdict
from edgevision.benchmarks.selftest import Clock, Subject, simulate
from edgevision.benchmarks.worker import Worker

#: 200 runs in 4 processes: enough for p50 and p90, in milliseconds of real time.
SMALL = Protocol(runs=200, min_s=1.0, processes=4, rounds=5, warm_s=0.1)


def test_a_few_repetitions_hold_the_limits() -> None:
    found = selftest.score(8, SMALL, seed=3)
    assert min(found.p50, found.p90, found.faster) >= 7
    assert (found.different, found.near, found.p99_of_50) == (0, 0, 0)


def test_a_drift_is_flagged() -> None:
    plan = Protocol(min_s=4.0, warm_s=0.2)
    (drifting,) = simulate([Subject("a", drift=0.1)], plan, 0)
    (steady,) = simulate([Subject("a")], plan, 0)
    found = drift(drifting)
    assert found is not None and 0.05 <= found <= 0.25
    assert drift(steady) is None


def test_blocks_know_their_process_and_their_moment() -> None:
    (run,) = simulate([Subject("a")], SMALL, 0)
    assert run.block_processes == tuple(i for i in range(4) for _ in range(5))
    assert run.block_starts_s[0] == 0 and (run.block_starts_s[1:] > run.block_starts_s[:-1]).all()
    assert run.runs == 20 * run.block >= 200 and len(run.processes) == 4


def test_processes_that_differ_widen_the_interval() -> None:
    like, unlike = simulate([Subject("a", process=0.0, run=0.02), Subject("b", process=0.1, run=0.02)], SMALL, 1)
    narrow, wide = (intervals_ms(run)["p50"] for run in (like, unlike))
    assert wide.high / wide.low > 1 + 2 * (narrow.high / narrow.low - 1)


def test_what_was_not_measured_together_is_not_paired() -> None:
    subjects = [Subject("a", run=0.02), Subject("b", run=0.02, median_ms=5.5)]
    run, other = simulate(subjects, SMALL, 5)
    paired, apart = verdict(run, other).ratio, verdict(run, other, together=False).ratio
    assert paired is not None and apart is not None and paired.value == apart.value and paired[1:] != apart[1:]
    assert verdict(run, run).same and verdict(run, run).ratio == (1, 1, 1)
    assert verdict(run, run, together=False).word == "indistinguishable"


def test_what_does_not_settle_is_flagged() -> None:
    (steady,) = simulate([Subject("a")], SMALL, 2)
    (slowing,) = simulate([Subject("a", drift=1000.0)], SMALL, 2)
    assert steady.settled and not slowing.settled
    assert "latency had not settled after the warm-up in " in " ".join(doubts(slowing))


@pytest.mark.parametrize(("growth", "settled", "runs"), [(1.001, True, 10), (1.01, False, 45)])
def test_windows_of_the_warm_up_have_to_agree_within_two_percent(
    monkeypatch: pytest.MonkeyPatch, growth: float, settled: bool, runs: int
) -> None:
    clock = Clock()
    worker = Worker(clock)

    def run(index: int) -> tuple[int, int, int, int]:
        lasted = int(1e8 * growth**index)
        clock.now_ns += lasted
        return 0, 0, lasted, 0

    monkeypatch.setattr(worker, "_run", run)
    found = worker.warm_up(10, 1.0)
    assert found["settled"] is settled and runs <= found["runs"] <= runs + 5  # 5 s are over after 41
    assert found["runs"] >= 10 and clock.now_ns >= 1e9


def test_the_harness_adds_next_to_nothing_to_a_call() -> None:
    cost = selftest.overhead(rounds=60)
    assert max(cost.stated_us, cost.spent_us) <= 3


@pytest.mark.slow
def test_forty_repetitions_hold_the_limits() -> None:
    found = selftest.score(40)
    assert found.passed, found
