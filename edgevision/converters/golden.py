"""Golden inputs and outputs: what each artifact answered where it was made, to be compared on the device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.parity import run_one
from edgevision.runtime.bundle import Golden
from edgevision.runtime.session import Session

#: Enough to notice a wrong kernel, small enough to travel.
COUNT = 8


def make_golden(pixels: NDArray[np.uint8], sessions: dict[str, Session]) -> Golden:
    """Outputs of every artifact for these images.

    Args:
        pixels: uint8 (N, H, W, C), the model's input pixels.
        sessions: An open session per artifact name.
    """
    outputs = {name: np.stack([run_one(session, image) for image in pixels]) for name, session in sessions.items()}
    return Golden(pixels, outputs)


def synthetic_pixels(shape: tuple[int, int, int], count: int = COUNT, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth random images, uint8 (count, H, W, C), for bundles that may not carry photos."""
    from PIL import Image

    height, width, channels = shape
    coarse = np.random.default_rng(seed).integers(0, 256, (count, channels, 5, 5), dtype=np.uint8)
    planes = [
        [np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR)) for plane in image]
        for image in coarse
    ]
    return np.ascontiguousarray(np.moveaxis(np.array(planes, np.uint8), 1, -1))
