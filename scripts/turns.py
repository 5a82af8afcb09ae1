"""Callables that take turns, so that what else the machine does meets all of them alike; used by the comparisons."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgevision.benchmarks.statistics import ratio_interval

ROUNDS, BLOCK_S, WARM_S = 31, 0.04, 0.02
OURS, BARE = "edgevision, predictor", "edgevision, bare engine"


@dataclass
class Lane:
    """Who takes turns: a call and the seconds of one, per round; ``problem`` says why it can take none."""

    format: str
    name: str
    call: Callable[[], object]
    size: int = 0
    problem: str = ""
    seconds: list[float] = field(default_factory=list)


def take_turns(lanes: Sequence[Lane], rounds: int = ROUNDS) -> None:
    for turn in range(rounds):
        for place in range(len(lanes)):
            lane = lanes[(place + turn) % len(lanes)]
            block(lane.call, WARM_S)
            lane.seconds.append(block(lane.call, BLOCK_S))


def block(call: Callable[[], object], seconds: float) -> float:
    """Seconds of one call, over a block of so many seconds."""
    start, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - start < seconds:
        call()
        count += 1
    return (time.perf_counter() - start) / count


def row(lane: Lane, lanes: Sequence[Lane]) -> list[str]:
    """A lane beside our file in the bare engine, as cells of ``table``."""
    if lane.problem:
        return [lane.format, lane.name, "failed", lane.problem, ""]
    base = next(each for each in lanes if each.format == lane.format and each.name == BARE)
    ratio = ratio_interval(np.array(lane.seconds), np.array(base.seconds))
    beside = "" if ratio is None else f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
    return [lane.format, lane.name, f"{statistics.median(lane.seconds) * 1e3:.3f}", beside, f"{lane.size / 1e3:.0f}"]


def table(title: str, rows: Sequence[Sequence[str]], note: str = "") -> str:
    """Markdown."""
    lines = [f"## {title}", "", *([note, ""] if note else [])]
    lines += ["| format | who | median, ms | times our file in the bare engine | kB |", "|---|---|--:|--:|--:|"]
    return "\n".join([*lines, *("| " + " | ".join(cells) + " |" for cells in rows), ""])
