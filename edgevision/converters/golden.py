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
    random = np.random.default_rng(seed)
    height, width, channels = shape
    coarse = random.integers(0, 256, (count, 5, 5, channels)).astype(np.float64)
    rows, columns = np.linspace(0, 4, height), np.linspace(0, 4, width)
    top, left = np.minimum(rows.astype(int), 3), np.minimum(columns.astype(int), 3)
    down, right = (rows - top)[None, :, None, None], (columns - left)[None, None, :, None]
    at = lambda i, j: coarse[:, top + i][:, :, left + j]  # noqa: E731
    upper = at(0, 0) * (1 - right) + at(0, 1) * right
    lower = at(1, 0) * (1 - right) + at(1, 1) * right
    return np.rint(upper * (1 - down) + lower * down).astype(np.uint8)
