"""Float graph to quantised graph: a few candidates, the best by error on images that chose nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevision.converters.quantize.build import answer, build_model, run
from edgevision.converters.quantize.convergence import Convergence, convergence
from edgevision.converters.quantize.correct import correct_biases
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.observe import Batch, Batches, Observer, observe
from edgevision.converters.quantize.points import logits_point, rounded_outputs, value_grids
from edgevision.converters.quantize.scoring import divergence, logits_range, noise_shares
from edgevision.converters.quantize.weights import quantize_kernels, round_biases
from edgevision.runtime.manifest import Scores

_ESTIMATES: dict[str, Callable[[Observer], Range]] = {
    "min-max": Observer.min_max,
    "least-squares": Observer.least_squares,
}


@dataclass(frozen=True)
class Quantized:
    """The one quantised model that every format is exported from.

    Attributes:
        graph: Operations; kernels on the int8 grid.
        ranges: 8-bit grid of every operation that writes one.
        ranges_by: "min-max" or "least-squares".
        bias_corrected: Whether biases were corrected.
        errors: How far each candidate tried is from float on held-out samples: divergence of the probabilities, nats;
            of outputs that are no class scores ``scoring.noise_shares``.
        convergence: Whether more images would still move the ranges; None when none had to be measured.
    """

    graph: Graph
    ranges: dict[str, Range]
    ranges_by: str
    bias_corrected: bool
    errors: dict[str, float]
    convergence: Convergence | None = None

    def model(self, batch: int | None = None) -> Any:
        """The fake-quantised Keras model; ``build.run`` feeds it."""
        return build_model(self.graph, self.ranges, batch=batch)


def quantize(graph: Graph, scores: Scores | None, batches: Batches, correction: Batch, held_out: Batches) -> Quantized:
    """Quantise to int8 weights per channel and 8-bit activations per tensor.

    Ranges by min-max or least squares, biases corrected or not: each of the four wins somewhere, and counting flipped
    predictions on some hundred images cannot tell them apart. The divergence of the outputs on held-out images can.

    Args:
        graph: Folded float graph (``fold.fold``).
        scores: What a classifier's outputs are; None for outputs that are no class scores.
        batches: Calibration samples for ranges.
        correction: Calibration samples for bias correction.
        held_out: Samples for choosing among the candidates.
    """
    candidates = list(_candidates(graph, scores, batches, correction))
    errors = _errors(graph, scores, candidates, held_out)
    best = int(np.argmin(errors))
    by_name = {f"{c.ranges_by}{', bias corrected' if c.bias_corrected else ''}": e for c, e in zip(candidates, errors)}
    return dataclasses.replace(candidates[best], errors=by_name)


def _candidates(graph: Graph, scores: Scores | None, batches: Batches, correction: Batch) -> Iterator[Quantized]:
    observers = observe(graph, batches)
    settled = convergence({name: observer.images for name, observer in observers.items()})
    rounded = quantize_kernels(graph)
    fixed = {} if scores is None else _logits_grid(graph, scores, batches)
    for name, estimate in _ESTIMATES.items():
        measured = {key: estimate(observer) for key, observer in observers.items()}
        grids = value_grids(graph, {**measured, **fixed})
        ranges = rounded_outputs(graph, grids)
        for is_corrected in (False, True):
            candidate = correct_biases(graph, rounded, ranges, correction) if is_corrected else rounded.copy()
            round_biases(candidate, grids)
            yield Quantized(candidate, ranges, name, is_corrected, {}, settled)


def _logits_grid(graph: Graph, scores: Scores, batches: Batches) -> dict[str, Range]:
    last = logits_point(graph)
    if last is None:
        return {}
    model = build_model(graph, outputs=[last])
    logits = np.concatenate([np.asarray(run(model, batch)[last]) for batch in batches()])
    return {last: logits_range(logits, scores)}


def _errors(graph: Graph, scores: Scores | None, candidates: list[Quantized], held_out: Batches) -> list[float]:
    models = [build_model(graph), *(candidate.model() for candidate in candidates)]
    rows = ([answer(model, graph, batch) for model in models] for batch in held_out())
    if scores is None:
        return noise_shares(rows)
    (name,) = graph.outputs
    reference, *others = (np.concatenate([outputs[name] for outputs in column]) for column in zip(*rows))
    return [divergence(reference, outputs, scores) for outputs in others]
