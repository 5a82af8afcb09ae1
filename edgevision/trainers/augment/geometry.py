"""Operations that move pixels; what comes into view repeats the edge."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.trainers.augment.operation import Draw, Operation
from edgevision.trainers.examples import Example


class Flip(Operation):
    """Half of the examples mirrored left to right."""

    name = "flip"

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        if random.random() < 0.5:
            return example
        return dataclasses.replace(example, pixels=np.ascontiguousarray(example.pixels[..., ::-1, :]))


class Shift(Operation):
    """Moved by whole pixels, up to a share of the size in each direction."""

    name, default, most = "shift", 0.1, 0.5

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        height, width = example.pixels.shape[-3:-1]
        down, right = (
            int(random.integers(-round(side * self.amount), round(side * self.amount) + 1)) for side in (height, width)
        )
        rows, columns = (
            np.clip(np.arange(height) - down, 0, height - 1),
            np.clip(np.arange(width) - right, 0, width - 1),
        )
        return dataclasses.replace(example, pixels=example.pixels[..., rows[:, None], columns, :])


class Rotate(Operation):
    """Turned by up to so many degrees either way."""

    name, default, most = "rotate", 15.0, 180.0

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        angle = random.uniform(-self.amount, self.amount)
        if example.pixels.ndim == 3:
            return dataclasses.replace(example, pixels=_rotated(example.pixels, angle))
        return dataclasses.replace(example, pixels=np.stack([_rotated(frame, angle) for frame in example.pixels]))


def _rotated(pixels: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    height, width, channels = pixels.shape
    # The corner that a turn brings into view lies within half a side.
    up, left = height // 2, width // 2
    padded = np.pad(pixels, ((up, up), (left, left), (0, 0)), mode="edge")
    picture = Image.fromarray(padded if channels == 3 else padded[..., 0])
    turned = np.asarray(picture.rotate(degrees, Image.Resampling.BILINEAR), np.uint8)
    return turned.reshape(padded.shape)[up : up + height, left : left + width]
