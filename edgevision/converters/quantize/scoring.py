"""How far a model's answers are from another's: a classifier's in probabilities, because that is what people read.

The squared error of logits is ruled by a few large ones that change nothing; the divergence of probabilities is not.
Outputs that are no class scores have nothing but their squared error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


def noise_shares(rows: Iterable[Sequence[Mapping[str, Values]]]) -> list[float]:
    """Squared error of named outputs as a share of the reference's variance over samples, mean over the outputs.

    Args:
        rows: Per batch the outputs (samples, ...) of the reference and, behind it, of each candidate. Only sums are
            kept: segmentation maps of all samples would not fit into memory.

    Returns:
        One share per candidate.
    """
    samples = 0
    total: dict[str, Any] = {}
    squares: dict[str, float] = {}
    noise: dict[tuple[int, str], float] = {}
    for reference, *others in rows:
        for name, exact in reference.items():
            wide = exact.astype(np.float64)
            total[name] = total.get(name, 0.0) + wide.sum(0)
            squares[name] = squares.get(name, 0.0) + float(np.square(wide).sum())
            for index, outputs in enumerate(others):
                error = float(np.square(outputs[name] - wide).sum())
                noise[index, name] = noise.get((index, name), 0.0) + error
        samples += len(wide)
    # What is the same for all samples is no signal; a single sample has no such mean and counts in full.
    common = {name: float(np.square(each).sum()) / samples if samples > 1 else 0.0 for name, each in total.items()}
    signal = {name: squares[name] - common[name] for name in total}
    candidates = 1 + max(index for index, _ in noise)
    return [
        float(np.mean([noise[index, name] / max(signal[name], _TINY) for name in total])) for index in range(candidates)
    ]


def changed(reference: Values, outputs: Values, scores: Scores) -> float:
    """Share of images with another best class, 0..1; both (images, values). A single value tells two classes apart."""
    exact, found = _probabilities(reference, scores), _probabilities(outputs, scores)
    if reference.shape[-1] == 1:
        return float(((exact > 0.5) != (found > 0.5)).mean())
    return float((exact.argmax(-1) != found.argmax(-1)).mean())


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
