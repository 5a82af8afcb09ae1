"""What changed from one report to the next, as values and as text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.differences import Difference
from edgevision.benchmarks.report.tables import text_table
from edgevision.benchmarks.report.trust import Trust
from edgevision.benchmarks.report.verdicts import SAME
from edgevision.benchmarks.report.writing import write
from edgevision.benchmarks.statistics import Estimate
from edgevision.runtime.manifest import to_plain


@dataclass(frozen=True)
class Side:
    """One artifact in one of the reports.

    Attributes:
        median_ms: Median end to end.
        interval: It with its 95 % interval; None where there were too few runs.
        trust: How far it is to be trusted.
        size_bytes: All files of the artifact.
        peak_bytes: Most memory its process held.
        top1: Accuracy 0..1 on the report's data; None when it was not measured.
    """

    median_ms: float
    interval: Estimate | None
    trust: Trust
    size_bytes: int
    peak_bytes: int
    top1: float | None


@dataclass(frozen=True)
class Row:
    """One artifact in both reports.

    Attributes:
        artifact: Its name.
        format: Its backend.
        precision: "int8", "float32", ...
        old: As it was.
        new: As it is.
        ratio: New latency as a multiple of the old one; the intervals of all rows hold together at 95 %.
        verdict: "faster", "slower", "indistinguishable", "too few runs", or "not to be trusted".
        accuracy: Points gained on the same images, with an interval like that of ``ratio``; None without such images.
        images: How many they were.
        regressions: Why the row is a regression; empty when it is none.
    """

    artifact: str
    format: str
    precision: str
    old: Side
    new: Side
    ratio: Estimate | None
    verdict: str
    accuracy: Estimate | None
    images: int
    regressions: tuple[str, ...]


@dataclass(frozen=True)
class ReportComparison:
    """Two reports, artifact by artifact.

    Attributes:
        old: Bundle and date of the old report.
        new: Of the new one.
        device: What it ran on; both, where they are not the same.
        max_regression: How much slower is allowed, a share.
        rows: The artifacts that both have, in the order of the new report.
        only_old: Artifacts that only the old report has.
        only_new: Artifacts that only the new report has.
        hosts: What makes the machines different; empty unless that was allowed.
        models: What makes the models different; empty unless that was allowed.
        others: Software, settings and images that are not the same.
        notes: What could not be compared, and why.
    """

    old: tuple[str, str]
    new: tuple[str, str]
    device: str
    max_regression: float
    rows: tuple[Row, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    hosts: tuple[Difference, ...]
    models: tuple[Difference, ...]
    others: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def regressed(self) -> bool:
        """Whether anything got worse by more than is allowed, for certain."""
        return any(row.regressions for row in self.rows)

    def headline(self) -> str:
        """What changed, in two or three sentences."""
        return " ".join([*self._regressions(), self._latencies(), self._accuracies()])

    def verdict(self) -> str:
        """The same in one breath."""
        bad = [row.artifact for row in self.rows if row.regressions]
        return " ".join([*([f"{words.listed(bad)} regressed."] if bad else []), self._latencies()])

    def _regressions(self) -> list[str]:
        return [f"{row.artifact} regressed: {' and '.join(row.regressions)}." for row in self.rows if row.regressions]

    def _latencies(self) -> str:
        counts = {verdict: sum(row.verdict == verdict for row in self.rows) for verdict in VERDICTS}
        what = "1 artifact" if len(self.rows) == 1 else f"{len(self.rows)} artifacts"
        if counts["indistinguishable"] == len(self.rows):
            return f"No change of latency can be shown for {what}."
        told = [f"{count} {verdict}" for verdict, count in counts.items() if count]
        return f"Latency of {what}: {', '.join(told)}."

    def _accuracies(self) -> str:
        known = [row for row in self.rows if row.accuracy is not None]
        if not known:
            return "Accuracy was not compared."
        moved = [row for row in known if row.accuracy and not row.accuracy.low <= 0 <= row.accuracy.high]
        if not moved:
            return f"No change of accuracy can be shown on {known[0].images} images."
        shown = [f"{row.artifact} {words.points(row.accuracy.value)} points" for row in moved if row.accuracy]
        return f"Accuracy changed: {', '.join(shown)}."

    def table_rows(self) -> list[dict[str, str]]:
        """One row per artifact: column name -> text; for ``text_table``."""
        return [
            {
                "artifact": row.artifact,
                "old": latency(row.old),
                "new": latency(row.new),
                "new / old": words.ratio(row.ratio) if row.ratio else words.DASH,
                "verdict": row.verdict + (", REGRESSION" if row.regressions else ""),
                "accuracy": accuracy(row),
                "size": change(row.old.size_bytes, row.new.size_bytes),
                "memory": change(row.old.peak_bytes, row.new.peak_bytes),
            }
            for row in self.rows
        ]

    def difference_rows(self) -> list[dict[str, str]]:
        """What else is not the same."""
        return [each._asdict() for each in (*self.hosts, *self.models, *self.others)]

    def all_notes(self) -> list[str]:
        """What cannot be trusted or compared, each in a sentence."""
        found = [f"{name} is in the old report only." for name in self.only_old]
        found += [f"{name} is in the new report only." for name in self.only_new]
        for row in self.rows:
            for which, side in (("old", row.old), ("new", row.new)):
                found += [f"{row.artifact}, {which}: {reason}." for reason in side.trust.reasons]
        if self.hosts:
            found.append("The machines are not the same: a ratio says nothing about the software.")
        if self.models:
            found.append("The models are not the same: a change may be theirs.")
        return [*found, *self.notes]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**to_plain(self), "regressed": self.regressed, "headline": self.headline()}

    def to_json(self) -> str:
        """JSON text."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def to_text(self) -> str:
        """For the terminal."""
        return self._document(markdown=False)

    def to_markdown(self) -> str:
        """A Markdown document."""
        return self._document(markdown=True)

    def to_html(self) -> str:
        """One self-contained HTML page.

        Raises:
            MissingPackageError: Jinja2 is not installed (extra ``report``).
        """
        from edgevision.benchmarks.report.comparison_html import render_comparison

        return render_comparison(self)

    def write(self, path: str | Path, *, force: bool = True) -> Path:
        """Writes JSON, Markdown or HTML, by the suffix of ``path``: .json, .md, .html.

        Raises:
            InputError: Another suffix.
            OutputExistsError: ``path`` exists and ``force`` is False.
        """
        writers = {".json": self.to_json, ".md": self.to_markdown, ".html": self.to_html}
        return write(path, writers, force=force)

    def title(self) -> str:
        """Which reports these are."""
        names = self.new[0] if self.old[0] == self.new[0] else f"{self.old[0]} with {self.new[0]}"
        return f"Comparison of {names}"

    def _document(self, *, markdown: bool) -> str:
        sections = [
            ("", text_table(self.table_rows(), markdown=markdown)),
            ("What else is not the same", text_table(self.difference_rows(), markdown=markdown)),
            ("Notes", "\n".join(f"- {note}" for note in self.all_notes())),
            ("", f"Old: {self.old[1]}. New: {self.new[1]}. On {self.device}. {method(self)}"),
        ]
        parts = [f"# {self.title()}" if markdown else self.title(), self.headline()]
        for heading, body in sections:
            if body:
                parts += [f"## {heading}" if markdown else heading] if heading else []
                parts.append(body)
        return "\n\n".join(parts) + "\n"


