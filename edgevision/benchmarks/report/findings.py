"""What a report's raw measurements say: fastest, cost of int8, what cannot be trusted. Computed when read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgevision.benchmarks.accuracy import Accuracy, Comparison, compare_precisions
from edgevision.benchmarks.report.model import STAGES, AccuracyRecord, Measured, Report
from edgevision.benchmarks.report.validity import drift, validity
from edgevision.benchmarks.report.verdicts import Verdict, verdict
from edgevision.benchmarks.resampling import interval
from edgevision.benchmarks.statistics import Estimate, described, percentiles

#: Fewer images than this leave an accuracy uncertain by several points; the report says so.
FEW_IMAGES = 300


@dataclass(frozen=True)
class Fastest:
    """Which artifact has the lowest end-to-end latency here.

    Attributes:
        name: The one with the lowest median.
        ratios: Every other artifact's latency as a multiple of its; None where there were too few rounds.
            The intervals hold together at 95 %: each alone is wider (Bonferroni), because the best of
            several was picked.
        tied: The others that cannot be told from it, see ``verdicts.verdict``.
    """

    name: str
    ratios: Mapping[str, Estimate | None]
    tied: tuple[str, ...]

    @property
    def is_clear(self) -> bool:
        """Whether it is distinguishable from all others."""
        return not self.tied


def fastest(report: Report) -> Fastest:
    """The fastest of the artifacts that passed their checks; of all, when none passed."""
    runs = [run for run in report.artifacts if run.passed] or list(report.artifacts)
    best = min(runs, key=median_ms)
    others = [run for run in runs if run is not best]
    verdicts = {run.artifact: verdict(run, best, rows=len(others)) for run in others}
    ratios = {name: each.ratio for name, each in verdicts.items()}
    tied = tuple(name for name, each in verdicts.items() if each.word != "slower")
    return Fastest(best.artifact, ratios, tied)


def latency(run: Measured) -> dict[str, float]:
    """Supported percentiles end to end, milliseconds: {"p50": ..., "p90": ...}."""
    return percentiles(run.total_ms)


def median_ms(run: Measured) -> float:
    """Median end to end, milliseconds: a plain description of the runs made, whatever their number."""
    return float(np.median(run.total_ms))


def stage_medians_ms(run: Measured) -> dict[str, float]:
    """Median of every stage, milliseconds. Medians do not add up exactly to the median of the sum."""
    return {stage: float(np.median(run.stage_ms(stage))) for stage in STAGES}


def intervals_ms(run: Measured) -> dict[str, Estimate]:
    """p50 and p90 end to end with their 95 % intervals, milliseconds, where they are supported."""
    values, found = latency(run), {}
    for name, p in (("p50", 0.5), ("p90", 0.9)):
        if name in values and (estimate := interval(values[name], run.resampled_ms[p], run.block_processes)):
            found[name] = estimate
    return found


def against_float(report: Report) -> dict[str, Verdict]:
    """int8 artifact -> its latency against the float32 artifact of the same format, where both were measured."""
    floats = {run.format: run for run in report.artifacts if run.precision == "float32"}
    pairs = [(run, floats[run.format]) for run in report.artifacts if run.precision == "int8" and run.format in floats]
    return {run.artifact: verdict(run, other, rows=len(pairs)) for run, other in pairs}


def joules(run: Measured) -> float | None:
    """Energy of a prediction, joules: the median of the processes; None where it was not measured."""
    known = [each.joules_per_run for each in run.processes if each.joules_per_run is not None]
    return float(np.median(known)) if known else None


def accuracies(record: AccuracyRecord | None) -> dict[str, Accuracy]:
    """Accuracy per artifact on the data of the report; empty when none was labelled."""
    if record is None:
        return {}
    truth = np.asarray(record.truth, np.int64)
    return {name: Accuracy(np.asarray(found, np.int64), truth) for name, found in record.predictions.items()}


@dataclass(frozen=True)
class Quality:
    """How good an artifact's answers are, from the best source there is.

    Attributes:
        source: "measured here" or "at conversion".
        n: Images.
        top1: Accuracy 0..1, None without labels.
        interval: 95 % interval of ``top1``, None when only the conversion's figure is known.
        difference: Against float in points, with its paired 95 % interval; None for float itself.
        kind: What ``difference`` is about: "accuracy", "agreement" with float, or the task's own metric, which ``top1``
            then is.
    """

    source: str
    n: int
    top1: float | None
    interval: tuple[float, float] | None
    difference: Estimate | None
    kind: str = "accuracy"


def qualities(report: Report) -> dict[str, Quality]:
    """Per artifact what is known of its accuracy; artifacts about which nothing is known are left out."""
    measured = accuracies(report.accuracy)
    compared: dict[str, Comparison] = {item.artifact: item for item in compare_precisions(measured)}
    found: dict[str, Quality] = {}
    for run in report.artifacts:
        if run.artifact in measured:
            own = measured[run.artifact]
            difference = compared[run.artifact].difference if run.artifact in compared else None
            found[run.artifact] = Quality("measured here", own.n, own.top1, own.interval95, difference)
        elif run.artifact in report.figures.get("artifacts", {}):
            found[run.artifact] = _figure(report.figures, run.artifact)
        elif run.agreement is not None and run.agreement.metric is not None:
            known, (low, high) = run.agreement, run.agreement.interval
            estimate = None if run.precision == "float32" else Estimate(known.difference, low, high)
            kind = str(known.metric)
            found[run.artifact] = Quality("at conversion", known.images, known.value, None, estimate, kind)
        elif run.agreement is not None and not run.agreement.signals:  # those are no points
            known = run.agreement
            estimate = None if run.precision == "float32" else Estimate(known.difference, *known.interval)
            kind = "agreement" if known.top1 is None else "accuracy"
            found[run.artifact] = Quality("at conversion", known.images, known.top1, None, estimate, kind)
    return found


def _figure(figures: Mapping[str, Any], artifact: str) -> Quality:
    """What ``Report.figures`` holds of an artifact; a metric in another unit than points has no difference here."""
    own, difference = figures["artifacts"][artifact], None
    for each in figures["comparisons"]:
        if each["artifact"] == artifact and each.get("difference_points") is not None:
            difference = Estimate(each["difference_points"], *each["interval95"])
    interval = None if None in own["interval95"] else tuple(own["interval95"])
    return Quality("measured here", own["n"], own[figures["metric"]], interval, difference, figures["metric"])


def cost_of_int8(report: Report) -> tuple[str, Quality] | None:
    """The int8 artifact a user would take, the fastest, and what is known of its quality; None when unknown."""
    known = qualities(report)
    names = [run.artifact for run in ranked(report) if run.precision == "int8" and run.artifact in known]
    return next(((name, known[name]) for name in names if known[name].difference is not None), None)


def shown_int8(report: Report) -> str | None:
    """The int8 artifact whose answers are shown: the fastest that passed its checks; None when none has answers."""
    known = {} if report.accuracy is None else report.accuracy.predictions
    names = [run.artifact for run in ranked(report) if run.precision == "int8" and run.artifact in known]
    return names[0] if names else None


def ranked(report: Report) -> list[Measured]:
    """The artifacts, lowest median latency first; those that failed their checks last."""
    return sorted(report.artifacts, key=lambda run: (not run.passed, median_ms(run)))


def summary(report: Report) -> dict[str, Any]:
    """What follows from the measurements, as plain values for other programs."""
    best, known, state = fastest(report), qualities(report), validity(report)
    return {
        "fastest": {
            "artifact": best.name,
            "clear": best.is_clear,
            "tied": list(best.tied),
            "ratios": {name: None if ratio is None else list(ratio) for name, ratio in best.ratios.items()},
        },
        "validity": {"state": state.state, "reasons": list(state.reasons)},
        "against_float": {name: asdict(each) for name, each in against_float(report).items()},
        "artifacts": {
            run.artifact: {
                "latency_ms": asdict(described(run.total_ms)),
                "latency_interval95_ms": {name: each[1:] for name, each in intervals_ms(run).items()},
                "drift": drift(run),
                "stages_p50_ms": stage_medians_ms(run),
                "runs": run.runs,
                "peak_bytes": run.peak_bytes,
                "steady_bytes": run.steady_bytes,
                "joules_per_run": joules(run),
                "size_bytes": run.size_bytes,
                "accuracy": _plain_quality(known.get(run.artifact)),
            }
            for run in report.artifacts
        },
        "overhead_ms": None if report.overhead is None else stage_medians_ms(report.overhead),
    }


def _plain_quality(quality: Quality | None) -> dict[str, Any] | None:
    if quality is None:
        return None
    difference = quality.difference
    return {
        "source": quality.source,
        "n": quality.n,
        "top1": quality.top1,
        "interval95": None if quality.interval is None else list(quality.interval),
        "difference_points": None if difference is None else difference.value,
        "difference_interval95": None if difference is None else [difference.low, difference.high],
    }
