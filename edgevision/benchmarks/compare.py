"""compare(): what changed between two reports of the same models on the same machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgevision.benchmarks.report.change import Change, changes, same_data
from edgevision.benchmarks.report.comparison import ReportComparison, Row, Side
from edgevision.benchmarks.report.differences import (
    Difference,
    host_differences,
    model_differences,
    other_differences,
)
from edgevision.benchmarks.report.findings import intervals_ms, median_ms
from edgevision.benchmarks.report.model import Measured, Report
from edgevision.benchmarks.report.reading import read
from edgevision.benchmarks.report.trust import machine_doubts, trust
from edgevision.benchmarks.report.verdicts import SAME, verdict
from edgevision.benchmarks.report.words import header
from edgevision.benchmarks.statistics import Estimate
from edgevision.runtime.errors import InputError

Source = Report | str | Path


def compare(
    old: Report | str | Path,
    new: Report | str | Path,
    *,
    max_regression: float = 0.05,
    allow_different_host: bool = False,
    allow_different_model: bool = False,
) -> ReportComparison:
    """What changed from one report to the next, with verdicts that noise does not reach.

    Args:
        old: A report, or the JSON file of one.
        new: The later one.
        max_regression: How much slower is no regression yet, a share: 0.05 is 5 %. Less than the 2 % that two runs of
            one program may differ by is taken as 2 %.
        allow_different_host: Compare although the machines are not the same.
        allow_different_model: Compare although files of one name are not the same.

    Returns:
        A row per artifact that both reports have. ``regressed`` says whether anything got worse for certain.

    Raises:
        InputError: A file is no report; machines or models differ and that was not allowed; the reports have no
            artifact in common, or one ran photos and the other inputs that need no decoding.
    """
    if not 0 <= max_regression < float("inf"):
        raise InputError("the regression allowed is not usable", expected="a share >= 0", got=str(max_regression))
    before, after = opened(old), opened(new)
    hosts, models = host_differences(before, after), model_differences(before, after)
    _refuse("machines", hosts, allow_different_host, "host")
    _refuse("models", models, allow_different_model, "model")
    pairs = _pairs(before, after)
    accuracy = changes(before, after, confidence=1 - 0.05 / len(pairs))
    names = [{run.artifact: None for run in report.artifacts} for report in (before, after)]
    return ReportComparison(
        old=(before.bundle, before.created),
        new=(after.bundle, after.created),
        device=" and ".join(dict.fromkeys([device(before), device(after)])),
        max_regression=max_regression,
        rows=tuple(
            _row((before, a), (after, b), len(pairs), max_regression, accuracy.get(b.artifact)) for a, b in pairs
        ),
        only_old=tuple(name for name in names[0] if name not in names[1]),
        only_new=tuple(name for name in names[1] if name not in names[0]),
        hosts=hosts,
        models=models,
        others=other_differences(before, after),
        notes=_notes(before, after, list(accuracy.values())),
    )


def opened(source: Source) -> Report:
    """The report itself, or the one in a file.

    Raises:
        InputError: The file is missing, is no report, or a newer edgevision wrote it; the message names it.
    """
    return source if isinstance(source, Report) else read(source, Report.from_json)


def device(report: Report) -> str:
    """What the report's machine is called: board or processor, its usable cores, its power mode."""
    host = report.host
    parts = [str(host.get("board") or host.get("cpu") or "unknown machine")]
    parts += [f"{host['cpus']} core{'' if host['cpus'] == 1 else 's'}"] if host.get("cpus") else []
    return ", ".join([*parts, *([str(host["power_mode"])] if host.get("power_mode") else [])])


def _refuse(what: str, differences: Sequence[Difference], allowed: bool, word: str) -> None:
    if differences and not allowed:
        raise InputError(
            f"the reports are of different {what}",
            got="; ".join(map(str, differences)),
            cure=f"pass --allow-different-{word} (allow_different_{word}=True) to compare them nevertheless",
        )