#: In the order in which they are told.
VERDICTS = ("slower", "faster", "indistinguishable", "too few runs", "not to be trusted")


def latency(side: Side) -> str:
    """Median with its interval, and its mark: "0.213 ms (0.210-0.216), degraded"."""
    return median_words(side.median_ms, side.interval) + (f", {side.trust.state}" if side.trust.state else "")


def median_words(median_ms: float, interval: Estimate | None) -> str:
    """A median with its interval where there is one, both with as many digits: "0.213 ms (0.210-0.216)"."""
    shown = words.milliseconds(median_ms)
    if interval is None:
        return shown
    digits = len(shown.removesuffix(" ms").partition(".")[2])
    return f"{shown} ({interval.low:.{digits}f}{words.DASH}{interval.high:.{digits}f})"


def accuracy(row: Row) -> str:
    """Change in points with its interval: "-0.3 (-0.9 to +0.3)"; a dash when it is unknown."""
    if row.accuracy is None:
        return words.DASH
    value, low, high = row.accuracy
    return f"{words.points(value)} ({words.span(low, high)})"


def change(old: int, new: int) -> str:
    """Bytes as they are, and how that differs from before: "56 MB (+3 %)"."""
    percent = 100 * (new - old) / old if old else 0.0
    shown = words.points(percent, 0)
    return words.size(new) if shown == "0" else f"{words.size(new)} ({shown} %)"


def method(found: ReportComparison) -> str:
    """How the verdicts come about."""
    return (
        f"Slower and faster: the interval of the ratio, widened for {len(found.rows)} "
        f"{'row' if len(found.rows) == 1 else 'rows'}, lies beyond {100 * SAME:g} %. A regression: it lies beyond "
        f"{100 * max(SAME, found.max_regression):g} %, or the interval of the accuracy lies below 0."
    )
