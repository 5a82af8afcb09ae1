"""What came of a grid: one row per cell, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edgevision.benchmarks.grid.plan import Cell, LeftOut
from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.comparison import median_words
from edgevision.benchmarks.report.document import Document, listed_notes
from edgevision.benchmarks.report.findings import intervals_ms, latency, median_ms, qualities
from edgevision.benchmarks.report.model import Report
from edgevision.benchmarks.report.tables import text_table
from edgevision.benchmarks.report.trust import machine_doubts, trust

if TYPE_CHECKING:
    from edgevision.benchmarks.grid.store import Store


class Outcome(NamedTuple):
    """What came of one cell.

    Attributes:
        cell: Which.
        report: Its report; None when it failed.
        error: What is recorded of its failure: "type", "problem", "message" and more; None when it did not fail.
    """

    cell: Cell
    report: Report | None
    error: dict[str, Any] | None

    @property
    def median_ms(self) -> float:
        """Median end to end, infinite when it failed."""
        return float("inf") if self.report is None else median_ms(self.report.artifacts[0])


@dataclass(frozen=True)
class GridResult(Document):
    """The cells of a grid.

    Attributes:
        folder: Where the reports are.
        outcomes: One per cell, in the order of the grid.
        left_out: What was asked for and cannot be measured.
    """

    folder: Path
    outcomes: tuple[Outcome, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The cells without a report."""
        return tuple(each for each in self.outcomes if each.report is None)

    @property
    def reports(self) -> tuple[Report, ...]:
        """The reports of the others."""
        return tuple(each.report for each in self.outcomes if each.report is not None)

    def title(self) -> str:
        """How many cells there are, and how many of them failed."""
        done = len(self.outcomes) - len(self.failed)
        return f"{done} of {words.count(len(self.outcomes), 'cell')} measured, {len(self.failed)} failed"

    def ranked(self) -> list[Outcome]:
        """By bundle, the fastest first, what failed last."""
        return sorted(self.outcomes, key=lambda each: (each.cell.model, each.median_ms))

    def table_rows(self) -> list[dict[str, str]]:
        """One row per cell, the fastest of each bundle first: column name -> text; for ``text_table``."""
        return [_row(each) for each in self.ranked()]

    def notes(self) -> list[str]:
        """What failed, what was left out, what is not to be trusted."""
        found = [f"{each.cell.label} failed: {each.error['message']}" for each in self.failed if each.error]
        found += [f"{item.what} not measured: {item.reason}." for item in self.left_out]
        for each in self.outcomes:
            if each.report is not None:
                own = trust(each.report, each.report.artifacts[0]).reasons
                found += [f"{each.cell.label}: {reason}." for reason in own]
                found += [f"{each.cell.label}: {reason}" for reason in machine_doubts(each.report)]
        found.append("Cells ran one after the other: what is not far apart may be the noise of two moments.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "headline": self.title(),
            "cells": [_plain(each) for each in self.outcomes],
            "left_out": [item._asdict() for item in self.left_out],
        }

    def sections(self, *, markdown: bool) -> list[tuple[str, str]]:
        """See ``Document.sections``."""
        return [("", text_table(self.table_rows(), markdown=markdown)), ("", listed_notes(self.notes()))]

    def to_html(self) -> str:
        """See ``Document.to_html``."""
        from edgevision.benchmarks.report.many_html import table_page

        table = self.table_rows()
        rows = [[_cell(key, text) for key, text in row.items()] for row in table]
        measured = sorted(report.created for report in self.reports)
        eyebrow = f"Grid · {measured[0][:10]} to {measured[-1][:10]}" if measured else "Grid"
        columns = [words.header(key) for key in table[0]]
        lead = "One row per cell, the fastest of each model first. Brackets hold 95 % intervals."
        return table_page(self.title(), eyebrow, lead, columns, rows, self.notes())

    def write_index(self, store: Store) -> None:
        """Writes index.json, index.md and, where jinja2 is installed, index.html."""
        store.write_index("index.json", self.to_json())
        store.write_index("index.md", self.to_markdown())
        if find_spec("jinja2") is not None:
            store.write_index("index.html", self.to_html())


#: Columns that name a cell, and those of its figures.
_NAMES = ("model", "artifact", "provider", "threads")
_FIGURES = ("p50", "p90", "memory", "accuracy", "state")


def _row(each: Outcome) -> dict[str, str]:
    cell = each.cell
    names = [cell.model, cell.artifact, cell.provider or "default", str(cell.threads or "auto")]
    return dict(zip(_NAMES, names)) | dict(zip(_FIGURES, _figures(each)))


def _figures(each: Outcome) -> tuple[str, ...]:
    if each.report is None:
        return (*[words.DASH] * (len(_FIGURES) - 1), "failed")
    run = each.report.artifacts[0]
    p90, quality = latency(run).get("p90"), qualities(each.report).get(run.artifact)
    return (
        median_words(median_ms(run), intervals_ms(run).get("p50")),
        words.DASH if p90 is None else words.milliseconds(p90),
        words.size(run.peak_bytes),
        words.accuracy(quality),
        trust(each.report, run).state or "measured",
    )


def _cell(key: str, text: str) -> dict[str, Any]:
    """Of a page: the interval on a line of its own."""
    first, bracket, rest = text.partition(" (")
    return {"text": first, "small": bracket.strip() + rest, "head": key in _NAMES}


def _plain(each: Outcome) -> dict[str, Any]:
    cell = each.cell
    settings = {name: getattr(cell, name) for name in (*_NAMES, "batch")}
    if each.report is None:
        return {**settings, "key": cell.key, "state": "failed", "file": f"failed/{cell.name}.json", "error": each.error}
    run = each.report.artifacts[0]
    interval = intervals_ms(run).get("p50")
    return {
        **settings,
        "key": cell.key,
        "state": trust(each.report, run).state or "measured",
        "file": f"cells/{cell.name}.json",
        "median_ms": median_ms(run),
        "interval95_ms": None if interval is None else [interval.low, interval.high],
        "peak_bytes": run.peak_bytes,
    }
