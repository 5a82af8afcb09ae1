"""Ranges of activations, streamed over calibration images: memory does not grow with their number.

Three estimates. Min-max covers everything seen. Percentiles leave the most extreme values out, a fixed share of them.
Least squares clips where that pays: it takes the range whose 8-bit grid has the smallest squared rounding-plus-clipping
error on a histogram of the values. Of values that are read through a function alone, the error counts that is left
behind it: hard swish makes zero of everything below -3, so a grid that reached further down would be wasted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.build import build_model, ready, run
from edgevision.converters.quantize.fake_quant import STEPS, Range
from edgevision.converters.quantize.functions import Function, function_behind
from edgevision.converters.quantize.graph import Graph
from edgevision.converters.quantize.points import measured_points

#: One array (n, ...) per input of the graph, by name; pixels are uint8 (n, H, W, C).
Batch = dict[str, NDArray[Any]]
Batches = Callable[[], Iterable[Batch]]

_BINS = 2048
_SHRINKS = np.linspace(0.15, 1.0, 36)


class Observer:
    """What was seen of one tensor: its extremes in a first pass, a histogram between them in a second.

    Attributes:
        low: Least value seen.
        high: Greatest value seen.
        counts: Values per bin between them.
        function: What the values are read through, if nothing else reads them.
    """

    def __init__(self, function: Function | None = None) -> None:
        self.function = function
        self.low, self.high = np.inf, -np.inf
        self._images: list[NDArray[Any]] = []
        self.counts = np.zeros(_BINS)

    def see_extremes(self, values: NDArray[Any]) -> None:
        """First pass: (images, ...)."""
        rows = values.reshape(len(values), -1)
        extremes = np.stack([rows.min(1), rows.max(1)], 1)
        self._images.append(extremes)
        self.low, self.high = min(self.low, float(extremes.min())), max(self.high, float(extremes.max()))

    def see_values(self, values: NDArray[Any]) -> None:
        """Second pass."""
        span = max(self.high - self.low, 1e-12)
        index = np.rint((values.ravel() - self.low) * ((_BINS - 1) / span)).astype(np.int32)  # the nearest centre
        self.counts += np.bincount(np.clip(index, 0, _BINS - 1), minlength=_BINS)

    @property
    def images(self) -> NDArray[Any]:
        """(images, 2): least and greatest value of each image. Two numbers each: 2,000 images take 16 kB."""
        return np.concatenate(self._images)

    def min_max(self) -> Range:
        """The range that covers everything seen."""
        return Range.covering(self.low, self.high)

    def percentile(self, share: float) -> Range:
        """The range that leaves ``1 - share`` of the values out at each end."""
        part = np.cumsum(self.counts) / max(self.counts.sum(), 1)
        centres = np.linspace(self.low, self.high, _BINS)
        low, high = (centres[min(int(np.searchsorted(part, end)), _BINS - 1)] for end in (1 - share, share))
        return Range.covering(float(low), float(high))

    def least_squares(self) -> Range:
        """The range with the smallest squared error; each end is tried at 36 places between 15 % and all of it."""
        centres = np.linspace(self.low, self.high, _BINS)
        seen = self.counts > 0
        centres, counts = centres[seen], self.counts[seen]
        lows = [self.low] if self.low >= 0 else list(self.low * _SHRINKS)
        highs = [self.high] if self.high <= 0 else list(self.high * _SHRINKS)
        candidates = [Range.covering(low, high) for low in lows for high in highs]
        return min(candidates, key=lambda grid: _squared_error(grid, centres, counts, self.function))


def _squared_error(grid: Range, centres: NDArray[Any], counts: NDArray[Any], function: Function | None) -> float:
    stored = np.clip(np.rint(centres / grid.scale) + grid.zero_point, 0, STEPS)
    rounded = (stored - grid.zero_point) * grid.scale
    error = rounded - centres if function is None else function(rounded) - function(centres)
    return float((counts * error**2).sum())


def observe(graph: Graph, batches: Batches) -> dict[str, Observer]:
    """Run the float graph over all batches twice and collect what every measured point shows.

    Args:
        graph: Float graph.
        batches: Called once per pass.
    """
    names = measured_points(graph)
    observers = {name: Observer(function_behind(graph, name)) for name in names}
    if not names:  # everything stays in float
        return observers
    model = ready(build_model(graph, outputs=names), graph)
    for see in (Observer.see_extremes, Observer.see_values):
        for batch in batches():
            samples = len(next(iter(batch.values())))
            for name, value in run(model, batch).items():
                see(observers[name], value.numpy().reshape(samples, -1))  # frames of a sample lie side by side
    return observers


def batch_size(graph: Graph, budget: int = 256 * 2**20) -> int:
    """How many samples (1..32) may go through at once so that all observed values stay within ``budget`` bytes."""
    one_sample = 4 * sum(op.frames * int(np.prod(op.shape)) for op in graph)
    return max(1, min(32, budget // one_sample))
