"""RandAugment: operations chosen anew for each example."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgevision.trainers.augment.colors import Color
from edgevision.trainers.augment.geometry import Rotate, Shear, Shift
from edgevision.trainers.augment.noise import Sharpness
from edgevision.trainers.augment.operation import Draw, Operation
from edgevision.trainers.augment.tones import AutoContrast, Brightness, Contrast, Equalize, Posterize, Solarize
from edgevision.trainers.examples import Example

#: How many are chosen.
_CHOSEN = 2
#: Each with its amount at magnitude 30, which is the paper's: 30 degrees, slopes and shifts of 0.3, factors 0.1..1.9.
_KINDS: tuple[tuple[type[Operation], float], ...] = (
    (Rotate, 30.0),
    (Shear, 16.7),
    (Shift, 0.3),
    (Brightness, 0.9),
    (Contrast, 0.9),
    (Color, 0.9),
    (Sharpness, 0.9),
    (Solarize, 1.0),
    (Posterize, 4.0),
    (AutoContrast, 0.0),
    (Equalize, 0.0),
)


class RandAugment(Operation):
    """Two of eleven operations or nothing in their place, up to a magnitude of 0..30 (Cubuk et al. 2020).

    Strengths are drawn between none and the magnitude, where the paper has the magnitude itself.
    """

    name, default, most = "randaugment", 9.0, 30.0

    def __init__(self, amount: float = 0.0) -> None:
        super().__init__(amount)
        self._kinds = tuple(kind(full * amount / 30) for kind, full in _KINDS)

    def drawn(self, random: np.random.Generator) -> Sequence[Operation]:
        """See ``Operation``."""
        places = [int(random.random() * (len(self._kinds) + 1)) for _ in range(_CHOSEN)]
        return [self._kinds[place] for place in places if place < len(self._kinds)]

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        for operation in self.drawn(random):
            example = operation(example, random, draw)
        return example
