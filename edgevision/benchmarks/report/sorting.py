"""What the columns of the summary table are sorted by: the numbers behind its texts."""

from __future__ import annotations

from edgevision.benchmarks.report.findings import latency, qualities, ranked
from edgevision.benchmarks.report.model import Report

#: Columns in which more is better: a first click shows the highest on top.
MORE_IS_BETTER = ("accuracy", "int8 - float32", "in int8")


def sort_values(report: Report) -> dict[str, dict[str, float | str | None]]:
    """Artifact -> column -> number or text to sort by; None where nothing is known, which comes last either way.

    "here" is the place in the order in which the table is written.
    """
    known = qualities(report)
    values: dict[str, dict[str, float | str | None]] = {}
    for place, run in enumerate(ranked(report)):
        quality, supported = known.get(run.artifact), latency(run)
        difference = None if quality is None or quality.difference is None else quality.difference.value
        values[run.artifact] = {
            "artifact": run.artifact,
            "size": run.size_bytes,
            "accuracy": None if quality is None else quality.top1,
            "int8 - float32": difference,
            "p50": supported.get("p50"),
            "p90": supported.get("p90"),
            "memory": run.peak_bytes,
            "in int8": run.int8_macs,
            "here": place,
        }
    return values
