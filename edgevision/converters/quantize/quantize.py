"""Float graph to quantised graph: a few candidates, the best by error on images that chose nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevision.converters.quantize.build import build_model
from edgevision.converters.quantize.convergence import Convergence, convergence
from edgevision.converters.quantize.correct import correct_biases
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.observe import Batches, Observer, Pixels, observe
from edgevision.converters.quantize.points import logits_point, rounded_outputs, value_grids
from edgevision.converters.quantize.scoring import divergence, logits_range
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
        errors: Divergence of the probabilities from float on held-out images, nats, per candidate tried.
        convergence: Whether more images would still move the ranges; None when none had to be measured.
    """

    graph: Graph
    ranges: dict[str, Range]
    ranges_by: str
    bias_corrected: bool
    errors: dict[str, float]
    convergence: Convergence | None = None

    def model(self, batch: int | None = None) -> Any:
        """The fake-quantised Keras model; float32 raw pixels (batch, H, W, C) in."""
        return build_model(self.graph, self.ranges, batch=batch)


def quantize(graph: Graph, scores: Scores, batches: Batches, correction: Pixels, held_out: Batches) -> Quantized:
    """Quantise to int8 weights per channel and 8-bit activations per tensor.

    Ranges by min-max or least squares, biases corrected or not: each of the four wins somewhere, and counting flipped
    predictions on some hundred images cannot tell them apart. The divergence of the outputs on held-out images can.

    Args:
        graph: Folded float graph (``fold.fold``), raw pixels in.
        scores: What its outputs are.
        batches: Calibration images for ranges.
        correction: Calibration images for bias correction, uint8 (n, H, W, C).
        held_out: Images for choosing among the candidates.
    """
    candidates = list(_candidates(graph, scores, batches, correction))
    errors = _errors(graph, scores, candidates, held_out)
    best = int(np.argmin(errors))
    by_name = {f"{c.ranges_by}{', bias corrected' if c.bias_corrected else ''}": e for c, e in zip(candidates, errors)}
    return dataclasses.replace(candidates[best], errors=by_name)


def _candidates(graph: Graph, scores: Scores, batches: Batches, correction: Pixels) -> Iterator[Quantized]:
    observers = observe(graph, batches)
    settled = convergence({name: observer.images for name, observer in observers.items()})
    rounded = quantize_kernels(graph)
    last = logits_point(graph)
    fixed = {} if last is None else {last: logits_range(_outputs(graph, last, batches), scores)}
    for name, estimate in _ESTIMATES.items():
        measured = {key: estimate(observer) for key, observer in observers.items()}
        grids = value_grids(graph, {**measured, **fixed})
        ranges = rounded_outputs(graph, grids)
        for is_corrected in (False, True):
            candidate = correct_biases(graph, rounded, ranges, correction) if is_corrected else rounded.copy()
            round_biases(candidate, grids)
            yield Quantized(candidate, ranges, name, is_corrected, {}, settled)


def _outputs(graph: Graph, name: str, batches: Batches) -> Any:
    model = build_model(graph, outputs=[name])
    return np.concatenate([np.asarray(model(pixels.astype(np.float32), training=False)[name]) for pixels in batches()])


def _errors(graph: Graph, scores: Scores, candidates: list[Quantized], held_out: Batches) -> list[float]:
    models = [build_model(graph), *(candidate.model() for candidate in candidates)]
    rows = [[np.asarray(model(pixels.astype(np.float32), training=False)) for model in models] for pixels in held_out()]
    reference, *others = (np.concatenate(column) for column in zip(*rows))
    return [divergence(reference, outputs, scores) for outputs in others]
