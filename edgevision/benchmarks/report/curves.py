"""Latency over time: whether an artifact keeps its speed while the machine grows warm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.charts import Axis
from edgevision.benchmarks.report.findings import median_ms, ranked
from edgevision.benchmarks.report.model import Measured, Report

#: Points of a curve at most, and runs that one of them stands for at least.
_POINTS, _RUNS = 100, 10
#: Fewer points than this are no curve.
_FEWEST = 8
#: Share of the band's points that may lie beyond the picture at either end: a spike would make the rest flat.
_BEYOND = 0.05
#: Size of the drawing area in its own units; it is stretched to the page.
WIDTH, HEIGHT = 1000, 72

Floats = NDArray[np.float64]


def sustained_picture(report: Report) -> dict[str, Any] | None:
    """A curve per artifact, as multiples of its own median, all on one axis; None when there are too few runs.

    The line is the median of neighbouring runs, the band around it holds the middle half of them.
    """
    curves = {run.artifact: curve(run) for run in ranked(report)}
    known = {name: found for name, found in curves.items() if found is not None}
    if not known:
        return None
    low = min(min(found[1].min(), np.quantile(found[0], _BEYOND)) for found in known.values())
    high = max(max(found[1].max(), np.quantile(found[2], 1 - _BEYOND)) for found in known.values())
    axis = Axis.around(min(float(low), 0.92), max(float(high), 1.08))
    runs = {run.artifact: run for run in ranked(report)}
    return {
        "rows": [_row(runs[name], found, axis) for name, found in known.items()],
        "ticks": [{"y": down(axis, value), "text": f"{value:g}{words.TIMES}"} for value in axis.ticks()],
    }


def curve(run: Measured) -> Floats | None:
    """Quartiles of neighbouring runs over the run's own median, (3, points): p25, p50, p75; None of too few runs."""
    points = min(_POINTS, run.runs // _RUNS)
    if points < _FEWEST or median_ms(run) <= 0:
        return None
    parts = np.array_split(run.total_ms / median_ms(run), points)
    values: Floats = np.array([np.quantile(part, [0.25, 0.5, 0.75]) for part in parts]).T
    return values


def _row(run: Measured, values: Floats, axis: Axis) -> dict[str, Any]:
    across = np.linspace(0, WIDTH, values.shape[1])
    low, line, high = ([(x, down(axis, y)) for x, y in zip(across, row)] for row in values)
    tenth = max(1, run.runs // 10)
    first, last = float(np.median(run.total_ms[:tenth])), float(np.median(run.total_ms[-tenth:]))
    change = f"{words.points(100 * (last / first - 1))} %" if first else words.DASH
    return {
        "name": run.artifact,
        "format": run.format,
        "line": path(line),
        "band": f"{path(high)}L{path(low[::-1])[1:]}z",
        "text": f"first tenth {words.milliseconds(first)}, last tenth {words.milliseconds(last)} ({change})",
    }


def down(axis: Axis, value: float, height: float = HEIGHT) -> float:
    """Where a value lies below the upper edge; what is beyond the axis at its end."""
    return round(height * (1 - axis.at(min(max(value, axis.low), axis.high))), 1)


def path(points: Sequence[tuple[float, float]]) -> str:
    """An open line through points (x, y) as SVG."""
    return "M" + "L".join(f"{x:.0f} {y:g}" for x, y in points)
