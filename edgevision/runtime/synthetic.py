"""Made-up images, where real ones may not travel or are not at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def synthetic_pixels(shape: tuple[int, int, int], count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth random images, uint8 (count, H, W, C); the same ones for the same seed."""
    from PIL import Image

    height, width, channels = shape
    coarse = np.random.default_rng(seed).integers(0, 256, (count, channels, 5, 5), dtype=np.uint8)
    planes = [
        [np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR)) for plane in image]
        for image in coarse
    ]
    return np.ascontiguousarray(np.moveaxis(np.array(planes, np.uint8), 1, -1))
