"""Cold starts: from the start of a process to its first result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.charts import Axis, across, ticks_across
from edgevision.benchmarks.report.words import DASH, milliseconds
from edgevision.benchmarks.scenarios.findings import PHASES, Start, cold_start
from edgevision.benchmarks.scenarios.shown.shown import Row, Shown, Tile, stacked, tile, times, with_twins

#: Bars end here at the latest, percent: the rest is for their numbers.
_BAR = 76.0
#: What the phases are, as people read them.
_NAMES = {
    "Python": "Python's own start",
    "import": "import edgevision and numpy",
    "load": "load: engine and model",
    "first": "first prediction",
}


class StartShown(Shown[Start]):
    """Processes of their own, from nothing."""

    title = "Cold start"
    options: Mapping[str, str] = {}
    template = "start.html.j2"
    lead = (
        "Medians of all processes. Import is edgevision's runtime with numpy; load reads and checks the file, imports "
        "the engine and prepares the model. What is left is Python's own start."
    )
    method = (
        "Each process opens the model, predicts once and ends; they follow each other. Files are in the system's cache "
        "after the first. The interval of the median is by order statistics."
    )

    def find(self, artifact: str, replies: Sequence[Mapping[str, Any]]) -> list[Start]:
        """One per artifact."""
        return [cold_start(artifact, replies)]

    def rows(self, found: Sequence[Start]) -> list[Row]:
        """A row per artifact."""
        return [
            {
                "artifact": each.artifact,
                "process to result": milliseconds(each.median_ms),
                "95 % interval": DASH
                if each.interval is None
                else f"{milliseconds(each.interval.low)} to {milliseconds(each.interval.high)}",
                **{name: milliseconds(each.parts_ms[name]) for name in PHASES},
                "processes": str(each.total_ms.size),
            }
            for each in found
        ]

    def headline(self, found: Sequence[Start]) -> str:
        """Which answers first; several where their intervals overlap."""
        best = min(found, key=lambda each: each.median_ms)
        if len(found) == 1:
            return f"{best.artifact} gives its first result {milliseconds(best.median_ms)} after its process started."
        tied = [each.artifact for each in found if each is not best and not _is_later(each, best)]
        if tied:
            return f"{words.listed([best.artifact, *tied])} start quickest, and cannot be told apart."
        return f"{best.artifact} starts quickest: {milliseconds(best.median_ms)} from its process to its first result."

    def tiles(self, found: Sequence[Start]) -> list[Tile]:
        """The quickest, what most of it is, what int8 changes."""
        best = min(found, key=lambda each: each.median_ms)
        part, value = max(best.parts_ms.items(), key=lambda item: item[1])
        share = words.percent(min(1.0, value / best.median_ms))
        tiles = [
            tile("Process to first result", milliseconds(best.median_ms), f"{best.artifact}, the quickest."),
            tile("Most of it", share, f"{_NAMES[part][0].upper()}{_NAMES[part][1:]}: {milliseconds(value)}."),
        ]
        known = {each.artifact: each for each in sorted(found, key=lambda each: -each.median_ms)}
        pairs = [(known[name], known[twin]) for name, twin in with_twins(known)]
        if pairs:
            ours, theirs = pairs[-1]
            text = f"Time of {ours.artifact} against {theirs.artifact}."
            tiles.append(tile("int8 against float32", times(ours.median_ms / theirs.median_ms), text))
        return tiles

    def picture(self, found: Sequence[Start]) -> dict[str, Any]:
        """Bars of the parts per artifact, and every process as a dot, on one axis."""
        longest = max(sum(each.parts_ms.values()) for each in found)
        every = [float(end) for each in found for end in (each.total_ms.min(), each.total_ms.max())]
        axis = Axis.around(min(every), max(every))
        return {
            "rows": [_row(each, longest, axis) for each in found],
            "phases": [{"kind": kind, "name": _NAMES[name]} for name, kind in _KINDS.items()],
            "ticks": ticks_across(axis),
            "log": axis.log,
        }


#: Part -> the class of its colour, which the stages of a prediction have in other reports.
_KINDS = {"Python": "decode", "import": "preprocess", "load": "infer", "first": "postprocess"}


def _is_later(each: Start, best: Start) -> bool:
    return each.interval is not None and best.interval is not None and each.interval.low > best.interval.high


def _row(each: Start, longest: float, axis: Axis) -> dict[str, Any]:
    segments, end = stacked({_KINDS[name]: value for name, value in each.parts_ms.items()}, _BAR, longest)
    parts = ", ".join(f"{_NAMES[name]} {milliseconds(value)}" for name, value in each.parts_ms.items())
    ends = [milliseconds(float(value)) for value in (each.total_ms.min(), each.total_ms.max())]
    return {
        "name": each.artifact,
        "segments": segments,
        "end": end,
        "total": milliseconds(each.median_ms),
        "text": f"{each.artifact}, median {milliseconds(each.median_ms)}: {parts}",
        "dots": [across(axis.at(float(value))) for value in each.total_ms],
        "median": across(axis.at(each.median_ms)),
        "spread": f"{each.total_ms.size} processes, {ends[0]} to {ends[1]}",
    }
