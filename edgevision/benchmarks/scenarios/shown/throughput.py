"""Images a second: of lists, and of several threads on one predictor."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from edgevision.benchmarks.report import words
from edgevision.benchmarks.scenarios.findings import Throughput, concurrency, offline
from edgevision.benchmarks.scenarios.shown.shown import Row, Shown, Tile, spread, tile, times, with_twins

#: Bars end here at the latest, percent: the rest is for their numbers.
_BAR = 60.0


class ThroughputShown(Shown[Throughput]):
    """Of lists, or of threads."""

    template = "throughput.html.j2"

    def __init__(self, column: str) -> None:
        """``column``: "list" or "threads", what the counts are."""
        self.column, self.is_lists = column, column == "list"
        self.title = "Offline throughput" if self.is_lists else "Threads on one predictor"
        self.options = {"lengths of lists": "sizes"} if self.is_lists else {"calling threads": "counts"}
        self.options["seconds each"] = "seconds"
        self.lead = f"Images a second, and how long each {'list' if self.is_lists else 'call'} took."
        how = "lists of each length" if self.is_lists else "each number of threads, one call after the other each"
        self.method = f"One process per artifact; {how}, one after the other, for as long as was asked."

    def find(self, artifact: str, replies: Sequence[Mapping[str, Any]]) -> list[Throughput]:
        """One per length or number of threads."""
        return (offline if self.is_lists else concurrency)(artifact, replies[-1]["found"])

    def rows(self, found: Sequence[Throughput]) -> list[Row]:
        """A row per artifact and count."""
        return [
            {
                "artifact": each.artifact,
                self.column: str(each.count),
                "images/s": f"{each.per_second:.1f}",
                **spread(each.times_ms),
            }
            for each in found
        ]

    def headline(self, found: Sequence[Throughput]) -> str:
        """Which has most images a second."""
        best = _most(found)
        where = f"{'in' if self.is_lists else 'on'} {self._counted(best)}"
        return f"{best.artifact} does most: {_number(best)} images a second {where}."

    def tiles(self, found: Sequence[Throughput]) -> list[Tile]:
        """The most, what more at once brings, what int8 brings."""
        best = _most(found)
        least = min((each for each in found if each.artifact == best.artifact), key=lambda each: each.count)
        against = f"{best.artifact}: {self._counted(best)} against {self._counted(least)}."
        brought = tile(
            f"What {'lists' if self.is_lists else 'threads'} bring",
            times(best.per_second / least.per_second),
            against if best is not least else f"Nothing: {best.artifact} does most with {self._counted(best)}.",
        )
        return [
            tile("Most images a second", _number(best), f"{best.artifact}, {self._counted(best)}."),
            brought,
            *_int8(found),
        ]

    def picture(self, found: Sequence[Throughput]) -> dict[str, Any]:
        """Bars per artifact, one for each count, all on one axis."""
        longest = _most(found).per_second
        groups = itertools.groupby(found, key=lambda each: each.artifact)
        return {
            "rows": [{"name": name, "bars": [self._bar(each, longest) for each in group]} for name, group in groups]
        }

    def _bar(self, each: Throughput, longest: float) -> dict[str, Any]:
        width = round(_BAR * each.per_second / longest, 2)
        return {"label": self._counted(each), "width": width, "text": f"{_number(each)} images/s"}

    def _counted(self, each: Throughput) -> str:
        return f"lists of {each.count}" if self.is_lists else words.count(each.count, "thread")


def _int8(found: Sequence[Throughput]) -> list[Tile]:
    """int8 against float32 of the same format, of the fastest int8 artifact that has such."""
    bests = {each.artifact: each for each in sorted(found, key=lambda each: each.per_second)}
    pairs = [(bests[name], bests[twin]) for name, twin in with_twins(bests)]
    if not pairs:
        return []
    ours, theirs = pairs[-1]
    text = f"{ours.artifact} against {theirs.artifact}, each at its best."
    return [tile("int8 against float32", times(ours.per_second / theirs.per_second), text)]


def _number(each: Throughput) -> str:
    return f"{each.per_second:.0f}" if each.per_second >= 100 else f"{each.per_second:.1f}"


def _most(found: Sequence[Throughput]) -> Throughput:
    return max(found, key=lambda each: each.per_second)
