"""Random changes of training images: done on uint8 pixels, outside the model, never part of what is exported."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.runtime.errors import InputError

#: "flip-shift": half of the images mirrored left to right, all moved by up to 1/32 of their size.
#: "rotate-flip-shift": turned by up to 15 degrees and moved by up to 1/10 as well.
AUGMENTATIONS = ("none", "flip-shift", "rotate-flip-shift")

_SHIFT = {"flip-shift": 1 / 32, "rotate-flip-shift": 0.1}
_DEGREES = 15.0


def check_augmentation(name: str) -> None:
    """Whether there is an augmentation of that name.

    Raises:
        InputError: There is none.
    """
    if name not in AUGMENTATIONS:
        raise InputError("the augmentation is unknown", expected=" or ".join(AUGMENTATIONS), got=repr(name))


def augmented(pixels: NDArray[np.uint8], name: str, random: np.random.Generator) -> NDArray[np.uint8]:
    """Changed copies of a batch, uint8 (N, H, W, C); borders that come into view repeat the edge.

    Raises:
        InputError: There is no augmentation of that name.
    """
    check_augmentation(name)
    if name == "none":
        return pixels
    mirrored = random.random(len(pixels)) < 0.5
    pixels = np.where(mirrored[:, None, None, None], pixels[:, :, ::-1], pixels)
    if name == "rotate-flip-shift":
        pixels = _rotated(pixels, random.uniform(-_DEGREES, _DEGREES, len(pixels)))
    return _shifted(pixels, _SHIFT[name], random)


def _shifted(pixels: NDArray[np.uint8], share: float, random: np.random.Generator) -> NDArray[np.uint8]:
    count, height, width, _ = pixels.shape
    up, left = round(height * share), round(width * share)
    padded = np.pad(pixels, ((0, 0), (up, up), (left, left), (0, 0)), mode="edge")
    rows = random.integers(0, 2 * up, count, endpoint=True)[:, None] + np.arange(height)
    columns = random.integers(0, 2 * left, count, endpoint=True)[:, None] + np.arange(width)
    moved: NDArray[np.uint8] = padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved


def _rotated(pixels: NDArray[np.uint8], degrees: NDArray[np.float64]) -> NDArray[np.uint8]:
    _, height, width, channels = pixels.shape
    # The corner that a turn of 15 degrees brings into view lies within half a side.
    up, left = height // 2, width // 2
    padded = np.pad(pixels, ((0, 0), (up, up), (left, left), (0, 0)), mode="edge")
    turned = np.empty_like(pixels)
    for index, angle in enumerate(degrees):
        image = Image.fromarray(padded[index, :, :, 0] if channels == 1 else padded[index])
        pixels_turned = np.asarray(image.rotate(float(angle), Image.Resampling.BILINEAR))
        turned[index] = pixels_turned.reshape(*padded.shape[1:])[up : up + height, left : left + width]
    return turned
