"""Signal and noise of one layer in running sums: memory does not grow with the number of images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.sqnr import decibels

#: Bins of an activation histogram: so many within the grid, so many of the same width on either side of it.
INSIDE, BESIDE = 32, 4

Values = NDArray[np.floating[Any]]


class Signal:
    """A reference: the power of its values less their mean over images."""

    def __init__(self) -> None:
        self._images, self._squares = 0, 0.0
        self._sum: NDArray[np.float32] | None = None

    def see(self, values: Values) -> None:
        """One image."""
        self._images += 1
        self._squares += float(np.square(values, dtype=np.float64).sum())
        seen: NDArray[np.float32] = values.astype(np.float32)
        self._sum = seen if self._sum is None else self._sum + seen

    @property
    def power(self) -> float:
        """Sum of squares. A single image has no mean over images and counts in full."""
        if self._images < 2 or self._sum is None:
            return self._squares
        return max(0.0, self._squares - float(np.square(self._sum, dtype=np.float64).sum()) / self._images)


class Noise:
    """What differs from a reference."""

    def __init__(self, signal: Signal) -> None:
        self._signal, self._squares = signal, 0.0

    def see(self, reference: Values, values: Values) -> None:
        """One image."""
        self._squares += float(np.square(values - reference, dtype=np.float64).sum())

    @property
    def sqnr_db(self) -> float:
        """As ``sqnr.sqnr_db``, decibel."""
        return round(decibels(self._signal.power, self._squares), 2)


class Histogram:
    """Values around an 8-bit grid; the bins at both ends hold whatever lies beyond."""

    def __init__(self, grid: Range) -> None:
        self._grid, self._counts = grid, np.zeros(INSIDE + 2 * BESIDE, np.int64)
        self._beyond, self._seen, self._low, self._high = 0, 0, np.inf, -np.inf

    def see(self, values: Values) -> None:
        """One image."""
        flat = values.ravel()
        place = np.floor((flat - self._grid.low) * (INSIDE / (self._grid.high - self._grid.low))) + BESIDE
        place = np.clip(place, 0, len(self._counts) - 1).astype(np.int64)
        half = self._grid.scale / 2
        self._counts += np.bincount(place, minlength=len(self._counts))
        self._beyond += int(((flat < self._grid.low - half) | (flat > self._grid.high + half)).sum())
        self._seen += flat.size
        self._low, self._high = min(self._low, float(flat.min())), max(self._high, float(flat.max()))

    def plain(self) -> dict[str, Any]:
        """As layers.json holds it."""
        return {
            "counts": self._counts.tolist(),
            "grid": [_short(self._grid.low), _short(self._grid.high)],
            "seen": [_short(self._low), _short(self._high)],
            "clipped": _short(self._beyond / max(1, self._seen)),
        }


def _short(value: float) -> float:
    return float(f"{value:.5g}")
