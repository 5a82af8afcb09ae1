"""What a report's raw measurements say: fastest, cost of int8, what cannot be trusted. Computed when read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevision.benchmarks.accuracy import Accuracy, Comparison, compare_precisions
from edgevision.benchmarks.report.model import STAGES, AccuracyRecord, Measured, Report
from edgevision.benchmarks.statistics import Estimate, percentiles, ratio_interval

#: Fewer images than this leave an accuracy uncertain by several points; the report says so.
FEW_IMAGES = 300
#: Spread of the rounds' medians (p90 - p10 over median) above which a latency is called unstable.
UNSTABLE = 0.25
#: Latencies closer than this share are called equal whatever their interval says. Rounds show what changes while
#: the processes live, not what two starts of one program differ by (where its memory happens to lie): the same
#: artifact measured in four processes at once came out up to 0.9 % apart, with intervals that began at 1.004.
SAME = 0.02


@dataclass(frozen=True)
class Fastest:
    """Which artifact has the lowest end-to-end latency here.

    Attributes:
        name: The one with the lowest median over rounds.
        ratios: Every other artifact's latency as a multiple of its; None where there were too few rounds.
            The intervals hold together at 95 %: each alone is wider (Bonferroni), because the best of
            several was picked.
        tied: The others that cannot be told from it: the interval of their ratio reaches down to ``1 + SAME``.
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
    best = min(runs, key=lambda run: float(np.median(run.round_medians_ms)))
    others = [run for run in runs if run is not best]
    confidence = 1 - 0.05 / max(1, len(others))
    ratios = {run.artifact: ratio_interval(run.round_medians_ms, best.round_medians_ms, confidence) for run in others}
    tied = tuple(name for name, ratio in ratios.items() if ratio is None or ratio.low <= 1 + SAME)
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


def instability(run: Measured) -> float:
    """How far the rounds' medians spread: (p90 - p10) / median."""
    low, middle, high = np.quantile(run.round_medians_ms, [0.1, 0.5, 0.9])
    return float((high - low) / middle) if middle else 0.0


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
        kind: What ``difference`` is about: "accuracy" or "agreement" with float.
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
        elif run.agreement is not None and not run.agreement.signals:  # those are no points
            known = run.agreement
            estimate = None if run.precision == "float32" else Estimate(known.difference, *known.interval)
            kind = "agreement" if known.top1 is None else "accuracy"
            found[run.artifact] = Quality("at conversion", known.images, known.top1, None, estimate, kind)
    return found


def cost_of_int8(report: Report) -> tuple[str, Quality] | None:
    """The int8 artifact a user would take, the fastest, and what is known of its quality; None when unknown."""
    known = qualities(report)
    names = [run.artifact for run in ranked(report) if run.precision == "int8" and run.artifact in known]
    return next(((name, known[name]) for name in names if known[name].difference is not None), None)


def ranked(report: Report) -> list[Measured]:
    """The artifacts, lowest median latency first; those that failed their checks last."""
    return sorted(report.artifacts, key=lambda run: (not run.passed, median_ms(run)))


def summary(report: Report) -> dict[str, Any]:
    """What follows from the measurements, as plain values for other programs."""
    best, known = fastest(report), qualities(report)
    return {
        "fastest": {
            "artifact": best.name,
            "clear": best.is_clear,
            "tied": list(best.tied),
            "ratios": {name: None if ratio is None else list(ratio) for name, ratio in best.ratios.items()},
        },
        "artifacts": {
            run.artifact: {
                "latency_ms": latency(run),
                "stages_p50_ms": stage_medians_ms(run),
                "runs": run.runs,
                "peak_bytes": run.peak_bytes,
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
