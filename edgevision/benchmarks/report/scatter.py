"""Accuracy against latency, with the artifacts that no other beats in both."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.charts import Axis, across, ticks_across
from edgevision.benchmarks.report.findings import Quality, fastest, median_ms, qualities, ranked
from edgevision.benchmarks.report.model import Measured, Report

#: Height of the plotting area, pixels, and where it begins.
_TOP, _HEIGHT = 24.0, 240.0

Point = dict[str, Any]


def accuracy_picture(report: Report) -> dict[str, Any] | None:
    """One point per artifact; None when no accuracy is known."""
    known = {name: each for name, each in qualities(report).items() if each.top1 is not None}
    runs = [run for run in ranked(report) if run.artifact in known]
    if not runs:
        return None
    x = Axis.around(min(map(median_ms, runs)), max(map(median_ms, runs)))
    shares = [share for run in runs for share in (known[run.artifact].interval or (known[run.artifact].top1 or 0.0,))]
    y = _percent_axis(100 * min(shares), 100 * max(shares))

    def down(share: float) -> float:
        return round(_TOP + _HEIGHT * (1 - y.at(100 * share)), 2)

    points = [_point(run, known[run.artifact], across(x.at(median_ms(run))), down) for run in runs]
    front = pareto_front(points)
    names = ", ".join(point["name"] for point in front)
    said = "; ".join(point["text"] for point in points)
    return {
        "points": points,
        "best": fastest(report).name,
        "front": _steps(front),
        "front_names": names,
        "x_ticks": ticks_across(x),
        "y_ticks": [{"y": down(value / 100), "text": f"{value:g} %"} for value in y.ticks()],
        "log": x.log,
        "bottom": _TOP + _HEIGHT,
        "description": f"Accuracy against median latency. {said}. Pareto front: {names or 'none'}.",
    }


def _point(run: Measured, quality: Quality, x: float, down: Callable[[float], float]) -> Point:
    top1 = quality.top1 or 0.0
    low, high = quality.interval or (top1, top1)
    return {
        "x": x,
        "y": down(top1),
        "low": down(low),
        "high": down(high),
        "format": run.format,
        "precision": run.precision,
        "name": run.artifact,
        "passed": run.passed,
        "text": f"{run.artifact}: {words.accuracy(quality)}, {words.milliseconds(median_ms(run))}",
    }


def pareto_front(points: list[Point]) -> list[Point]:
    """The points that no other beats in latency and accuracy both, the quickest first. What failed its checks is out.

    Args:
        points: With "x" (latency), "y" (pixels downwards: less is more accurate), "passed".
    """
    front: list[Point] = []
    for point in sorted((each for each in points if each["passed"]), key=lambda each: (each["x"], each["y"])):
        if not front or point["y"] < front[-1]["y"]:
            front.append(point)
    return front


def _steps(front: list[Point]) -> list[dict[str, float]]:
    """Lines of a staircase: what lies to the right of it or below is beaten by a point on it."""
    lines = []
    for here, after in itertools.pairwise(front):
        lines.append({"x1": here["x"], "x2": after["x"], "y1": here["y"], "y2": here["y"]})
        lines.append({"x1": after["x"], "x2": after["x"], "y1": here["y"], "y2": after["y"]})
    return lines


def _percent_axis(low: float, high: float) -> Axis:
    room = max(0.5, 0.1 * (high - low))
    return Axis(max(0.0, low - room), min(100.0, high + room), False)
