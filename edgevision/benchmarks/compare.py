"""compare(): what changed between two reports of the same models on the same machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgevision.benchmarks.report.comparison import ReportComparison, Row, Side
from edgevision.benchmarks.report.differences import (
    Difference,
    host_differences,
    model_differences,
    other_differences,
)
from edgevision.benchmarks.report.findings import accuracies, intervals_ms, median_ms
from edgevision.benchmarks.report.model import Measured, Report
from edgevision.benchmarks.report.trust import machine_doubts, trust
from edgevision.benchmarks.report.verdicts import SAME, verdict
from edgevision.benchmarks.statistics import Estimate, paired_interval
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
    accuracy = _accuracy_changes(before, after, confidence=1 - 0.05 / len(pairs))
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
        notes=_notes(before, after, bool(accuracy)),
    )


def opened(source: Source) -> Report:
    """The report itself, or the one in a file.

    Raises:
        InputError: The file is missing, is no report, or a newer edgevision wrote it; the message names it.
    """
    if isinstance(source, Report):
        return source
    path = Path(source)
    try:
        return Report.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read", got=error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the report is not JSON", got="bytes that are no text") from error
    except InputError as error:
        words = {"expected": error.expected, "got": error.got, "cure": error.cure}
        raise InputError(f"{path}: {error.problem}", **words) from error


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
    accuracy: tuple[Estimate, int] | None,
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
        accuracy=accuracy[0] if accuracy else None,
        images=accuracy[1] if accuracy else 0,
        regressions=_regressions(found.ratio if trusted else None, max(SAME, max_regression), accuracy),
    )


def _regressions(ratio: Estimate | None, limit: float, accuracy: tuple[Estimate, int] | None) -> tuple[str, ...]:
    """What got worse for certain: the whole interval lies beyond what is allowed."""
    found = []
    if ratio is not None and ratio.low > 1 + limit:
        found.append(f"slower by more than {100 * limit:g} %")
    if accuracy is not None and accuracy[0].high < 0:
        found.append(f"accuracy down by {abs(accuracy[0].value):.1f} points")
    return tuple(found)


def _side(report: Report, run: Measured) -> Side:
    known = accuracies(report.accuracy).get(run.artifact)
    return Side(
        median_ms=median_ms(run),
        interval=intervals_ms(run).get("p50"),
        trust=trust(report, run),
        size_bytes=run.size_bytes,
        peak_bytes=run.peak_bytes,
        top1=None if known is None else known.top1,
    )


def _is_paired(old: Report, new: Report) -> bool:
    """Whether both saw the same labelled images: the hash of their content says so, and the labels as they came."""
    a, b = old.accuracy, new.accuracy
    return a is not None and b is not None and bool(a.sha256) and a.sha256 == b.sha256 and a.truth == b.truth


def _accuracy_changes(old: Report, new: Report, confidence: float) -> dict[str, tuple[Estimate, int]]:
    if not _is_paired(old, new):
        return {}
    before, after = accuracies(old.accuracy), accuracies(new.accuracy)
    return {
        name: (paired_interval(before[name].correct, after[name].correct, confidence), after[name].n)
        for name in after
        if name in before
    }


def _notes(old: Report, new: Report, paired: bool) -> tuple[str, ...]:
    sides = (("old", old), ("new", new))
    found = [f"The {which} report: {reason}" for which, report in sides for reason in machine_doubts(report)]
    found += [f"The {which} report is a quick look." for which, report in sides if report.protocol.get("quick")]
    missing = [which for which, report in sides if report.accuracy is None]
    if len(missing) == 2:
        found.append("Accuracy was not compared: neither report has predictions on labelled images.")
    elif missing:
        found.append(f"Accuracy was not compared: the {missing[0]} report has no predictions on labelled images.")
    elif not paired:
        found.append("Accuracy was not compared: the reports saw other images (the hashes of their content differ).")
    return tuple(found)
