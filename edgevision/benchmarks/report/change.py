"""What changed in accuracy from one report to the next, whatever the task measures it by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from edgevision.benchmarks.metrics.bootstrap import percentile_interval
from edgevision.benchmarks.report import words
from edgevision.benchmarks.report.findings import accuracies
from edgevision.benchmarks.report.model import Report
from edgevision.benchmarks.statistics import Z95, Estimate, paired_interval

#: Figures as people call them; any other by its own name.
_NAMES = {"top1": "accuracy", "ap50": "AP50", "miou": "mean IoU", "eer": "EER", "map": "mAP"}
_NAMES |= {"mean_absolute": "mean distance"}
#: Smaller changes are printed as 0.0. Where a network's scores all moved by a hair, a bootstrap finds a hundredth of a
#: point as certain as it is of no consequence.
_LEAST = 0.05


@dataclass(frozen=True)
class Change:
    """One artifact's figure in two reports.

    Attributes:
        metric: Which figure: "top1", "ap50", "miou", "eer", "map", "mean_absolute".
        unit: What differences of it are in: "points" (percent) or "grey levels".
        higher_is_better: Whether a positive change is an improvement.
        old: The figure as it was, a share 0..1 or grey levels.
        new: As it is.
        n: How many images (pairs of images, of "eer") were judged.
        value: ``new`` less ``old`` in ``unit``.
        low: Lower end of its interval; None without one.
        high: Upper end.
        kind: "paired": the interval is about the same images; "unpaired": it is made of the two reports' own intervals,
            which is wider; "none": there is no interval.
    """

    metric: str
    unit: str
    higher_is_better: bool
    old: float
    new: float
    n: int
    value: float
    low: float | None
    high: float | None
    kind: str

    @property
    def name(self) -> str:
        """The figure as people call it."""
        return _NAMES.get(self.metric, self.metric)

    @property
    def judged(self) -> str:
        """ "1000 images", "4950 pairs"."""
        return words.count(self.n, "pair" if self.metric == "eer" else "image")

    @property
    def is_shown(self) -> bool:
        """Whether the interval lies on one side of 0, and the change is not told as 0.0."""
        known = self.low is not None and self.high is not None and not self.low <= 0 <= self.high
        return known and abs(self.value) >= _LEAST

    @property
    def is_worse(self) -> bool:
        """Whether it got worse for certain."""
        return self.is_shown and (self.value < 0) == self.higher_is_better

    @property
    def gain(self) -> float:
        """``value``, positive where it is an improvement."""
        return self.value if self.higher_is_better else -self.value

    def moved(self) -> str:
        """ "accuracy down by 3.0 points", "EER up by 1.2 points"."""
        return f"{self.name} {'up' if self.value > 0 else 'down'} by {abs(self.value):.1f} {self.unit}"

    def shown(self) -> str:
        """With its interval: "-0.3 (-0.9 to +0.3)"; "-0.3 (no interval)"."""
        if self.low is None or self.high is None:
            return f"{words.points(self.value)} (no interval)"
        kind = ", unpaired" if self.kind == "unpaired" else ""
        return f"{words.points(self.value)} ({words.span(self.low, self.high)}{kind})"


def changes(old: Report, new: Report, confidence: float) -> dict[str, Change]:
    """Artifact -> how its figure changed, of those that both reports judged on the same data.

    Args:
        old: The earlier report.
        new: The later one.
        confidence: Of the intervals, 0..1.
    """
    if not same_data(old, new):
        return {}
    if old.accuracy is not None:
        return _of_classes(old, new, confidence)
    before, after = old.figures["artifacts"], new.figures["artifacts"]
    found = {name: _of_figures(old.figures, new.figures, name, confidence) for name in after if name in before}
    return {name: change for name, change in found.items() if change is not None}


def same_data(old: Report, new: Report) -> bool:
    """Whether both judged the same labelled images by the same figure: the hash of their content says so.

    Of figures without a hash, which reports of before had none of, the images that were run have to be the same, and as
    many judged.
    """
    a, b = old.accuracy, new.accuracy
    if a is not None and b is not None:
        return bool(a.sha256) and a.sha256 == b.sha256 and a.truth == b.truth
    if a is not None or b is not None or not old.figures or not new.figures:
        return False
    if old.figures["metric"] != new.figures["metric"]:
        return False
    if old.figures.get("sha256") and new.figures.get("sha256"):
        return bool(old.figures["sha256"] == new.figures["sha256"])
    counts = [{each["n"] for each in report.figures["artifacts"].values()} for report in (old, new)]
    images = [report.images.get("sha256") for report in (old, new)]
    return counts[0] == counts[1] and bool(images[0]) and images[0] == images[1]


def _of_classes(old: Report, new: Report, confidence: float) -> dict[str, Change]:
    before, after = accuracies(old.accuracy), accuracies(new.accuracy)
    return {
        name: Change(
            *("top1", "points", True, before[name].top1, after[name].top1, after[name].n),
            *paired_interval(before[name].correct, after[name].correct, confidence),
            "paired",
        )
        for name in after
        if name in before
    }


def _of_figures(old: Mapping[str, Any], new: Mapping[str, Any], name: str, confidence: float) -> Change | None:
    metric = new["metric"]
    one, two = old["artifacts"][name], new["artifacts"][name]
    if one[metric] is None or two[metric] is None:
        return None
    unit = new.get("unit", "points")
    factor = 100.0 if unit == "points" else 1.0
    value = factor * (two[metric] - one[metric])
    spreads = [np.array(each.get("resamples", {}).get(name, []), np.float64) for each in (old, new)]
    kind, found = "none", None
    if spreads[0].size and spreads[0].size == spreads[1].size:
        kind, found = "paired", percentile_interval(value, factor * (spreads[1] - spreads[0]), confidence)
    elif None not in (*one["interval95"], *two["interval95"]):
        kind, found = "unpaired", _apart(value, factor, one, two, metric, confidence)
    low, high = (None, None) if found is None else found[1:]
    is_better = new.get("higher_is_better", metric not in ("eer", "mean_absolute"))
    return Change(metric, unit, is_better, one[metric], two[metric], two["n"], value, low, high, kind)


def _apart(
    value: float, factor: float, old: Mapping[str, Any], new: Mapping[str, Any], metric: str, confidence: float
) -> Estimate:
    """The difference of two figures from the interval of each, as if they were of different images.

    Zou, G. Y. and Donner, A. (2008), Construction of confidence limits about effect measures: a general approach,
    Stat. Med. 27, 1693-1702. The same images make both rise and fall together: it is too wide here, not too narrow.
    """
    wider = factor * NormalDist().inv_cdf((1 + confidence) / 2) / Z95
    (a_low, a_high), (b_low, b_high) = ([wider * (x - each[metric]) for x in each["interval95"]] for each in (old, new))
    return Estimate(value, value - math.hypot(b_low, a_high), value + math.hypot(b_high, a_low))
