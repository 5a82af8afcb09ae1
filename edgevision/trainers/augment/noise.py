"""Operations that do what cameras and storage do: noise, blur, sharpening, compression."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from edgevision.trainers.augment.operation import Draw, Operation
from edgevision.trainers.examples import Example


class SaltPepper(Operation):
    """A share of the pixels, from none up to the amount, turned black or white."""

    name, default = "salt-pepper", 0.05

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        share = self.amount * random.random()
        chance = random.random(example.pixels.shape[-3:-1], np.float32)
        pixels = example.pixels.copy()
        pixels[..., chance < share / 2, :] = 0
        pixels[..., chance > 1 - share / 2, :] = 255
        return dataclasses.replace(example, pixels=pixels)


class Noise(Operation):
    """Gaussian noise, its standard deviation from none up to the amount of the range of values."""

    name, default = "noise", 0.05

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        deviation = 255 * self.amount * random.random()
        noise = random.standard_normal(example.pixels.shape[-3:], np.float32) * np.float32(deviation)
        return dataclasses.replace(example, pixels=np.rint(np.clip(example.pixels + noise, 0, 255)).astype(np.uint8))


class Blur(Operation):
    """A Gaussian blur, its standard deviation from none up to so many pixels."""

    name, default, most = "blur", 1.0, 10.0

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        kernel = ImageFilter.GaussianBlur(self.amount * random.random())
        return _pictures(example, lambda picture: picture.filter(kernel))


class Sharpness(Operation):
    """Between blurred and sharpened: distances from a smoothed picture times 1 - amount up to 1 + amount."""

    name, default = "sharpness", 0.5

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        factor = 1 + self.amount * (2 * random.random() - 1)
        return _pictures(example, lambda picture: ImageEnhance.Sharpness(picture).enhance(factor))


class Jpeg(Operation):
    """Through a JPEG file, its quality from 95 down to the amount."""

    name, default, least, most = "jpeg", 40.0, 1.0, 95.0

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        quality = round(95 + (self.amount - 95) * random.random())
        return _pictures(example, lambda picture: _compressed(picture, quality))


def _compressed(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file)


def _pictures(example: Example, change: Callable[[Image.Image], Image.Image]) -> Example:
    def changed(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        picture = Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0])
        return np.array(change(picture), np.uint8).reshape(pixels.shape)

    pixels = example.pixels
    found = changed(pixels) if pixels.ndim == 3 else np.stack([changed(frame) for frame in pixels])
    return dataclasses.replace(example, pixels=found)
