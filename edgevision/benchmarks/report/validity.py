"""Whether a report's latencies can be believed: valid, degraded or invalid, and why. Computed when read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevision.benchmarks.environment import grown
from edgevision.benchmarks.report.model import Measured, Report
from edgevision.benchmarks.statistics import trend

#: Share of the usable processors that other programs took, or the hypervisor: above the first it is said, above the
#: second the latencies are not this machine's.
BUSY, TOO_BUSY = 0.05, 0.25
#: Share of the time in which a quota held the benchmark back, from which on it counts as throttled.
HELD_BACK = 0.01
#: Load average per usable processor before the start that counts as busy where nothing better is known.
LOAD = 0.5
#: An accelerator is to run every operator. XNNPACK leaves some to TFLite's built-in kernels, on the same processor, in
#: nearly every model: that is said only where it runs fewer of them than this.
MOSTLY = 0.5
#: Spread of the blocks' medians (p90 - p10 over median) above which a latency is called unstable.
UNSTABLE = 0.25
#: Change over the time of the benchmark, or of one process, that counts as a drift; and how many standard deviations of
#: Kendall's statistic keep chance out. A drift of 10 % is seen as one of 5 to 15 %.
DRIFT, CHANCE = 0.05, 3.0
#: Fewer blocks than this show no trend.
_BLOCKS = 10


@dataclass(frozen=True)
class Validity:
    """What to think of a report.

    Attributes:
        state: "valid", "degraded" (read the reasons) or "invalid" (measure again).
        reasons: Why, in sentences; empty when valid.
        artifacts: Artifact -> reasons of its own, without those of the machine.
    """

    state: str
    reasons: tuple[str, ...]
    artifacts: Mapping[str, tuple[str, ...]]


def validity(report: Report) -> Validity:
    """The state of the whole report: what is wrong with one artifact makes it degraded, a throttled machine invalid."""
    invalid = [*throttled(report.host, report.host_after, report.elapsed_s), *_too_busy(report)]
    own = {run.artifact: tuple(doubts(run)) for run in report.artifacts}
    lesser = [*_busy(report), *(f"{name}: {reason}." for name, reasons in own.items() for reason in reasons)]
    state = "invalid" if invalid else "degraded" if lesser else "valid"
    return Validity(state, (*invalid, *lesser), own)


def doubts(run: Measured) -> list[str]:
    """What is wrong with one artifact's latency."""
    found = []
    share, provider = run.engine.get("delegated"), str(run.engine.get("provider"))
    if share is not None and 0 < share < (MOSTLY if provider.startswith("CPU") else 1):
        found.append(f"{provider} runs {share:.0%} of the operators, the rest run elsewhere")
    if not run.settled:
        processes = len(run.processes)
        missed = sum(not each.settled for each in run.processes)
        which = f" in {missed} of {processes} processes" if processes > 1 else ""
        found.append(f"latency had not settled after the warm-up{which}")
    change = drift(run)
    if change is not None:
        found.append(f"latency drifted by {change:+.0%} while it was measured")
    if instability(run) > UNSTABLE:
        found.append(f"latency was unstable: the medians of the blocks spread by more than {UNSTABLE:.0%}")
    return found


def instability(run: Measured) -> float:
    """How far the blocks' medians spread: (p90 - p10) / median."""
    low, middle, high = np.quantile(run.round_medians_ms, [0.1, 0.5, 0.9])
    return float((high - low) / middle) if middle else 0.0


def drift(run: Measured) -> float | None:
    """Change of the latency over the benchmark, else over each process' time, as a share; None without one."""
    medians, starts = run.round_medians_ms, run.block_starts_s
    if len(medians) < _BLOCKS or medians.min() <= 0:
        return None
    found = [trend(medians, starts)]
    if len(run.processes) > 1:
        found.append(trend(medians, starts, run.block_processes))
    shown = (each.change for each in found if abs(each.change) >= DRIFT and abs(each.z) >= CHANCE)
    return next(shown, None)


def throttled(before: Mapping[str, Any], after: Mapping[str, Any], elapsed_s: float) -> list[str]:
    """What says that the machine was throttled between two of its states, in sentences."""
    found = []
    bits = sorted({name for state in (before, after) for name in _pi(state, "now")})
    bits += sorted(set(_pi(after, "since_boot")) - set(_pi(before, "since_boot")) - set(bits))
    if bits:
        found.append(f"The machine was throttled: {', '.join(bits)}.")
    if (grown(before, after, "throttle_count") or 0) > 0:
        found.append("The machine was throttled: processors grew too hot while it measured.")
    held = grown(before, after, "quota_throttled_s") or 0.0
    if elapsed_s and held > HELD_BACK * elapsed_s:
        found.append(f"The machine was throttled: a quota of processor time held programs back for {held:.1f} s.")
    return found


def _pi(state: Mapping[str, Any], key: str) -> list[str]:
    names: list[str] = (state.get("throttled") or {}).get(key, [])
    return names


def others(report: Report) -> float | None:
    """Share of the usable processors that other programs and the hypervisor took meanwhile; None where unknown."""
    busy = grown(report.host, report.host_after, "busy_s")
    if busy is None or not report.elapsed_s or busy < report.own_cpu_s / 2:  # a container may show zeros only
        return None
    stolen = grown(report.host, report.host_after, "stolen_s") or 0.0
    return max(0.0, busy - report.own_cpu_s + stolen) / report.elapsed_s / int(report.host.get("cpus") or 1)


def _too_busy(report: Report) -> list[str]:
    share = others(report)
    return [_taken(share)] if share is not None and share > TOO_BUSY else []


def _busy(report: Report) -> list[str]:
    share, cpus = others(report), report.host.get("cpus") or 1
    if share is not None:
        return [_taken(share)] if BUSY < share <= TOO_BUSY else []
    load = report.host.get("load_average")
    if load is None or load <= LOAD * cpus:
        return []
    return [
        f"The machine was busy: load average {load:.1f} on {cpus} usable cores when the benchmark began. Latencies "
        "may be too high; the artifacts took turns, so their order is less affected."
    ]


def _taken(share: float) -> str:
    return (
        f"The machine was busy: other programs took {share:.0%} of its processors meanwhile. Latencies are too high; "
        "the artifacts took turns, so their order is less affected."
    )
