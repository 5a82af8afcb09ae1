"""What raw times of a scenario say, as numbers: for tables, sentences and pictures alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.statistics import Estimate, median_interval

#: The first so many seconds are a burst (a third of what is shorter); what lasts is the last third.
BURST_S = 10.0
#: Sustained calls this much slower than the burst are called slower.
SLOWER = 1.05
#: What a process does until its first result, as ``child`` times it; what is left is Python starting.
PHASES = ("import", "load", "first")

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Throughput:
    """Lists of one length, or one number of calling threads.

    Attributes:
        artifact: Its name.
        count: Images a list, or threads.
        per_second: Images a second.
        times_ms: How long each list, or each call, took, (n,).
    """

    artifact: str
    count: int
    per_second: float
    times_ms: Floats


@dataclass(frozen=True, eq=False)
class Pace:
    """A camera's frames.

    Attributes:
        artifact: Its name.
        period_ms: From one frame to the next.
        ages_ms: From when each frame that was taken was due until its result, (n,).
        dropped: Frames that a newer one had replaced.
    """

    artifact: str
    period_ms: float
    ages_ms: Floats
    dropped: int

    @property
    def frames(self) -> int:
        """How many were due."""
        return self.ages_ms.size + self.dropped

    @property
    def late(self) -> int:
        """How many results came after the next frame."""
        return int((self.ages_ms > self.period_ms).sum())

    @property
    def in_time(self) -> float:
        """Share of the frames whose result came before the next one, 0..1."""
        return (self.frames - self.late - self.dropped) / self.frames


@dataclass(frozen=True, eq=False)
class Endurance:
    """Minutes on end.

    Attributes:
        artifact: Its name.
        calls_ms: Every call, (n,).
        ends_s: When each ended, (n,).
        heat: (seconds, degrees Celsius) as far as the machine tells, (k, 2).
        clock: (seconds, MHz) of its fastest processor, as far as it tells, (k, 2).
        throttled: Names of the throttle bits seen on the way.
    """

    artifact: str
    calls_ms: Floats
    ends_s: Floats
    heat: Floats
    clock: Floats
    throttled: tuple[str, ...]

    @property
    def burst_s(self) -> float:
        """Until when the burst lasts."""
        return min(BURST_S, float(self.ends_s[-1]) / 3)

    @property
    def lasting_s(self) -> float:
        """From when on what is measured is what lasts."""
        return float(self.ends_s[-1]) * 2 / 3

    @property
    def burst_ms(self) -> float | None:
        """Median of the burst; None where no call ended in it."""
        calls = self.calls_ms[self.ends_s <= self.burst_s]
        return float(np.median(calls)) if calls.size else None

    @property
    def lasting_ms(self) -> float:
        """Median of what lasts; the last call is always part of it."""
        return float(np.median(self.calls_ms[self.ends_s >= self.lasting_s]))

    @property
    def ratio(self) -> float:
        """What lasts as a multiple of the burst; 1 where there was none."""
        return self.lasting_ms / self.burst_ms if self.burst_ms else 1.0


@dataclass(frozen=True, eq=False)
class Start:
    """From the start of a process to its first result.

    Attributes:
        artifact: Its name.
        total_ms: Each process, (n,).
        phases_ms: Of ``PHASES``, each (n,).
    """

    artifact: str
    total_ms: Floats
    phases_ms: Mapping[str, Floats]

    @property
    def median_ms(self) -> float:
        """Median of the processes."""
        return float(np.median(self.total_ms))

    @property
    def interval(self) -> Estimate | None:
        """Of the median, 95 %; None of too few processes."""
        return median_interval(self.total_ms)

    @property
    def parts_ms(self) -> dict[str, float]:
        """Medians of the phases, the rest ("Python") first. They add up to the median only nearly."""
        known = {name: float(np.median(values)) for name, values in self.phases_ms.items()}
        rest = float(np.median(self.total_ms - np.sum(list(self.phases_ms.values()), axis=0)))
        return {"Python": max(0.0, rest), **known}


Finding = Throughput | Pace | Endurance | Start


def offline(artifact: str, found: Sequence[Mapping[str, Any]]) -> list[Throughput]:
    """One per length of list, of what ``play.offline`` returned."""
    rows = [(part["size"], _ms(part["lists_ns"])) for part in found]
    return [Throughput(artifact, size, 1e3 * size * taken.size / float(taken.sum()), taken) for size, taken in rows]


def concurrency(artifact: str, found: Sequence[Mapping[str, Any]]) -> list[Throughput]:
    """One per number of threads, of what ``play.concurrency`` returned."""
    rows = [(part["threads"], part["wall_ns"], _ms(part["calls_ns"])) for part in found]
    return [Throughput(artifact, threads, 1e9 * calls.size / wall, calls) for threads, wall, calls in rows]


def rate(artifact: str, found: Mapping[str, Any]) -> Pace:
    """Of what ``play.fixed_rate`` returned."""
    return Pace(artifact, found["period_ns"] / 1e6, _ms(found["ages_ns"]), int(found["dropped"]))


def sustained(artifact: str, found: Mapping[str, Any]) -> Endurance:
    """Of what ``play.sustained`` returned."""
    states = found["states"]
    bits = {name for state in states for name in (state.get("throttled") or {}).get("now", ())}
    heat, clock = (_told(states, key) for key in ("temperature_c", "mhz"))
    ends = np.asarray(found["ends_ns"], np.float64) / 1e9
    return Endurance(artifact, _ms(found["calls_ns"]), ends, heat, clock, tuple(sorted(bits)))


def cold_start(artifact: str, replies: Sequence[Mapping[str, Any]]) -> Start:
    """Of one reply per process, see ``run``."""
    phases = {name: _ms([reply["phases"][f"{name}_ns"] for reply in replies]) for name in PHASES}
    return Start(artifact, _ms([reply["start_ns"] for reply in replies]), phases)


def _told(states: Sequence[Mapping[str, Any]], key: str) -> Floats:
    known = [(state["at_ns"] / 1e9, state[key]) for state in states if state.get(key) is not None]
    return np.asarray(known, np.float64).reshape(-1, 2)


def _ms(nanoseconds: Any) -> Floats:
    return np.asarray(nanoseconds, np.float64) / 1e6
