"""Geometry of the report's curves: figures of training and validation over the epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgevision.benchmarks.report.charts import Axis

if TYPE_CHECKING:
    from edgevision.trainers.history import Epoch

#: The drawing area in its own units; it is stretched to the page.
WIDTH, HEIGHT = 1000.0, 100.0
#: Figures that have a name of their own.
_NAMES = {"ap": "AP", "ap50": "AP50", "f1": "F1", "miou": "mIoU", "eer": "EER"}
#: Numbers below a picture, at most.
_NUMBERS = 6


def curve_pictures(epochs: Sequence[Epoch], metric: str, best: int) -> list[dict[str, Any]]:
    """A picture per figure: the loss, what chose the best epoch, the others, the learning rate."""
    names = dict.fromkeys(name.removeprefix("val_") for epoch in epochs for name in epoch.figures)
    order = [*(name for name in ("loss", metric) if name in names), *names]
    found = []
    for name in dict.fromkeys(order):
        lines = {
            "training": [epoch.figures.get(name, math.nan) for epoch in epochs],
            "validation": [epoch.figures.get(f"val_{name}", math.nan) for epoch in epochs],
        }
        found.append(_picture(name, lines, best))
    return [*found, _picture("learning rate", {"training": [epoch.learning_rate for epoch in epochs]}, best)]


def called(name: str) -> str:
    """A figure's name as people write it."""
    return _NAMES.get(name, name.replace("_", " "))


def _picture(name: str, lines: dict[str, list[float]], best: int) -> dict[str, Any]:
    known = {kind: values for kind, values in lines.items() if any(map(math.isfinite, values))}
    every = [value for values in known.values() for value in values if math.isfinite(value)] or [0.0]
    axis, count = _axis(min(every), max(every)), len(next(iter(lines.values())))
    drawn = [_line(kind, values, axis, best) for kind, values in known.items()]
    return {
        "name": name,
        "title": called(name) if name in _NAMES else called(name).capitalize(),
        "lines": drawn,
        "best": 100 * _across(best, count) / WIDTH,
        "y_ticks": [{"y": _down(axis, value), "text": f"{value:.4g}"} for value in axis.ticks()],
        "x_ticks": [{"x": 100 * _across(number, count) / WIDTH, "text": str(number)} for number in _numbers(count)],
        "text": f"{name} over {count} epochs. " + " ".join(line["text"] for line in drawn),
    }


def _line(kind: str, values: list[float], axis: Axis, best: int) -> dict[str, Any]:
    places = [
        (_across(number, len(values)), _down(axis, value))
        for number, value in enumerate(values, 1)
        if math.isfinite(value)
    ]
    at_best = values[best - 1]
    text = f"{kind.capitalize()}: first {values[0]:.4g}, in epoch {best} {at_best:.4g}, last {values[-1]:.4g}."
    dot = {"x": 100 * _across(best, len(values)) / WIDTH, "y": _down(axis, at_best)} if math.isfinite(at_best) else None
    return {"kind": kind, "points": " ".join(f"{x:.1f},{y:.2f}" for x, y in places), "dot": dot, "text": text}


def _axis(low: float, high: float) -> Axis:
    room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return Axis(low - room, high + room, False)


def _across(number: int, count: int) -> float:
    return WIDTH * (number - 0.5) / count


def _down(axis: Axis, value: float) -> float:
    return round(HEIGHT * (1 - axis.at(value)), 2)


def _numbers(count: int) -> list[int]:
    """Epochs that are named: the first, then every so many."""
    step = max(1, math.ceil(count / _NUMBERS))
    return [number for number in range(1, count + 1) if (number - 1) % step == 0]
