"""Operations on colour; grey images stay as they are."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from edgevision.trainers.augment.operation import Draw, Operation
from edgevision.trainers.examples import Example

#: Weights of a pixel's brightness. Red and blue, 0.299 and 0.114 by ITU-R BT.601, weigh the same here: examples may be
#: RGB or BGR.
LUMA = np.array([0.2065, 0.587, 0.2065], np.float32)


class Color(Operation):
    """Saturation times 1 - amount up to 1 + amount, and hues turned by up to 90 degrees times the amount.

    Brightness stays: colours turn about the grey axis and move along it so far that their luma is the old one.
    """

    name, default = "color", 0.2

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        factor, angle = (self.amount * (2 * random.random() - 1) for _ in range(2))
        if example.pixels.shape[-1] == 1:
            return example
        return recolored(example, (1 + factor) * _turn(math.pi / 2 * angle))


class Gray(Operation):
    """The amount is the share of examples that lose their colours."""

    name, default = "gray", 0.2

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        if random.random() >= self.amount or example.pixels.shape[-1] == 1:
            return example
        return recolored(example, np.zeros((3, 3), np.float32))


def recolored(example: Example, chroma: NDArray[np.float32]) -> Example:
    """With colours, the differences of the channels from the luma, times a matrix (3, 3); the luma stays."""
    gray = np.outer(np.ones(3, np.float32), LUMA)
    change = chroma @ (np.eye(3, dtype=np.float32) - gray)
    matrix = gray + change - gray @ change
    found = example.pixels.astype(np.float32) @ matrix.T.astype(np.float32)
    return dataclasses.replace(example, pixels=np.rint(np.clip(found, 0, 255)).astype(np.uint8))


def _turn(angle: float) -> NDArray[np.float32]:
    """A rotation about the grey axis, (3, 3), by Rodrigues' formula."""
    axis = np.full(3, 1 / math.sqrt(3))
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn: NDArray[np.float64] = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    return turn.astype(np.float32)
