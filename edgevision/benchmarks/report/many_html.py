"""Tables over many reports as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.html import fill

if TYPE_CHECKING:
    from edgevision.benchmarks.report.many import Entry, ReportTable

#: A cell that is nothing but a number.
_PLAIN = {"small": "", "head": False, "place": ""}


def render_many(table: ReportTable) -> str:
    """See ``ReportTable.to_html``."""
    rows = [
        [*({"text": name, "head": True} for name in (model, artifact)), *map(_cell, cells)]
        for model, artifact, cells in table.lines()
    ]
    measured = sorted(entry.created for entry in table.entries)
    eyebrow = f"{words.count(len(table.entries), 'measurement')} · {measured[0][:10]} to {measured[-1][:10]}"
    columns = ["Model", "Artifact", *table.devices]
    return table_page(table.title(), eyebrow, f"Marked is {table.legend()}", columns, rows, table.all_notes())


def table_page(
    title: str,
    eyebrow: str,
    lead: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Mapping[str, Any]]],
    notes: Sequence[str],
) -> str:
    """A page that is one wide table.

    Args:
        title: Its heading.
        eyebrow: A line above it.
        lead: A sentence below it.
        columns: Headers.
        rows: Cells with "text" and, where there is, "small": a second line, "head": True for the names of the row,
            "place": "fastest", "tied" or "failed".
        notes: Sentences below the table.
    """
    whole = [[{**_PLAIN, **cell} for cell in row] for row in rows]
    content = {"title": title, "eyebrow": eyebrow, "lead": lead, "columns": columns, "rows": whole, "notes": notes}
    return fill("table.html.j2", content)


def _cell(entry: Entry | None) -> dict[str, Any]:
    from edgevision.benchmarks.report.many import entry_facts

    if entry is None:
        return {"text": words.DASH}
    return {"text": words.milliseconds(entry.median_ms), "small": entry_facts(entry), "place": entry.place}
