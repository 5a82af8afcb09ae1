"""Which units have to be in float for the quantised model to answer as the float model does.

The goal is the accuracy gate, but the gate's images are never seen here: it is judged afterwards, once, so that nothing
can be fitted to it. The images that chose between the all-int8 candidates stand in, and the goal is stricter than the
gate by a margin, because what looks best on a few images looks better there than elsewhere. For the same reason the
share of changed answers alone is not believed: on 100 images it comes in steps of a point. The divergence is measured
on the same images far more finely, and answers change about as its root, so that one foretells the other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from edgevision.benchmarks.statistics import wilson_interval
from edgevision.converters.quantize.quantize import Quantized
from edgevision.converters.quantize.sensitivity import Sensitivity, candidates, mac_share, sweep
from edgevision.converters.quantize.trials import Trial, Trials

#: The search wants no more than this part of the changes that are allowed.
MARGIN = 0.5
#: Part of the budget for the sweep.
_SWEEP = 0.6
#: Most that may go to float, as a share of the multiply-accumulates. What needs more had better be float altogether.
_MOST_FLOAT = 0.5
#: Gains below this part of the whole divergence are noise.
_NOISE = 0.01

#: Called with (what is done, how much of it is done, of how much).
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Found:
    """What came of a search.

    Attributes:
        quantized: The best mixture, or the all-int8 model.
        chosen: Its trial.
        start: The all-int8 model's trial.
        images: How many images they answered.
        allowed: Share of answers that may change, 0..1; no more than ``goal`` was aimed at.
        is_met: Whether ``chosen`` meets the goal.
        is_complete: Whether the budget was enough to look at everything. Everything may be too little all the same.
        sensitivities: The sweep, best first; empty when there was no need to search.
        trials: Every mixture tried in full.
        made: How many trials were run rather than remembered.
        seconds: How long it took.
    """

    quantized: Quantized
    chosen: Trial
    start: Trial
    images: int
    allowed: float
    is_met: bool
    is_complete: bool
    sensitivities: tuple[Sensitivity, ...] = ()
    trials: tuple[Trial, ...] = ()
    made: int = 0
    seconds: float = 0.0
    _trials: Trials | None = field(default=None, repr=False, compare=False)

    @property
    def goal(self) -> float:
        """Share of changed answers that was aimed at, 0..1."""
        return self.allowed * MARGIN

    def mixture(self, trial: Trial) -> Quantized:
        """The model of one of the trials."""
        assert self._trials is not None, "it was searched"
        return self._trials.mixture({head: _reason(head, self.sensitivities) for head in trial.reverted})


def is_needed(changed: float, images: int, allowed: float) -> bool:
    """Whether the share ``changed`` of the answers to so many images is more than allowed, and that by no accident.

    A search gives integer work up. Where the images leave it open (7 of 200 changed answers may be 2 % of all), the
    gate's own images are to tell.
    """
    return wilson_interval(round(changed * images), images)[0] > allowed


def search(
    trials: Trials,
    allowed: float,
    budget: float,
    tell: Tell = lambda *_: None,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """Take units to float, those first that bring most for their multiply-accumulates, until the goal is met.

    A sweep puts them in order; the shortest beginning of that order that meets the goal is looked for by doubling and
    bisection; then each of its units that is not needed goes back to int8.

    Args:
        trials: To try with.
        allowed: Share of answers that may change, 0..1, as the gate without labels has it.
        budget: Seconds. What is best when they are over is returned.
        tell: Called with each step.
        clock: Seconds.
    """
    run = _Search(trials, allowed, budget, tell, clock, clock())
    return run.found()


@dataclass
class _Search:
    trials: Trials
    allowed: float
    budget: float
    tell: Tell
    clock: Callable[[], float]
    begun: float
    tried: dict[frozenset[str], Trial] = field(default_factory=dict)

    def found(self) -> Found:
        start = self._full(frozenset())
        order: list[Sensitivity] = []
        is_whole = True
        if self.budget > 0 and is_needed(start.changed, self.trials.images, self.allowed):
            seconds = _SWEEP * self.budget
            over = lambda: self.clock() - self.begun >= seconds  # noqa: E731
            order = sweep(self.trials, seconds, over, lambda *done: self.tell("measuring sensitivities", *done))
            is_whole = len(order) == len(candidates(self.trials.quantized))
            self._refine(self._shortest(self._prefixes(order, start)))
        best = min(self.tried.values(), key=self._rank)
        reasons = {head: _reason(head, order) for head in best.reverted}
        return Found(
            self.trials.mixture(reasons),
            best,
            start,
            self.trials.images,
            self.allowed,
            self._is_met(best),
            is_whole and not self._is_over(),
            tuple(order),
            tuple(self.tried.values()),
            self.trials.made,
            self.clock() - self.begun,
            self.trials,
        )

    def _shortest(self, prefixes: list[frozenset[str]]) -> frozenset[str]:
        """The shortest prefix that meets the goal, or the longest tried."""
        below, above, length = 0, None, 1
        while above is None and prefixes and not self._is_over():
            length = min(length, len(prefixes))
            if self._is_met(self._full(prefixes[length - 1])):
                above = length
            elif length == len(prefixes):
                return prefixes[-1]
            else:
                below, length = length, 2 * length
        while above is not None and above - below > 1 and not self._is_over():
            middle = (below + above) // 2
            if self._is_met(self._full(prefixes[middle - 1])):
                above = middle
            else:
                below = middle
        return frozenset() if above is None else prefixes[above - 1]

    def _refine(self, heads: frozenset[str]) -> None:
        """Each unit back to int8 that is not needed, those first that cost most."""
        shares = {head: mac_share(self.trials.quantized, frozenset({head})) for head in heads}
        for head in sorted(heads, key=lambda head: (-shares[head], head)):
            if self._is_over() or len(heads) == 1 or not self._is_met(self._full(heads)):
                return
            if self._is_met(self._full(heads - {head})):
                heads = heads - {head}

    def _full(self, heads: frozenset[str]) -> Trial:
        trial = self.trials.full(heads)
        self.tried[trial.reverted] = trial
        self.tell("trying mixtures", len(self.tried), 0)
        return trial

    def _is_met(self, trial: Trial) -> bool:
        return self._loss(trial) <= self.allowed * MARGIN

    def _loss(self, trial: Trial) -> float:
        """Share of answers that it changes: as counted, or as its divergence foretells where that is more."""
        start = self.tried[frozenset()]
        ratio = trial.divergence / start.divergence if start.divergence > 0 else 1.0
        return max(trial.changed, MARGIN * start.changed * math.sqrt(max(ratio, 0.0)))

    def _rank(self, trial: Trial) -> tuple[float, float, float]:
        """The cheapest of those that meet the goal, else of those that hold the gate, else what is nearest to it."""
        share, loss = mac_share(self.trials.quantized, trial.reverted), self._loss(trial)
        if loss <= self.allowed:
            return float(not self._is_met(trial)), share, trial.divergence
        return 2.0, loss, trial.divergence

    def _prefixes(self, order: list[Sensitivity], start: Trial) -> list[frozenset[str]]:
        """The units of the first one, two, three, ... that bring more than noise, up to half of the work."""
        worth_it = [each.units for each in order if each.gain > _NOISE * start.divergence]
        grown: Iterator[frozenset[str]] = accumulate(worth_it, frozenset.union)
        return [each for each in dict.fromkeys(grown) if mac_share(self.trials.quantized, each) <= _MOST_FLOAT]

    def _is_over(self) -> bool:
        return self.clock() - self.begun >= self.budget


def _reason(head: str, order: Sequence[Sensitivity]) -> str:
    """Why a unit is in float: what it, or the smallest company it was measured in, costs in int8."""
    measured = [each for each in order if head in each.units and each.gain > 0]
    if not measured:
        return "reverted by the search"
    best = min(measured, key=lambda each: (len(each.units), -each.gain))
    others = sorted(best.units - {head})
    company = f" with {', '.join(others)}" if others else ""
    return f"reverted by the search: in int8{company} it costs {best.gain:.2g} nats of divergence"
