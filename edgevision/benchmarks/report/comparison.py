"""What changed from one report to the next, as values and as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.change import Change
from edgevision.benchmarks.report.differences import Difference
from edgevision.benchmarks.report.document import Document, listed_notes
from edgevision.benchmarks.report.tables import text_table
from edgevision.benchmarks.report.trust import Trust
from edgevision.benchmarks.report.verdicts import SAME
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
    """

    median_ms: float
    interval: Estimate | None
    trust: Trust
    size_bytes: int
    peak_bytes: int


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
        accuracy: How the task's figure changed on the same images, with an interval like that of ``ratio``; None
            without such images.
        regressions: Why the row is a regression; empty when it is none.
    """

    artifact: str
    format: str
    precision: str
    old: Side
    new: Side
    ratio: Estimate | None
    verdict: str
    accuracy: Change | None
    regressions: tuple[str, ...]


@dataclass(frozen=True)
class ReportComparison(Document):
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
        known = [(row.artifact, row.accuracy) for row in self.rows if row.accuracy is not None]
        if not known:
            return "Accuracy was not compared."
        moved = [(name, change) for name, change in known if change.is_shown]
        if not moved:
            return f"No change of {self.metric} can be shown on {known[0][1].judged}."
        shown = [f"{name} {words.points(change.value)} {change.unit}" for name, change in moved]
        return f"{words.header(self.metric)} changed: {', '.join(shown)}."

    @property
    def metric(self) -> str:
        """What accuracy is measured by, as people call it."""
        return next((row.accuracy.name for row in self.rows if row.accuracy is not None), "accuracy")

    @property
    def unit(self) -> str:
        """What changes of it are in."""
        return next((row.accuracy.unit for row in self.rows if row.accuracy is not None), "points")

    def table_rows(self) -> list[dict[str, str]]:
        """One row per artifact: column name -> text; for ``text_table``."""
        return [
            {
                "artifact": row.artifact,
                "old": latency(row.old),
                "new": latency(row.new),
                "new / old": words.ratio(row.ratio) if row.ratio else words.DASH,
                "verdict": row.verdict + (", REGRESSION" if row.regressions else ""),
                self.metric: words.DASH if row.accuracy is None else row.accuracy.shown(),
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

    def to_html(self) -> str:
        """See ``Document.to_html``."""
        from edgevision.benchmarks.report.comparison_html import render_comparison

        return render_comparison(self)

    def title(self) -> str:
        """Which reports these are."""
        names = self.new[0] if self.old[0] == self.new[0] else f"{self.old[0]} with {self.new[0]}"
        return f"Comparison of {names}"

    def sections(self, *, markdown: bool) -> list[tuple[str, str]]:
        """See ``Document.sections``."""
        return [
            ("", self.headline()),
            ("", text_table(self.table_rows(), markdown=markdown)),
            ("What else is not the same", text_table(self.difference_rows(), markdown=markdown)),
            ("Notes", listed_notes(self.all_notes())),
            ("", f"Old: {self.old[1]}. New: {self.new[1]}. On {self.device}. {method(self)}"),
        ]


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


def change(old: int, new: int) -> str:
    """Bytes as they are, and how that differs from before: "56 MB (+3 %)"."""
    percent = 100 * (new - old) / old if old else 0.0
    shown = words.points(percent, 0)
    return words.size(new) if shown == "0" else f"{words.size(new)} ({shown} %)"


def method(found: ReportComparison) -> str:
    """How the verdicts come about."""
    rows = words.count(len(found.rows), "row")
    limit = 100 * max(SAME, found.max_regression)
    return (
        f"Slower and faster: the interval of the ratio, widened for {rows}, lies beyond {100 * SAME:g} %. A "
        f"regression: it lies beyond {limit:g} %, or the interval of the {found.metric} lies on the worse side of 0."
    )
