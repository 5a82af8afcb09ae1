"""How far a classifier's answers are from another's: in probabilities, because that is what people read.

The squared error of logits is ruled by a few large ones that change nothing; the divergence of probabilities is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.fake_quant import STEPS, Range
from edgevision.runtime.manifest import Scores

Values = NDArray[np.floating[Any]]

_TINY = 1e-7  # a probability that counts as impossible
_LOWS = np.linspace(0.1, 1.0, 37)


def divergence(reference: Values, outputs: Values, scores: Scores) -> float:
    """Mean Kullback-Leibler divergence of ``outputs`` from ``reference``, nats per image; both (images, values)."""
    exact, found = (np.clip(_probabilities(values, scores), _TINY, 1 - _TINY) for values in (reference, outputs))
    terms = exact * np.log(exact / found)
    if scores in ("sigmoid", "sigmoid_logits"):  # each output is a distribution over yes and no
        terms = terms + (1 - exact) * np.log((1 - exact) / (1 - found))
    return float(terms.sum(-1).mean())


def logits_range(logits: Values, scores: Scores) -> Range:
    """The grid for a classifier's logits that keeps its probabilities best.

    Half of all rounding error of a small classifier comes from the grid of its logits. Very negative logits take
    most of that grid and none of the probability, so the grid may cut them off. It does not cut off large ones: two
    classes beyond the end would tie, and what could be won there is a tenth of a point (tried).

    Args:
        logits: float32 (images, values) by the float model.
        scores: "logits"/"probabilities" (softmax) or "sigmoid"/"sigmoid_logits".
    """
    low, high = float(logits.min()), float(logits.max())
    if low >= 0 or scores.startswith("sigmoid"):
        return Range.covering(low, high)
    grids = [Range.covering(float(end), high) for end in low * _LOWS]
    return min(grids, key=lambda grid: divergence(logits, round_to(grid, logits), "logits"))


def round_to(grid: Range, values: Values) -> Values:
    """``values`` on a grid."""
    stored = np.clip(np.rint(values / grid.scale) + grid.zero_point, 0, STEPS)
    return np.asarray((stored - grid.zero_point) * grid.scale)


def _probabilities(values: Values, scores: Scores) -> NDArray[np.float64]:
    wide = values.astype(np.float64)
    if scores == "logits":
        powers = np.exp(wide - wide.max(-1, keepdims=True))
        return np.asarray(powers / powers.sum(-1, keepdims=True))
    return 1 / (1 + np.exp(-wide)) if scores == "sigmoid_logits" else wide
