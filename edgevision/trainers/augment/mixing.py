"""Operations that hide a part of an example, or put several examples together."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets.masks import IGNORED
from edgevision.trainers.augment.affine import Affine, warped
from edgevision.trainers.augment.boxes import joined, shifted, uncovered
from edgevision.trainers.augment.operation import Draw, Operation
from edgevision.trainers.examples import Example

_GRAY = 128

Frame = tuple[int, int, int, int]


class Cutout(Operation):
    """A grey rectangle, the amount of each side long, around any point (DeVries and Taylor 2017).

    Masks are ignored below it; boxes go of which it hides too much (``boxes.LEAST_IN_SIGHT``).
    """

    name, default, most = "cutout", 0.5, 0.99

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        left, top, right, bottom = frame = _around(example, self.amount, self.amount, random)
        pixels = example.pixels.copy()
        pixels[..., top:bottom, left:right, :] = _GRAY
        example = dataclasses.replace(example, pixels=pixels)
        if example.mask is not None:
            mask = example.mask.copy()
            mask[top:bottom, left:right] = IGNORED
            example = dataclasses.replace(example, mask=mask)
        return uncovered(example, frame)


class MixUp(Operation):
    """The mean of two examples (Zhang et al. 2018), weighed by a Beta distribution with the amount as both parameters.

    Labels are mixed like the pixels; the boxes of both stay (Zhang et al. 2019); a mask is that of the example that
    weighs more.
    """

    name, default, least, most, mixes = "mixup", 0.2, 0.01, 10.0, True

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        other, share = draw(), float(random.beta(self.amount, self.amount))
        mean = share * example.pixels.astype(np.float32) + (1 - share) * other.pixels
        mask = example.mask if share >= 0.5 else other.mask
        mixed = dataclasses.replace(example, pixels=np.rint(mean).astype(np.uint8), mask=mask)
        return joined(example, other, dataclasses.replace(mixed, label=_mixed(example, other, share)))


class CutMix(Operation):
    """A rectangle of another example in the same place (Yun et al. 2019); the amount is the share of examples.

    Its area is drawn evenly. Labels are mixed like the areas; masks go with the pixels; boxes end at the rectangle's
    border, or go where too little of them is left (``boxes.LEAST_IN_SIGHT``).
    """

    name, default, mixes = "cutmix", 0.5, True

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        if random.random() >= self.amount:
            return example
        side = float(np.sqrt(random.random()))
        left, top, right, bottom = frame = _around(example, side, side, random)
        if right <= left or bottom <= top:
            return example
        other = warped(draw(), Affine(c=-left, f=-top), (bottom - top, right - left))
        pixels = example.pixels.copy()
        pixels[..., top:bottom, left:right, :] = other.pixels
        height, width = pixels.shape[-3:-1]
        label = _mixed(example, other, 1 - (bottom - top) * (right - left) / (height * width))
        mask = _pasted(example.mask, other.mask, frame)
        found = dataclasses.replace(uncovered(example, frame), pixels=pixels, label=label, mask=mask)
        return joined(found, shifted(other, left, top), found)


def _around(example: Example, high: float, wide: float, random: np.random.Generator) -> Frame:
    """A rectangle of those shares of the sides around any point, cut off at the border: left, top, right, bottom."""
    height, width = example.pixels.shape[-3:-1]
    rows, columns = round(high * height), round(wide * width)
    top, left = int(random.random() * height) - rows // 2, int(random.random() * width) - columns // 2
    return max(left, 0), max(top, 0), min(left + columns, width), min(top + rows, height)


def _mixed(example: Example, other: Example, share: float) -> NDArray[np.float32] | None:
    """Labels, the first one weighing ``share``."""
    if example.label is None or other.label is None:
        return example.label
    mean = share * example.label + (1 - share) * other.label
    return mean.astype(np.float32, copy=False)


def _pasted(mask: NDArray[np.uint8] | None, part: NDArray[np.uint8] | None, frame: Frame) -> NDArray[np.uint8] | None:
    if mask is None or part is None:
        return mask
    left, top, right, bottom = frame
    found: NDArray[np.uint8] = mask.copy()
    found[top:bottom, left:right] = part
    return found
