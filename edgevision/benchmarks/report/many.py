"""Many reports in one table: a row per model and artifact, a column per device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from edgevision.benchmarks.compare import Source, device, opened
from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.differences import host_differences, model_differences
from edgevision.benchmarks.report.document import Document, listed_notes
from edgevision.benchmarks.report.findings import intervals_ms, median_ms
from edgevision.benchmarks.report.model import Measured, Report
from edgevision.benchmarks.report.tables import text_table
from edgevision.benchmarks.report.trust import Trust, machine_doubts, trust
from edgevision.benchmarks.report.verdicts import verdict
from edgevision.benchmarks.statistics import Estimate
from edgevision.runtime.errors import InputError
from edgevision.runtime.manifest import to_plain


@dataclass(frozen=True)
class Entry:
    """One artifact on one device.

    Attributes:
        model: Bundle it is from.
        artifact: Its name.
        device: What it ran on.
        median_ms: Median end to end.
        interval: It with its 95 % interval; None where there were too few runs.
        trust: How far it is to be trusted.
        passed: Whether it passed the checks of its conversion.
        setting: Threads and provider, e.g. "2 threads, XNNPACK".
        created: When it was measured.
        place: "fastest" of its model on its device, "tied" with that, or "".
        chosen: Whether other settings of it were measured there, of which this is the fastest.
    """

    model: str
    artifact: str
    device: str
    median_ms: float
    interval: Estimate | None
    trust: Trust
    passed: bool
    setting: str
    created: str
    place: str = ""
    chosen: bool = False


class _Run(NamedTuple):
    """A measured artifact, where it comes from, and what is said of it."""

    report: Report
    run: Measured
    entry: Entry


@dataclass(frozen=True)
class ReportTable(Document):
    """Median latencies of several reports.

    Attributes:
        devices: The columns.
        entries: What was measured, one per artifact and device.
        notes: What was left out, and why.
    """

    devices: tuple[str, ...]
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]

    def title(self) -> str:
        """What the table holds."""
        models = len({entry.model for entry in self.entries})
        rows = len({(entry.model, entry.artifact) for entry in self.entries})
        counts = [words.count(rows, "artifact"), words.count(models, "model"), words.count(len(self.devices), "device")]
        return f"Median latency of {counts[0]} of {counts[1]} on {counts[2]}"

    def lines(self) -> list[tuple[str, str, list[Entry | None]]]:
        """Per row its model, its artifact and what was measured on each of ``devices``; None where nothing was."""
        places = {(entry.model, entry.artifact, entry.device): entry for entry in self.entries}
        names = sorted({(entry.model, entry.artifact) for entry in self.entries}, key=_order)
        return [(*name, [places.get((*name, each)) for each in self.devices]) for name in names]

    def table_rows(self, *, markdown: bool = False) -> list[dict[str, str]]:
        """One row per model and artifact: column name -> text; for ``text_table``."""
        return [
            {
                "model": model,
                "artifact": artifact,
                **{where: _shown(entry, markdown) for where, entry in zip(self.devices, cells)},
            }
            for model, artifact, cells in self.lines()
        ]

    def legend(self) -> str:
        """What the marks say."""
        return (
            "the fastest artifact of each model on each device; several where they cannot be told apart. "
            "Medians end to end."
        )

    def all_notes(self) -> list[str]:
        """What cannot be trusted or was left out, each in a sentence."""
        found = []
        for entry in self.entries:
            name = f"{entry.artifact} of {entry.model} on {entry.device}"
            found += [f"{name}: {reason}." for reason in entry.trust.reasons]
            if not entry.passed:
                found.append(f"{name} failed the checks of its conversion, and is not to be used.")
        return [*found, *self.notes]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"headline": self.title(), **to_plain(self)}

    def to_html(self) -> str:
        """See ``Document.to_html``."""
        from edgevision.benchmarks.report.many_html import render_many

        return render_many(self)

    def sections(self, *, markdown: bool) -> list[tuple[str, str]]:
        """See ``Document.sections``."""
        return [
            ("", text_table(self.table_rows(markdown=markdown), markdown=markdown)),
            ("", f"{'bold' if markdown else '*'}: {self.legend()}"),
            ("", listed_notes(self.all_notes())),
        ]


def report_table(sources: Sequence[Source]) -> ReportTable:
    """One table over several reports.

    Of one artifact on one device with the same settings the newest report counts; of several settings the fastest.

    Args:
        sources: Reports, or the JSON files of some.

    Raises:
        InputError: A file is no report, or there is none.
    """
    reports = [opened(source) for source in sources]
    if not reports:
        raise InputError("there is no report", expected="one or more JSON files of 'edgevision benchmark --out'")
    devices = _named(reports, device, host_differences)
    models = _named(reports, lambda report: report.bundle.removesuffix(".edge"), model_differences)
    newest: dict[tuple[str, str, str, str], _Run] = {}
    total = 0
    for report, where, model in sorted(zip(reports, devices, models), key=lambda each: each[0].created):
        for run in report.artifacts:
            entry = _entry(report, run, where, model)
            newest[model, run.artifact, where, entry.setting] = _Run(report, run, entry)
            total += 1
    best = _fastest_settings(list(newest.values()))
    named = zip(reports, models, devices)
    notes = [f"{model} on {where}: {doubt}" for report, model, where in named for doubt in machine_doubts(report)]
    if total > len(newest):
        notes.append(f"{words.count(total - len(newest), 'older measurement')} left out.")
    kinds = {str(report.images.get("kind")) for report in reports}
    if len(kinds) > 1:
        notes.append("Not all ran the same kind of images: golden inputs need no decoding and no resizing.")
    return ReportTable(tuple(dict.fromkeys(devices)), tuple(_placed(best)), tuple(notes))


def _entry(report: Report, run: Measured, where: str, model: str) -> Entry:
    threads = run.engine.get("threads")
    parts = [words.count(threads, "thread")] if isinstance(threads, int) else []
    parts += [str(run.engine["provider"])] if run.engine.get("provider") else []
    return Entry(
        *(model, run.artifact, where, median_ms(run), intervals_ms(run).get("p50"), trust(report, run), run.passed),
        setting=", ".join(parts),
        created=report.created,
    )


def _named(
    reports: Sequence[Report], name: Callable[[Report], str], differences: Callable[[Report, Report], Sequence[Any]]
) -> list[str]:
    """A name per report; what has the same name and is not the same is numbered."""
    firsts: dict[str, Report] = {}
    found = []
    for report in reports:
        number, label = 1, name(report)
        while label in firsts and differences(firsts[label], report):
            number += 1
            label = f"{name(report)} ({number})"
        firsts.setdefault(label, report)
        found.append(label)
    return found


def _fastest_settings(runs: Sequence[_Run]) -> list[_Run]:
    best: dict[tuple[str, str, str], _Run] = {}
    several = set()
    for each in runs:
        place = (each.entry.model, each.entry.artifact, each.entry.device)
        if place in best:
            several.add(place)
        if place not in best or _rank(each) < _rank(best[place]):
            best[place] = each
    return [each._replace(entry=replace(each.entry, chosen=place in several)) for place, each in best.items()]


def _rank(each: _Run) -> tuple[bool, float]:
    return each.entry.trust.state == "invalid", each.entry.median_ms


def _placed(runs: Sequence[_Run]) -> list[Entry]:
    """The entries, with the fastest of each model on each device named."""
    groups: dict[tuple[str, str], list[_Run]] = {}
    for each in runs:
        groups.setdefault((each.entry.model, each.entry.device), []).append(each)
    return [entry for group in groups.values() for entry in _placed_in_group(group)]


def _placed_in_group(group: Sequence[_Run]) -> list[Entry]:
    usable = [each for each in group if each.entry.passed and each.entry.trust.state != "invalid"]
    if len(usable) < 2:
        return [each.entry for each in group]
    best = min(usable, key=_rank)
    rows = len(usable) - 1
    tied = [each for each in usable if each is not best and not _is_slower(each, best, rows)]
    places = {id(each): "tied" for each in tied} | {id(best): "tied" if tied else "fastest"}
    return [replace(each.entry, place=places.get(id(each), "")) for each in group]


def _is_slower(one: _Run, best: _Run, rows: int) -> bool:
    """Within one report artifacts took turns, and the report itself says the same."""
    return verdict(one.run, best.run, rows=rows, together=one.report is best.report).word == "slower"


def _order(name: tuple[str, str]) -> tuple[str, bool, str]:
    """Models by name, in each int8 before the others."""
    return name[0], not name[1].startswith("int8."), name[1]


def entry_facts(entry: Entry) -> str:
    """What has to be said beside the median: the setting that was chosen, the mark."""
    return ", ".join(filter(None, [entry.setting if entry.chosen else "", entry.trust.state, _failed(entry)]))


def _failed(entry: Entry) -> str:
    return "" if entry.passed else "failed checks"


def _shown(entry: Entry | None, markdown: bool) -> str:
    if entry is None:
        return words.DASH
    text, facts = words.milliseconds(entry.median_ms), entry_facts(entry)
    if entry.place:
        text = f"**{text}**" if markdown else f"{text} *"
    return f"{text} ({facts})" if facts else text
