"""Operations that move pixels; what comes into view repeats the edge."""

from __future__ import annotations

import math

import numpy as np

from edgevision.trainers.augment.affine import Affine
from edgevision.trainers.augment.operation import Geometry

_UNCHANGED = Affine()


class Flip(Geometry):
    """Half of the examples mirrored left to right."""

    name = "flip"

    def map(self, height: int, width: int, random: np.random.Generator) -> Affine:
        """See ``Geometry``."""
        return _UNCHANGED if random.random() < 0.5 else Affine(a=-1.0, c=width)


class VerticalFlip(Geometry):
    """Half of the examples mirrored top to bottom."""

    name = "vertical-flip"

    def map(self, height: int, width: int, random: np.random.Generator) -> Affine:
        """See ``Geometry``."""
        return _UNCHANGED if random.random() < 0.5 else Affine(e=-1.0, f=height)


class Shift(Geometry):
    """Moved by whole pixels, up to a share of the size in each direction."""

    name, default, most = "shift", 0.1, 0.5

    def map(self, height: int, width: int, random: np.random.Generator) -> Affine:
        """See ``Geometry``."""
        down, right = (_symmetric(random) * (round(side * self.amount) + 0.5) for side in (height, width))
        return Affine(c=round(right), f=round(down))


class Rotate(Geometry):
    """Turned about the middle by up to so many degrees either way."""

    name, default, most = "rotate", 15.0, 180.0

    def map(self, height: int, width: int, random: np.random.Generator) -> Affine:
        """See ``Geometry``."""
        angle = math.radians(self.amount) * _symmetric(random)
        cosine, sine = math.cos(angle), math.sin(angle)
        return Affine(cosine, sine, 0.0, -sine, cosine, 0.0).about(width / 2, height / 2)


class Zoom(Geometry):
    """Enlarged or shrunk about the middle, by a factor of up to 1 + the amount."""

    name, default, most = "zoom", 0.2, 1.0

    def map(self, height: int, width: int, random: np.random.Generator) -> Affine:
        """See ``Geometry``."""
        factor = (1 + self.amount) ** _symmetric(random)
        return Affine(a=factor, e=factor).about(width / 2, height / 2)


class Shear(Geometry):
    """Slanted along one of the two directions, by up to so many degrees either way."""

    name, default, most = "shear", 10.0, 45.0

    def map(self, height: int, width: int, random: np.random.Generator) -> Affine:
        """See ``Geometry``."""
        slope = math.tan(math.radians(self.amount) * _symmetric(random))
        slant = Affine(b=slope) if random.random() < 0.5 else Affine(d=slope)
        return slant.about(width / 2, height / 2)


class Crop(Geometry):
    """A random part, at least the amount of the area, brought to the full size.

    Its sides' ratio differs by up to 4/3 from the picture's own (Szegedy et al. 2015, there with 0.08 of the area).
    """

    name, default, least = "crop", 0.5, 0.01

    def map(self, height: int, width: int, random: np.random.Generator) -> Affine:
        """See ``Geometry``."""
        area, ratio = self.amount + (1 - self.amount) * random.random(), (4 / 3) ** (_symmetric(random) / 2)
        across, down = (min(math.sqrt(area) * side, 1.0) for side in (ratio, 1 / ratio))
        left, top = width * (1 - across) * random.random(), height * (1 - down) * random.random()
        return Affine(a=1 / across, c=-left / across, e=1 / down, f=-top / down)


def _symmetric(random: np.random.Generator) -> float:
    """-1 up to 1; four times as fast as ``random.uniform``."""
    return 2 * random.random() - 1
