"""Minutes on end: latency, heat and clock over time, the burst and what lasts apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.charts import Axis
from edgevision.benchmarks.report.curves import WIDTH, down, path
from edgevision.benchmarks.report.words import DASH, milliseconds
from edgevision.benchmarks.scenarios.findings import SLOWER, Endurance, Floats, sustained
from edgevision.benchmarks.scenarios.shown.shown import Row, Shown, Tile, tile, times

#: Heights of the drawing areas of latency, and of temperature and clock, pixels.
_HEIGHT, _LOW = 132, 44
#: Points of a curve at most, and calls that one of them stands for at least. Of fewer calls every one is drawn.
_POINTS, _CALLS, _FEW = 150, 10, 80
#: Share of the band's points that may lie beyond the picture at either end: a spike would make the rest flat.
_BEYOND = 0.05
#: Least range of the temperature's axis, degrees, and of the clock's, MHz: less would draw noise as mountains.
_DEGREES, _MHZ = 10.0, 400.0

_TILES = ("Sustained against burst", "Highest temperature", "Lowest clock")
_UNKNOWN = "not measured"

Point = tuple[float, float]


class EnduranceShown(Shown[Endurance]):
    """One call after the other."""

    title = "Sustained"
    options: Mapping[str, str] = {"seconds": "seconds"}
    template = "endurance.html.j2"
    lead = (
        "The burst is the first 10 s (a third of what is shorter), what lasts the last third. A board that grows hot "
        "lowers its clock, and only the last third says how fast it is then."
    )
    method = (
        "One process per artifact, one call after the other, each timed. The machine's state is read once a second "
        "between calls, which is in no call's time."
    )

    def find(self, artifact: str, replies: Sequence[Mapping[str, Any]]) -> list[Endurance]:
        """One per artifact."""
        return [sustained(artifact, replies[-1]["found"])]

    def rows(self, found: Sequence[Endurance]) -> list[Row]:
        """A row per artifact."""
        return [
            {
                "artifact": each.artifact,
                "seconds": f"{each.ends_s[-1]:.0f}",
                "calls": str(each.calls_ms.size),
                "burst p50": DASH if each.burst_ms is None else milliseconds(each.burst_ms),
                "sustained p50": milliseconds(each.lasting_ms),
                "sustained / burst": f"{each.ratio:.2f}" + (" slower" if each.ratio > SLOWER else ""),
                "degrees": _from_to(each.heat, np.max) or _UNKNOWN,
                "MHz": _from_to(each.clock, np.min) or _UNKNOWN,
            }
            for each in found
        ]

    def headline(self, found: Sequence[Endurance]) -> str:
        """Whether they keep their speed."""
        worst = max(found, key=lambda each: each.ratio)
        lasted = f"{min(each.ends_s[-1] for each in found):.0f} s"
        if worst.ratio <= SLOWER:
            who = (
                worst.artifact
                if len(found) == 1
                else "Both artifacts"
                if len(found) == 2
                else f"All {len(found)} artifacts"
            )
            return f"{who} {'keeps its' if len(found) == 1 else 'keep their'} speed for {lasted}."
        slower = [each for each in found if each.ratio > SLOWER]
        most = f"{worst.artifact} takes {times(worst.ratio)} as long in the end as in its first seconds"
        others = "" if len(found) == 1 else f"; {len(slower)} of {words.count(len(found), 'artifact')} grew slower"
        return f"{most}{others}."

    def tiles(self, found: Sequence[Endurance]) -> list[Tile]:
        """What lasts against the burst, heat, clock."""
        worst = max(found, key=lambda each: each.ratio)
        burst = DASH if worst.burst_ms is None else milliseconds(worst.burst_ms)
        unknown = "The machine does not tell."
        hot = max((each for each in found if each.heat.size), key=lambda each: each.heat[:, 1].max(), default=None)
        slow = min((each for each in found if each.clock.size), key=lambda each: each.clock[:, 1].min(), default=None)
        bits = sorted({name for each in found for name in each.throttled})
        seen = f" Throttled: {', '.join(bits)}." if bits else ""
        told = [f"{worst.artifact}: {milliseconds(worst.lasting_ms)} in the last third, {burst} in the burst."]
        told.append(unknown if hot is None else f"{hot.artifact}, from {hot.heat[0, 1]:.0f} °C.{seen}")
        told.append(unknown if slow is None else f"Of the fastest processor, at most {slow.clock[:, 1].max():.0f} MHz.")
        values = [
            times(worst.ratio),
            _UNKNOWN if hot is None else f"{hot.heat[:, 1].max():.0f} °C",
            _UNKNOWN if slow is None else f"{slow.clock[:, 1].min():.0f} MHz",
        ]
        return [tile(*each) for each in zip(_TILES, values, told)]

    def picture(self, found: Sequence[Endurance]) -> dict[str, Any]:
        """Per artifact curves of latency, heat and clock; all on one axis of time."""
        end = max(float(each.ends_s[-1]) for each in found)
        time = Axis(0.0, end, False)
        ticks = [{"x": round(100 * time.at(value), 3), "text": f"{value:g}"} for value in time.ticks()]
        return {"rows": [_row(each, end) for each in found], "ticks": ticks, "width": WIDTH, "height": _HEIGHT}


def _row(each: Endurance, end: float) -> dict[str, Any]:
    at, low, middle, high = curve(each)
    axis = Axis.around(
        min(float(np.quantile(low, _BEYOND)), 0.92 * float(np.median(middle)), each.burst_ms or np.inf),
        max(float(np.quantile(high, 1 - _BEYOND)), 1.08 * float(np.median(middle)), each.lasting_ms),
    )

    def drawn(values: Floats) -> list[Point]:
        return [(WIDTH * x / end, down(axis, y, _HEIGHT)) for x, y in zip(at, values)]

    burst = DASH if each.burst_ms is None else milliseconds(each.burst_ms)
    text = f"burst {burst}, last third {milliseconds(each.lasting_ms)} ({times(each.ratio)})"
    heat, clock = (_from_to(each.heat, np.max), _from_to(each.clock, np.min))
    text += f"; {heat} °C" * bool(heat) + f"; {clock} MHz" * bool(clock)
    return {
        "name": each.artifact,
        "line": path(drawn(middle)),
        "band": f"{path(drawn(high))}L{path(drawn(low)[::-1])[1:]}z",
        "burst": {"x": 0.0, "width": _x(each.burst_s, end), "y": _level(axis, each.burst_ms)},
        "lasting": {
            "x": _x(each.lasting_s, end),
            "width": round(_x(float(each.ends_s[-1]), end) - _x(each.lasting_s, end), 1),
            "y": _level(axis, each.lasting_ms),
        },
        "ticks": [{"y": down(axis, value, _HEIGHT), "text": f"{value:g} ms"} for value in axis.ticks()],
        "strips": [
            *_strip("Temperature", "°C", each.heat, end, _DEGREES),
            *_strip("Clock", "MHz", each.clock, end, _MHZ),
        ],
        "text": text,
    }


def curve(each: Endurance) -> tuple[Floats, Floats, Floats, Floats]:
    """Neighbouring calls together: when, seconds, and their quartiles, milliseconds; (points,) each."""
    count = each.calls_ms.size
    points = count if count < _FEW else min(_POINTS, count // _CALLS)
    parts = np.array_split(each.calls_ms, points)
    at = np.array([part.mean() for part in np.array_split(each.ends_s, points)])
    quartiles = np.array([np.quantile(part, [0.25, 0.5, 0.75]) for part in parts]).T
    return at, quartiles[0], quartiles[1], quartiles[2]


def _strip(name: str, unit: str, values: Floats, end: float, least: float) -> list[dict[str, Any]]:
    """A low curve below; none where the machine does not tell."""
    if not values.size:
        return []
    low, high = float(values[:, 1].min()), float(values[:, 1].max())
    room = max(0.0, least - (high - low)) / 2 + 0.1 * least
    axis = Axis(low - room, high + room, False)
    shown = dict.fromkeys((low, high)) if high - low >= least / 2 else {high: None}
    return [
        {
            "name": name,
            "height": _LOW,
            "line": path([(WIDTH * x / end, down(axis, y, _LOW)) for x, y in values]),
            "ticks": [{"y": down(axis, value, _LOW), "text": f"{value:.0f} {unit}"} for value in shown],
            "text": f"{name}: {low:.0f} to {high:.0f} {unit}",
        }
    ]


def _from_to(values: Floats, extreme: Any) -> str:
    """From what it began with to the extreme; "" where the machine does not tell."""
    return f"{values[0, 1]:.0f} to {extreme(values[:, 1]):.0f}" if values.size else ""


def _x(seconds: float, end: float) -> float:
    return round(WIDTH * seconds / end, 1)


def _level(axis: Axis, value: float | None) -> float | None:
    return None if value is None else down(axis, value, _HEIGHT)
