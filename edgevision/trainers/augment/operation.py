"""What every random change of a training example is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from edgevision.trainers.examples import Example

#: Another example of the training data, drawn at random: what mixing operations mix with.
Draw = Callable[[], Example]


class Operation(ABC):
    """A change of an example; boxes and masks follow its pixels.

    Attributes:
        name: In recipes and on the command line: NAME, or NAME=AMOUNT.
        default: The amount that is meant by the name alone; None where the operation has none.
        least: Smallest amount.
        most: Largest amount.
    """

    name: ClassVar[str]
    default: ClassVar[float | None] = None
    least: ClassVar[float] = 0.0
    most: ClassVar[float] = 1.0

    def __init__(self, amount: float) -> None:
        self.amount = amount

    @abstractmethod
    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """The changed example; the given one stays as it is."""
