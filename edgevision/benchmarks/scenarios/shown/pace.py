"""Frames at a fixed rate: in time, late or dropped, and how old each result is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.charts import Axis, across, histogram, ticks_across
from edgevision.benchmarks.scenarios.findings import Pace, rate
from edgevision.benchmarks.scenarios.shown.shown import Row, Shown, Tile, spread, stacked, tile

#: Bars of all frames end here, percent: the rest is for the share in time.
_BAR = 78.0


class PaceShown(Shown[Pace]):
    """A camera's frames."""

    title = "Frames at a fixed rate"
    options: Mapping[str, str] = {"frames a second": "rate", "seconds": "seconds"}
    template = "pace.html.j2"
    lead = (
        "A frame is in time when its result is there before the next frame. Who is late takes the newest frame; those "
        "in between are dropped. The age is from when a frame was due until its result."
    )
    method = (
        "One process per artifact. Frames are due at a fixed rate whatever the predictor does, as a camera's are; the "
        "newest one is taken, as stream(latest=True) does."
    )

    def find(self, artifact: str, replies: Sequence[Mapping[str, Any]]) -> list[Pace]:
        """One per artifact."""
        return [rate(artifact, replies[-1]["found"])]

    def rows(self, found: Sequence[Pace]) -> list[Row]:
        """A row per artifact."""
        return [
            {
                "artifact": each.artifact,
                "frames": str(each.frames),
                "in time": words.percent(each.in_time),
                "late": str(each.late),
                "dropped": str(each.dropped),
                **spread(each.ages_ms, "age "),
            }
            for each in found
        ]

    def headline(self, found: Sequence[Pace]) -> str:
        """Who keeps up, and how far the last is from it."""
        best, worst = _best(found), _worst(found)
        names = words.listed([each.artifact for each in found if each.in_time == best.in_time])
        pace = f"At {1e3 / best.period_ms:g} frames a second"
        told = f"{pace} {names} {'is' if ' and ' not in names else 'are'} in time for {words.percent(best.in_time)}"
        if worst.in_time == best.in_time:
            return f"{told} of the frames."
        return f"{told} of the frames, {worst.artifact} for {words.percent(worst.in_time)}."

    def tiles(self, found: Sequence[Pace]) -> list[Tile]:
        """Frames in time, age of the results, what the last missed."""
        best, worst = _best(found), _worst(found)
        known = spread(best.ages_ms)
        missed = f"{worst.late} late and {worst.dropped} dropped of {words.count(worst.frames, 'frame')}."
        return [
            tile("Most frames in time", words.percent(best.in_time), f"{best.artifact}, of {best.frames}."),
            tile(
                "Age of its results", known["p50"], f"Median of {best.artifact}; a frame has {best.period_ms:.1f} ms."
            ),
            tile("Fewest frames in time", words.percent(worst.in_time), f"{worst.artifact}: {missed}"),
        ]

    def picture(self, found: Sequence[Pace]) -> dict[str, Any]:
        """A bar of all frames per artifact, and a histogram of the ages, all on one axis with the frame's own time."""
        period = found[0].period_ms
        ages = [each.ages_ms for each in found]
        axis = Axis.around(
            min(period, *(float(each.min()) for each in ages)),
            max(period, *(float(np.quantile(each, 0.99)) for each in ages)),
        )
        return {
            "rows": [_row(each, axis) for each in found],
            "period": across(axis.at(period)),
            "period_text": f"{period:.1f} ms",
            "ticks": ticks_across(axis),
            "log": axis.log,
        }


def _row(each: Pace, axis: Axis) -> dict[str, Any]:
    counts = {"intime": each.frames - each.late - each.dropped, "late": each.late, "dropped": each.dropped}
    segments, _ = stacked(counts, _BAR, each.frames)
    known = spread(each.ages_ms)
    oldest = words.milliseconds(float(each.ages_ms.max()))
    told = [f"age {name} {value}, " for name, value in known.items() if value != words.DASH]
    return {
        "name": each.artifact,
        "segments": [segment for segment in segments if segment["width"]],
        "end": _BAR,
        "shown": f"{words.percent(each.in_time)} in time",
        "text": f"{each.artifact}: {counts['intime']} in time, {each.late} late, {each.dropped} dropped",
        "bars": histogram(each.ages_ms, axis),
        "ages": f"{''.join(told)}oldest {oldest}",
    }


def _best(found: Sequence[Pace]) -> Pace:
    return max(found, key=lambda each: (each.in_time, -float(np.median(each.ages_ms))))


def _worst(found: Sequence[Pace]) -> Pace:
    return min(found, key=lambda each: (each.in_time, -float(np.median(each.ages_ms))))
