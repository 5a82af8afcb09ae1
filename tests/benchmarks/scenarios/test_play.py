"""The scenarios against a made-up clock."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from edgevision.benchmarks.scenarios import play


class Time:
    """A clock that only calls and sleeping move, nanoseconds."""

    def __init__(self, costs: list[int]) -> None:
        self.now, self.costs, self.seen = 0, costs, []  # type: int, list[int], list[Any]

    def call(self, sample: Any) -> None:
        self.now += self.costs[len(self.seen) % len(self.costs)]
        self.seen.append(sample)

    def sleep(self, span: int) -> None:
        assert span > 0
        self.now += span

    def clock(self) -> int:
        return self.now


def test_offline_counts_whole_lists() -> None:
    time_ = Time([7])
    found = play.offline(lambda batch: list(map(time_.call, batch)), "abc", (1, 4), 70, time_.clock)
    assert found == [{"size": 1, "lists_ns": [7] * 10}, {"size": 4, "lists_ns": [28] * 3}]
    assert "".join(time_.seen[10:]) == "abcabcabcabc"


def test_a_pace_that_is_kept() -> None:
    time_ = Time([4])
    found = play.fixed_rate(time_.call, "ab", 10, 100, time_.clock, time_.sleep)
    assert found == {"period_ns": 10, "ages_ns": [4] * 10, "dropped": 0}
    assert "".join(time_.seen) == "ab" * 5


def test_who_is_late_takes_the_newest_frame() -> None:
    time_ = Time([25])  # frames 0, 2, 5, 7: those before were replaced while it computed
    found = play.fixed_rate(time_.call, range(10), 10, 100, time_.clock, time_.sleep)
    assert time_.seen == [0, 2, 5, 7]
    assert found["ages_ns"] == [25, 30, 25, 30] and found["dropped"] == 6


def test_every_frame_is_counted_once() -> None:
    for cost in range(1, 60):
        time_ = Time([cost])
        found = play.fixed_rate(time_.call, "a", 10, 1000, time_.clock, time_.sleep)
        assert len(found["ages_ns"]) + found["dropped"] == 100


def test_sustained_looks_at_the_machine_between_calls() -> None:
    time_ = Time([play.STRETCH_NS // 4])
    looks: list[int] = []

    def state() -> dict[str, Any]:
        looks.append(time_.now)
        time_.now += 1000  # looking takes time, which is no call's
        return {"temperature_c": 40.0 + len(looks)}

    found = play.sustained(time_.call, "a", 3 * play.STRETCH_NS, time_.clock, state)
    assert set(found["calls_ns"]) == {play.STRETCH_NS // 4} and len(found["calls_ns"]) == len(found["ends_ns"])
    assert [each["temperature_c"] for each in found["states"]] == [41.0, 42.0, 43.0]
    assert found["ends_ns"][-1] >= 3 * play.STRETCH_NS


def test_threads_call_at_the_same_time() -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def call(sample: Any) -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.002)
        with lock:
            inside -= 1

    found = play.concurrency(call, "abc", (1, 3), 30_000_000, time.perf_counter_ns)
    assert [part["threads"] for part in found] == [1, 3] and most == 3
    assert len(found[1]["calls_ns"]) > 1.5 * len(found[0]["calls_ns"])


def test_an_error_in_a_thread_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        play.concurrency(lambda sample: 1 // 0, "a", (2,), 1000, time.perf_counter_ns)
