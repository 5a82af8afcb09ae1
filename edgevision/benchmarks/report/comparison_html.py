"""A comparison of two reports as one HTML page: verdicts, a picture of the ratios, what else is not the same."""

from __future__ import annotations

from typing import Any

from edgevision.benchmarks.report import comparison, words
from edgevision.benchmarks.report.charts import Axis
from edgevision.benchmarks.report.comparison import ReportComparison
from edgevision.benchmarks.report.html import fill
from edgevision.benchmarks.report.verdicts import SAME

#: Names of the table's columns as people read them; that of accuracy is by what it is measured.
_HEADERS = {
    "artifact": "Artifact",
    "old": "Old",
    "new": "New",
    "new / old": "New / old",
    "verdict": "Verdict",
    "accuracy": "",
    "size": "Size",
    "memory": "Peak memory",
}
#: Left and right end of the plotting area, percent of the width.
_LEFT, _RIGHT = 4.0, 84.0
#: The picture shows at least this much to both sides of "the same".
_LEAST = 1.1


def render_comparison(found: ReportComparison) -> str:
    """See ``ReportComparison.to_html``."""
    content = {
        "found": found,
        "verdict": found.verdict(),
        "tiles": _tiles(found),
        "headers": _headers(found),
        "rows": list(zip(found.rows, found.table_rows())),
        "picture": _picture(found),
        "differences": found.difference_rows(),
        "notes": found.all_notes(),
        "method": comparison.method(found),
        "dates": [side[1].replace("T", " ").replace("+00:00", " UTC") for side in (found.old, found.new)],
    }
    return fill("comparison.html.j2", content)


def _headers(found: ReportComparison) -> dict[str, str]:
    """Names of the table's columns as people read them."""
    named = f"{words.header(found.metric)}, {found.unit}"
    return {(found.metric if key == "accuracy" else key): name or named for key, name in _HEADERS.items()}


def _tiles(found: ReportComparison) -> list[dict[str, str]]:
    """Three figures with a sentence each: regressions, the largest change of latency, accuracy."""
    bad = [row for row in found.rows if row.regressions]
    told = [(row, row.ratio) for row in found.rows if row.ratio and row.verdict in ("slower", "faster")]
    largest = max(told, key=lambda pair: max(pair[1].value, 1 / pair[1].value), default=None)
    accuracy = [row.accuracy for row in found.rows if row.accuracy is not None]
    worst = min(accuracy, key=lambda change: change.gain, default=None)
    return [
        {
            "name": "Regressions",
            "value": str(len(bad)) if bad else "None",
            "state": "failed" if bad else "passed",
            "text": f"Slower by more than {100 * max(SAME, found.max_regression):g} %, or less accurate, for certain.",
        },
        {
            "name": "Largest change of latency",
            "value": f"{largest[1].value:.2f}\N{MULTIPLICATION SIGN}" if largest else words.DASH,
            "state": "",
            "text": f"{largest[0].artifact} is {largest[0].verdict}: {words.ratio(largest[1])}."
            if largest
            else "No artifact can be told to be faster or slower.",
        },
        {
            "name": words.header(found.metric),
            "value": f"{words.points(worst.value)} {worst.unit}" if worst else words.DASH,
            "state": "",
            "text": f"{'The largest loss' if worst.gain < 0 else 'No loss'}: {worst.shown()} {worst.unit}."
            if worst
            else "Not compared: the reports hold no predictions on the same images.",
        },
    ]


def _picture(found: ReportComparison) -> dict[str, Any] | None:
    """Every ratio with its interval on one axis, the margins marked; None when there is none."""
    known = [(row, row.ratio) for row in found.rows if row.ratio is not None]
    if not known:
        return None
    limit = 1 + max(SAME, found.max_regression)
    low = min(*(ratio.low for _, ratio in known), 1 / _LEAST)
    high = max(*(ratio.high for _, ratio in known), _LEAST, limit)
    axis = Axis.around(low, high)

    def at(value: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * axis.at(value), 3)

    rows = [
        {
            "name": row.artifact,
            "format": row.format,
            "precision": row.precision,
            "low": at(ratio.low),
            "x": at(ratio.value),
            "high": at(ratio.high),
            "shown": f"{ratio.value:.2f}\N{MULTIPLICATION SIGN}",
            "text": f"{row.artifact}: {words.ratio(ratio)}, {row.verdict}",
        }
        for row, ratio in known
    ]
    return {
        "rows": rows,
        "ticks": [{"x": at(value), "text": f"{value:g}"} for value in axis.ticks()],
        "same": (at(1 / (1 + SAME)), at(1 + SAME)),
        "one": at(1.0),
        "limit": at(limit),
        "log": axis.log,
        "end": _RIGHT + 2,
    }
