"""Whether more calibration images would still move the ranges.

What is followed is each point's typical range: the mean over images of an image's least and greatest value. The range
over everything seen would not do: its ends are records, and one image in two halves holds the record, so however many
images there are, the second half moves about every second end (measured with 10 to 1,000 images of CIFAR-10: 43 to
52 % of the ranges moved by more than 2 %, without a trend). Means settle, as the root of the number of images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: A range that moves by more than this share of its width has moved.
MOVED = 0.02
#: Ranges have converged when at most this share of them moves. Measured with five small networks on CIFAR-10: 50
#: images 38 to 69 %, 100 images 28 to 47 %, 300 images 4 to 21 %, 1,000 images 0 to 4 %.
_LIMIT = 1 / 3
_HALVES = 20


@dataclass(frozen=True)
class Convergence:
    """How far the ranges had settled.

    Attributes:
        images: How many images set them.
        ranges: How many were followed.
        moved: Share of them, 0..1, that half of the images puts more than 2 % elsewhere than all do; mean over 20
            random halves, so that the order of the images does not matter.
        converged: Whether that is at most a third.
    """

    images: int
    ranges: int
    moved: float
    converged: bool

    @property
    def words(self) -> str:
        """One sentence without its full stop."""
        facts = f"half of all {self.images} leaves {self.moved:.0%} of {self.ranges} ranges over 2 % off"
        return f"ranges converged: {facts}" if self.converged else f"ranges still moving: {facts}; give more"


def convergence(seen: Mapping[str, NDArray[np.floating]], seed: int = 0) -> Convergence | None:
    """From each image's extremes at each point.

    Args:
        seen: Name of the point -> (images, 2), least and greatest value per image, the images in the same order.
        seed: Decides the halves.

    Returns:
        None when nothing was measured. With fewer than four images nothing can converge.
    """
    if not seen:
        return None
    extremes = np.stack([np.asarray(each, np.float64) for each in seen.values()])
    points, images = extremes.shape[:2]
    if images < 4:
        return Convergence(images, points, 1.0, False)
    whole = extremes.mean(1)
    # Grids always hold zero.
    width = np.maximum(np.maximum(whole[:, 1], 0) - np.minimum(whole[:, 0], 0), 1e-12)
    random = np.random.default_rng(seed)
    shares = []
    for _ in range(_HALVES):
        half = extremes[:, random.permutation(images)[: images // 2]].mean(1)
        shares.append(float((np.abs(half - whole).max(1) > MOVED * width).mean()))
    moved = round(float(np.mean(shares)), 3)
    return Convergence(images, points, moved, moved <= _LIMIT)
