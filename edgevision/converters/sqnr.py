"""Signal-to-quantisation-noise ratios of outputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scored = NDArray[np.float32]

#: Power of what differs between samples, as a share of all, below which it is rounding: float32 has 7 digits.
_ALIKE = 1e-11
#: Stands for "no difference at all" in the manifest, which has no infinity.
EXACT_DB = 999.0


def sqnr_db(reference: Scored, outputs: Scored, *, in_full: bool = False) -> float:
    """Signal-to-quantisation-noise ratio in decibel.

    The signal is what ``spread`` leaves of the reference, or all of it ``in_full``: of an int8 model whose float model
    gives every image the same answer, the spread is nothing but rounding.
    """
    exact = reference.astype(np.float64)
    signal = exact if in_full else spread(exact)
    return decibels(float(np.square(signal).sum()), float(np.square(outputs - exact).sum()))


def spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values (samples, ...) less their mean over samples: what is the same for all samples tells none of them apart.

    A single sample has no such mean and counts in full; so do samples that are alike, of which any error in the last
    digit would be more than the signal.
    """
    return values if is_constant(values) else values - values.mean(0)


def is_constant(values: NDArray[Any]) -> bool:
    """Whether the samples (samples, ...) differ by nothing but the rounding of float32."""
    exact = values.astype(np.float64)
    return bool(np.square(exact - exact.mean(0)).sum() <= _ALIKE * np.square(exact).sum())


def decibels(power: float, noise: float) -> float:
    """Ratio of a signal's sum of squares to that of its noise, decibel; ``EXACT_DB`` where there is none."""
    if noise <= 1e-12 * max(power, 1e-30):
        return EXACT_DB
    return 10 * math.log10(power / noise) if power else -EXACT_DB
