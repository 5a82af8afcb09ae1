"""Geometry of the report's pictures. Positions along the picture's width are percent, so that they fit any screen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.findings import latency, median_ms, ranked, stage_medians_ms
from edgevision.benchmarks.report.model import STAGES, Report

#: Left and right end of the plotting area, percent of the width.
LEFT, RIGHT = 8.0, 96.0
#: Bars end here at the latest, percent: the rest is for their numbers.
_BAR = 76.0
#: Bins of a histogram.
_BINS = 64


@dataclass(frozen=True)
class Axis:
    """Values to 0..1, logarithmically when they span more than a factor of three.

    Attributes:
        low: Value at 0.
        high: Value at 1.
        log: Whether equal ratios have equal lengths.
    """

    low: float
    high: float
    log: bool

    @classmethod
    def around(cls, low: float, high: float) -> Axis:
        """An axis for positive values, with a little room on both sides."""
        log = high > 3 * low
        if log:
            return cls(low / 1.15, high * 1.15, True)
        room = 0.08 * (high - low) or 0.1 * high
        return cls(max(low - room, 0.0), high + room, False)

    def at(self, value: float) -> float:
        """Position of a value, 0..1 inside the axis."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round values inside the axis: 1, 2, 5 and their decades, or equal steps."""
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            values = [digit * 10.0**power for power in decades for digit in (1, 2, 5)]
        else:
            step = _step(self.high - self.low)
            values = [step * i for i in range(math.floor(self.low / step), math.ceil(self.high / step) + 1)]
        return [value for value in values if self.low <= value <= self.high]


def _step(width: float) -> float:
    rough = width / 5
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * digit for digit in (1, 2, 2.5, 5, 10) if power * digit >= rough)


def across(share: float) -> float:
    """Percent of the width at which a share 0..1 of the plotting area lies."""
    return round(LEFT + (RIGHT - LEFT) * share, 3)


def ticks_across(axis: Axis) -> list[dict[str, Any]]:
    """Ticks along the width: {"x": percent, "text": the value}."""
    return [{"x": across(axis.at(value)), "text": f"{value:g}"} for value in axis.ticks()]


def stage_picture(report: Report) -> list[dict[str, Any]]:
    """Bars of stage medians, one per artifact and one for the harness without an engine."""
    runs = [*ranked(report), *([report.overhead] if report.overhead else [])]
    longest = max(sum(stage_medians_ms(run).values()) for run in runs) or 1.0
    rows = []
    for run in runs:
        x, segments = 0.0, []
        for stage in STAGES:
            value = stage_medians_ms(run)[stage]
            width = _BAR * value / longest
            segments.append({"stage": stage, "x": round(x, 3), "width": round(width, 3)})
            x += width
        texts = [f"{stage} {words.milliseconds(stage_medians_ms(run)[stage])}" for stage in STAGES]
        name = "no engine" if run is report.overhead else run.artifact
        total = words.milliseconds(median_ms(run))
        text = f"{name}, median {total}: {', '.join(texts)}"
        rows.append({"name": name, "segments": segments, "end": round(x, 3), "total": total, "text": text})
    return rows


def histogram(values: NDArray[np.float64], axis: Axis) -> list[dict[str, float]]:
    """Bars 40 pixels high at most along an axis: "x" and "width" in percent, "height"; what is beyond is left out."""
    edges = np.geomspace(axis.low, axis.high, _BINS + 1) if axis.log else np.linspace(axis.low, axis.high, _BINS + 1)
    counts, _ = np.histogram(values, edges)
    return [
        {"x": across(i / _BINS), "width": round((RIGHT - LEFT) / _BINS, 3), "height": round(40 * share, 2)}
        for i, share in enumerate(counts / max(1, counts.max()))
        if share > 0
    ]


def distribution_picture(report: Report) -> dict[str, Any]:
    """A histogram of the runs per artifact, all on one axis; the slowest one in twenty runs may lie beyond it."""
    runs = ranked(report)
    low = min(float(run.total_ms.min()) for run in runs)
    high = max(float(np.quantile(run.total_ms, 0.95)) for run in runs)
    axis = Axis.around(low, high)
    rows = []
    for run in runs:
        beyond = int((run.total_ms > axis.high).sum())
        marks = {name: across(axis.at(value)) for name, value in latency(run).items() if value < axis.high}
        supported = ", ".join(f"{name} {words.milliseconds(value)}" for name, value in latency(run).items())
        rows.append(
            {
                "name": run.artifact,
                "format": run.format,
                "bars": histogram(run.total_ms, axis),
                "marks": marks,
                "text": f"{run.runs} runs, {supported or 'too few for percentiles'}"
                + (f"; {beyond} beyond the picture" if beyond else ""),
                "longest": words.milliseconds(float(run.total_ms.max())),
            }
        )
    return {"rows": rows, "ticks": ticks_across(axis), "log": axis.log}
