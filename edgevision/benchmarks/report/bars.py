"""Size on disk and memory as bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.findings import ranked
from edgevision.benchmarks.report.model import Measured, Report

#: Bars end here at the latest, percent: the rest is for their numbers.
_BAR = 72.0


def footprint_picture(report: Report) -> list[dict[str, Any]]:
    """Two sets of bars over the same artifacts in the same order, fastest first."""
    return [
        {"name": "Size on disk", "rows": _rows(report, lambda run: run.size_bytes)},
        {"name": "Peak memory", "rows": _rows(report, lambda run: run.peak_bytes)},
    ]


def _rows(report: Report, value: Callable[[Measured], int]) -> list[dict[str, Any]]:
    runs = ranked(report)
    most = max(map(value, runs)) or 1
    return [
        {
            "name": run.artifact,
            "format": run.format,
            "precision": run.precision,
            "width": round(_BAR * value(run) / most, 2),
            "text": words.size(value(run)),
        }
        for run in runs
    ]