def _pairs(old: Report, new: Report) -> list[tuple[Measured, Measured]]:
    """The artifacts that both have.

    Raises:
        InputError: There is none, or what they ran makes their latencies different things.
    """
    kinds = [report.images.get("kind") for report in (old, new)]
    if kinds[0] != kinds[1]:
        raise InputError(
            "the reports did not run the same kind of images",
            got=f"{kinds[0]} and {kinds[1]}",
            cure="measure both with the same data: decoding and resizing are part of the latency",
        )
    before = {run.artifact: run for run in old.artifacts}
    pairs = [(before[run.artifact], run) for run in new.artifacts if run.artifact in before]
    if not pairs:
        lists = [", ".join(run.artifact for run in report.artifacts) for report in (old, new)]
        raise InputError("the reports have no artifact in common", got=" and ".join(lists))
    return pairs


def _row(
    old: tuple[Report, Measured],
    new: tuple[Report, Measured],
    rows: int,
    max_regression: float,
    accuracy: Change | None,
) -> Row:
    sides = _side(*old), _side(*new)
    found = verdict(new[1], old[1], rows=rows, together=False)
    trusted = all(side.trust.state != "invalid" for side in sides)
    word = found.word if found.ratio else "too few runs"
    return Row(
        artifact=new[1].artifact,
        format=new[1].format,
        precision=new[1].precision,
        old=sides[0],
        new=sides[1],
        ratio=found.ratio,
        verdict=word if trusted else "not to be trusted",
        accuracy=accuracy,
        regressions=_regressions(found.ratio if trusted else None, max(SAME, max_regression), accuracy),
    )


def _regressions(ratio: Estimate | None, limit: float, accuracy: Change | None) -> tuple[str, ...]:
    """What got worse for certain: the whole interval lies beyond what is allowed."""
    found = []
    if ratio is not None and ratio.low > 1 + limit:
        found.append(f"slower by more than {100 * limit:g} %")
    if accuracy is not None and accuracy.is_worse:
        found.append(accuracy.moved())
    return tuple(found)


def _side(report: Report, run: Measured) -> Side:
    return Side(
        median_ms=median_ms(run),
        interval=intervals_ms(run).get("p50"),
        trust=trust(report, run),
        size_bytes=run.size_bytes,
        peak_bytes=run.peak_bytes,
    )


def _notes(old: Report, new: Report, moved: Sequence[Change]) -> tuple[str, ...]:
    sides = (("old", old), ("new", new))
    found = [f"The {which} report: {reason}" for which, report in sides for reason in machine_doubts(report)]
    found += [f"The {which} report is a quick look." for which, report in sides if report.protocol.get("quick")]
    return (*found, *_notes_on_accuracy(old, new, moved))


def _notes_on_accuracy(old: Report, new: Report, moved: Sequence[Change]) -> list[str]:
    """Why accuracy was not compared, or how."""
    known = {which: bool(report.accuracy or report.figures) for which, report in (("old", old), ("new", new))}
    missing = [which for which, is_known in known.items() if not is_known]
    if len(missing) == 2:
        return ["Accuracy was not compared: neither report has predictions on labelled images."]
    if missing:
        return [f"Accuracy was not compared: the {missing[0]} report has no predictions on labelled images."]
    if not same_data(old, new):
        return ["Accuracy was not compared: the reports saw other images (the hashes of their content differ)."]
    found = []
    if any(change.kind == "unpaired" for change in moved):
        found.append(
            f"{_first(moved)} was compared as if on different images, from the reports' own intervals: one of them "
            "holds no resamples to pair. The interval is too wide rather than too narrow."
        )
    if any(change.kind == "none" for change in moved):
        found.append(
            f"{_first(moved)} has no interval where the reports hold none: such a change may be chance, and is no "
            "regression."
        )
    return found


def _first(moved: Sequence[Change]) -> str:
    return header(moved[0].name)
