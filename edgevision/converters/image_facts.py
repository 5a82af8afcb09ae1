"""What is remembered of each image when it is decoded: which one it is, how large, and how it looks."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.spec import Preprocessing

Pixels = NDArray[np.uint8]

#: What ``ImageFacts.looks`` holds, each of the model's input pixels, in grey levels.
LOOKS = ("brightness", "contrast", "saturation", "warmth", "detail")

#: Of larger inputs every n-th pixel is looked at, so that about so many are left along the shorter side.
_SIDE = 64


@dataclass(frozen=True)
class ImageFacts:
    """A few numbers of one image.

    Attributes:
        digest: sha256 of the decoded pixels and their shape: the same for a PNG and for the array it was made from.
        size: (height, width) as decoded, pixels.
        looks: One number per name in ``LOOKS``: mean grey level, its standard deviation over the image, mean of the
            largest less the smallest channel, mean of red less blue, mean step between neighbours. The colours of
            a grey model's input are 0.
    """

    digest: bytes
    size: tuple[int, int]
    looks: tuple[float, ...]


def image_facts(image: Pixels, pixels: Pixels, preprocessing: Preprocessing) -> ImageFacts:
    """Facts of one image.

    Args:
        image: uint8 (H, W, 3) RGB, as decoded.
        pixels: uint8 (height, width, channels), the model's input made of it.
        preprocessing: Says in which order the channels of ``pixels`` are.
    """
    digest = hashlib.sha256(f"{image.shape} ".encode())
    digest.update(np.ascontiguousarray(image).data)
    return ImageFacts(digest.digest(), (image.shape[0], image.shape[1]), _looks(pixels, preprocessing.color == "bgr"))


def _looks(pixels: Pixels, is_bgr: bool) -> tuple[float, ...]:
    step = max(1, min(pixels.shape[:2]) // _SIDE)
    planes = [pixels[::step, ::step, channel].astype(np.float32) for channel in range(pixels.shape[2])]
    grey = sum(planes[1:], planes[0]) / len(planes)
    steps = [float(np.abs(np.diff(grey, axis=axis)).mean()) for axis in (0, 1) if grey.shape[axis] > 1]
    red_less_blue = float((planes[0] - planes[-1]).mean()) * (-1 if is_bgr else 1)
    spread = float((functools.reduce(np.maximum, planes) - functools.reduce(np.minimum, planes)).mean())
    return float(grey.mean()), float(grey.std()), spread, red_less_blue, float(np.mean(steps or [0.0]))
