"""Float graph to quantised graph: a few candidates, the best by error on images that chose nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevision.converters.quantize.build import build_model
from edgevision.converters.quantize.correct import correct_biases
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.observe import Batches, Observer, Pixels, observe
from edgevision.converters.quantize.points import rounded_outputs, value_grids
from edgevision.converters.quantize.weights import quantize_kernels, round_biases


@dataclass(frozen=True)
class Quantized:
    """The one quantised model that every format is exported from.

    Attributes:
        graph: Operations; kernels on the int8 grid.
        ranges: 8-bit grid of every operation that writes one.
        ranges_by: "min-max" or "least-squares".
        bias_corrected: Whether biases were corrected.
        errors: Mean squared error of the outputs against float on held-out images, per candidate tried.
    """

    graph: Graph
    ranges: dict[str, Range]
    ranges_by: str
    bias_corrected: bool
    errors: dict[str, float]

    def model(self, batch: int | None = None) -> Any:
        """The fake-quantised Keras model; float32 raw pixels (batch, H, W, C) in."""
        return build_model(self.graph, self.ranges, batch=batch)


def quantize(graph: Graph, batches: Batches, correction: Pixels, held_out: Batches) -> Quantized:
    """Quantise to int8 weights per channel and 8-bit activations per tensor.

    Ranges by min-max or least squares, biases corrected or not: each of the four wins somewhere, and counting flipped
    predictions on some hundred images cannot tell them apart. The squared error of the outputs on held-out images can.

    Args:
        graph: Folded float graph (``fold.fold``), raw pixels in.
        batches: Calibration images for ranges.
        correction: Calibration images for bias correction, uint8 (n, H, W, C).
        held_out: Images for choosing among the candidates.
    """
    observers = observe(graph, batches)
    rounded = quantize_kernels(graph)
    estimates: dict[str, Callable[[Observer], Range]] = {
        "min-max": Observer.min_max,
        "least-squares": Observer.least_squares,
    }
    candidates: list[tuple[Graph, dict[str, Range], str, bool]] = []
    for name, estimate in estimates.items():
        grids = value_grids(graph, {key: estimate(observer) for key, observer in observers.items()})
        ranges = rounded_outputs(graph, grids)
        for is_corrected in (False, True):
            candidate = correct_biases(graph, rounded, ranges, correction) if is_corrected else rounded.copy()
            round_biases(candidate, grids)
            candidates.append((candidate, ranges, name, is_corrected))
    errors = _errors(graph, [candidate[:2] for candidate in candidates], held_out)
    best = int(np.argmin(errors))
    names = [f"{by}{', bias corrected' if corrected else ''}" for _, _, by, corrected in candidates]
    return Quantized(*candidates[best], dict(zip(names, errors)))


def _errors(graph: Graph, candidates: list[tuple[Graph, dict[str, Range]]], held_out: Batches) -> list[float]:
    reference = build_model(graph)
    models = [build_model(candidate, ranges) for candidate, ranges in candidates]
    sums, count = np.zeros(len(models)), 0
    for pixels in held_out():
        image = pixels.astype(np.float32)
        exact = np.asarray(reference(image, training=False))
        count += exact.size
        for index, model in enumerate(models):
            sums[index] += float(np.square(np.asarray(model(image, training=False)) - exact).sum())
    return [float(value) for value in sums / max(count, 1)]
