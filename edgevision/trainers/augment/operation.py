"""What every random change of a training example is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from edgevision.trainers.augment.affine import Affine, warped
from edgevision.trainers.examples import Example

#: Another example of the training data, drawn at random: what mixing operations mix with.
Draw = Callable[[], Example]


class Operation(ABC):
    """A change of an example; boxes and masks follow its pixels, and all frames of a window are changed alike.

    Attributes:
        name: In recipes and on the command line: NAME, or NAME=AMOUNT.
        default: The amount that is meant by the name alone; None where the operation has none.
        least: Smallest amount.
        most: Largest amount.
        mixes: Whether it puts several examples together.
    """

    name: ClassVar[str]
    default: ClassVar[float | None] = None
    least: ClassVar[float] = 0.0
    most: ClassVar[float] = 1.0
    mixes: ClassVar[bool] = False

    def __init__(self, amount: float = 0.0) -> None:
        self.amount = amount

    def drawn(self, random: np.random.Generator) -> Sequence[Operation]:
        """What is done this time: itself, unless it chooses among others."""
        return (self,)

    @abstractmethod
    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """The changed example; the given one stays as it is."""


class Geometry(Operation):
    """An operation that moves pixels by an affine map; several in a row are done by one resampling (``Policy``)."""

    @abstractmethod
    def map(self, height: int, width: int, random: np.random.Generator) -> Affine:
        """Where a point of a picture of that size goes, in pixels."""

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        height, width = example.pixels.shape[-3:-1]
        return warped(example, self.map(height, width, random))
