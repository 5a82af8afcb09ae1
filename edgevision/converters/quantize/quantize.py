"""Float graph to quantised graph: a few candidates, the best by error on images that chose nothing."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgevision.converters.quantize.averages import with_kernels
from edgevision.converters.quantize.build import answer, build_model, ready
from edgevision.converters.quantize.convergence import Convergence, convergence
from edgevision.converters.quantize.correct import correct_biases, kernel_means
from edgevision.converters.quantize.equalize import equalize
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.grids import matched
from edgevision.converters.quantize.logits import Logits, narrow_logits, wide_logits
from edgevision.converters.quantize.observe import Batch, Batches, Observer, observe
from edgevision.converters.quantize.points import logits_point, rounded_outputs, value_grids
from edgevision.converters.quantize.rounding import feedback_kernel
from edgevision.converters.quantize.scoring import changed, divergence, noise_shares
from edgevision.converters.quantize.steps import with_steps
from edgevision.converters.quantize.weights import overflows, quantize_kernels, round_biases
from edgevision.runtime.manifest import Scores, Target

#: How kernels are rounded: each weight to the nearest step; the same and biases moved to make up for it (``correct``);
#: with feedback between weights, biases as well (``rounding``).
Rounding = Literal["nearest", "biases corrected", "feedback"]

_ESTIMATES: dict[str, Callable[[Observer], Range]] = {
    "min-max": Observer.min_max,
    "least-squares": Observer.least_squares,
    "99.99 %": lambda observer: observer.percentile(0.9999),
    # 99.9 % was 5 to 41 times as bad as the best on each of six networks.
}
#: Ways to set ranges that the other ways to round are tried with.
_FINALISTS = 2

#: How much more divergence from float, as a factor, weights that are safe without VNNI may bring. With biases corrected
#: they brought 2 to 10 % on six trained CIFAR networks and 1,000 images (7 bits throughout: 10 to 29 %). On the some
#: dozen images that choose here it can be far more: 90 % on one of these networks, with feedback. Then 8 bits are kept
#: and the files that need VNNI say so.
MOST_FOR_SAFETY = 1.1


@dataclass(frozen=True)
class Quantized:
    """The one quantised model that every format is exported from.

    Attributes:
        graph: Operations; kernels on the int8 grid.
        exact: The same operations in float, which ``graph`` was rounded from.
        ranges: 8-bit grid of every operation that writes one.
        ranges_by: "min-max", "least-squares" or the share of values that percentiles keep at each end.
        rounding: How kernels were rounded.
        logits: The operation whose output is not rounded to 8 bits; None where all are.
        equalized: Whether channels were levelled before (``equalize``).
        errors: How far each candidate tried is from float on held-out samples: divergence of the probabilities, nats;
            of outputs that are no class scores ``scoring.noise_shares``.
        is_pair_safe: Whether weights were rounded so that 8-bit sums saturate nowhere (``pairs``).
        changed: Share of those samples with another best class than float's, 0..1; 0 where there are no classes.
        int8_graph: ``graph`` before some of it went to float (``mixed.mix``); None where nothing did.
        convergence: Whether more images would still move the ranges; None when none had to be measured.
    """

    graph: Graph
    exact: Graph
    ranges: dict[str, Range]
    ranges_by: str
    rounding: Rounding
    logits: Logits | None
    equalized: bool
    errors: dict[str, float]
    convergence: Convergence | None = None
    is_pair_safe: bool = False
    changed: float = 0.0
    int8_graph: Graph | None = None

    @property
    def recipe(self) -> str:
        """Name of this candidate in ``errors``."""
        marks = {", equalized": self.equalized, ", pair-safe": self.is_pair_safe}
        return f"{self.ranges_by}, {self.rounding}{''.join(mark for mark, holds in marks.items() if holds)}"

    def model(self, batch: int | None = None) -> Any:
        """The fake-quantised Keras model; ``build.run`` feeds it."""
        return build_model(self.graph, self.ranges, batch=batch)

    def whole_model(self) -> Any:
        """The same model as integer kernels compute it, without float32's rounding of sums (``integers``)."""
        return build_model(self.graph, self.ranges, whole=True)

    def weights_model(self) -> Any:
        """The Keras model with these weights and float activations."""
        return build_model(self.int8_graph or self.graph)


