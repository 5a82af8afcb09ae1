"""Distance of made images from those of a reference."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: What stands for no distance at all, decibel.
MOST_DB = 999.0
#: Grey levels by which a pixel has to differ from its image's most frequent level to be no background.
BACKGROUND = 25


class Distance(NamedTuple):
    """Sums over one image's values.

    Attributes:
        absolute: Of absolute differences, grey levels of 0..255.
        squared: Of their squares.
        values: How many.
        foreground: Sum of absolute differences where the reference is no background.
        foreground_values: How many those are.
    """

    absolute: float
    squared: float
    values: float
    foreground: float
    foreground_values: float


def distance(found: NDArray[np.uint8], reference: NDArray[np.uint8]) -> Distance:
    """Distance of one image from the reference, uint8 (height, width, 3) each."""
    gaps = np.abs(found.astype(np.int64) - reference)
    ground = int(np.bincount(reference.ravel(), minlength=256).argmax())
    drawn = np.abs(reference.astype(np.int64) - ground) > BACKGROUND
    return Distance(gaps.sum(), (gaps * gaps).sum(), gaps.size, gaps[drawn].sum(), drawn.sum())


def mean_absolute(sums: Distance) -> float:
    """Mean absolute difference, grey levels of 0..255."""
    return float(sums.absolute / sums.values)


def psnr(sums: Distance) -> float:
    """Peak signal-to-noise ratio, decibel, of all values together; ``MOST_DB`` for the same images."""
    return 10 * math.log10(255**2 * sums.values / sums.squared) if sums.squared else MOST_DB
