"""Steps with which no result lies half way between two stored values, nor close to that.

An integer kernel has a whole number and multiplies it by input step times weight step by output step. Engines do that
in float32, each in its own order, so that of results close to a half some go up that others let go down: one value in
100,000, of which the layers behind make many. If the factor is a fraction with an odd denominator D, no whole number
times it is nearer to a half than 1 / (2 D), and with a D of some thousands that is more than float32 loses. Such
fractions are everywhere: steps change by a part in a thousand at most, and all engines round alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Denominators that are tried. Values are below 256, of which float32 keeps 1 / 65,536 at each operation.
_DENOMINATORS = np.arange(1025, 2048, 2, dtype=np.float64)


def off_halves(factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest factors whose multiples stay off halves.

    Args:
        factors: Positive, of any shape.
    """
    flat = np.asarray(factors, np.float64).ravel()
    products = flat[:, None] * _DENOMINATORS
    wholes = np.maximum(np.rint(products), 1)
    best = np.abs(wholes / products - 1).argmin(1)
    near = wholes[np.arange(flat.size), best] / _DENOMINATORS[best]
    alone = 1 / (2 * np.floor(1 / flat / 2) + 1)  # 1 / D is as far from them as multiples of that size can be
    return np.where(flat * _DENOMINATORS[-1] < 1, alone, near).reshape(np.shape(factors))