def quantize(
    graph: Graph,
    scores: Scores | None,
    batches: Batches,
    correction: Batch,
    held_out: Batches,
    target: Target = "any",
) -> Quantized:
    """Quantise to int8 weights per channel and 8-bit activations per tensor.

    Each way to set ranges and to round kernels wins somewhere, and counting flipped predictions on some hundred images
    cannot tell them apart. The divergence of the outputs on held-out images can. It chooses the two best ways to set
    ranges, on the graph as it is and with its channels levelled where they differ, kernels rounded to the nearest; then
    among the other ways to round with those.

    Args:
        graph: Folded float graph (``fold.fold``).
        scores: What a classifier's outputs are; None for outputs that are no class scores.
        batches: Calibration samples for ranges.
        correction: Calibration samples for rounding and bias correction.
        held_out: Samples for choosing among the candidates.
        target: Processors to run on. With "any" the best candidate is rounded once more so that it is right on x86
            without VNNI, and that one is taken unless it is notably worse.
    """
    graph = with_kernels(graph)
    judge = _Judge(graph, scores, held_out)
    starts = [_Seen(graph, scores, batches, correction)]
    equalized = equalize(graph, correction)
    if equalized is not None:
        starts.append(_Seen(equalized, scores, batches, correction, is_equalized=True))
    ways = [(start, estimate) for start in starts for estimate in _ESTIMATES]
    errors = [judge.hear(start.candidate(estimate, "nearest")) for start, estimate in ways]
    for index in np.argsort(errors)[:_FINALISTS]:
        start, estimate = ways[index]
        judge.hear(start.candidate(estimate, "biases corrected"))
        judge.hear(start.candidate(estimate, "feedback"))
    chosen = judge.best()
    if target == "any" and overflows(chosen.graph):
        safe = starts[chosen.equalized].candidate(chosen.ranges_by, chosen.rounding, pair_safe=True)
        if judge.hear(safe) <= MOST_FOR_SAFETY * chosen.errors[chosen.recipe]:
            return judge.told(safe)
    return chosen


class _Seen:
    """A float graph and what calibration images showed of it: what candidates are made of."""

    def __init__(
        self, graph: Graph, scores: Scores | None, batches: Batches, correction: Batch, is_equalized: bool = False
    ) -> None:
        self._is_equalized = is_equalized
        self._correction, self._means = correction, kernel_means(graph, correction)
        self._graph, self._nearest = graph, quantize_kernels(graph)
        self._observers = observe(graph, batches)
        self._measured: dict[str, dict[str, Range]] = {}
        self._settled = convergence({name: observer.images for name, observer in self._observers.items()})
        self._logits: Logits | None = None
        self._given: dict[str, Range] = {}
        last = None if scores is None else logits_point(graph)
        if scores is not None and last is not None:
            self._logits = wide_logits(graph, self._observers[last], batches, scores)
            self._given = {} if self._logits is not None else {last: narrow_logits(graph, batches, scores)}

    def candidate(self, estimate: str, rounding: Rounding, pair_safe: bool = False) -> Quantized:
        if estimate not in self._measured:
            self._measured[estimate] = {name: _ESTIMATES[estimate](item) for name, item in self._observers.items()}
        measured = matched(self._graph, {**self._measured[estimate], **self._given})
        grids = value_grids(self._graph, with_steps(self._graph, measured))
        if self._logits is not None:
            del grids[self._logits.name]
        ranges = rounded_outputs(self._graph, grids)
        nearest = quantize_kernels(self._graph, pair_safe=True) if pair_safe else self._nearest
        if rounding == "nearest":
            made = nearest.copy()
        else:
            round_kernel = functools.partial(feedback_kernel, pair_safe=pair_safe) if rounding == "feedback" else None
            made = correct_biases(self._graph, nearest, grids, self._correction, self._means, round_kernel)
        round_biases(made, grids)
        return Quantized(
            made,
            self._graph,
            ranges,
            estimate,
            rounding,
            self._logits,
            self._is_equalized,
            {},
            self._settled,
            pair_safe,
        )


class _Judge:
    """Compares candidates with the float model on images that made none of them, and keeps the best."""

    def __init__(self, graph: Graph, scores: Scores | None, held_out: Batches) -> None:
        self._graph, self._scores, self._held_out = graph, scores, held_out
        self._float = ready(build_model(graph), graph)
        self._exact: Any = None if scores is None else self._scored(self._float)
        self._errors: dict[str, float] = {}
        self._changed: dict[str, float] = {}
        self._best: Quantized | None = None

    def hear(self, candidate: Quantized) -> float:
        """How far its answers are from float's."""
        model = ready(candidate.model(), candidate.graph)
        if self._scores is None:  # of maps and images only sums are kept
            pairs = ([answer(each, self._graph, batch) for each in (self._float, model)] for batch in self._held_out())
            (error,) = noise_shares(pairs)
        else:
            found = self._scored(model)
            error = divergence(self._exact, found, self._scores)
            self._changed[candidate.recipe] = changed(self._exact, found, self._scores)
        if self._best is None or error < self._errors[self._best.recipe]:
            self._best = candidate
        self._errors[candidate.recipe] = error
        return error

    def best(self) -> Quantized:
        if self._best is None:
            raise ValueError("no candidate was heard")
        return self.told(self._best)

    def told(self, candidate: Quantized) -> Quantized:
        """A candidate that was heard, with what was found."""
        return dataclasses.replace(candidate, errors=self._errors, changed=self._changed.get(candidate.recipe, 0.0))

    def _scored(self, model: Any) -> Any:
        (name,) = self._graph.outputs
        return np.concatenate([answer(model, self._graph, batch)[name] for batch in self._held_out()])
