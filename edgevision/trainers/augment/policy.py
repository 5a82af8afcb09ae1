"""Operations by name, and several of them one after another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgevision.runtime.errors import InputError
from edgevision.trainers.augment.affine import Affine, warped
from edgevision.trainers.augment.batch import is_pixels_alone
from edgevision.trainers.augment.colors import Color, Gray
from edgevision.trainers.augment.geometry import Crop, Flip, Rotate, Shear, Shift, VerticalFlip, Zoom
from edgevision.trainers.augment.mixing import CutMix, Cutout, MixUp
from edgevision.trainers.augment.mosaic import Mosaic
from edgevision.trainers.augment.noise import Blur, Jpeg, Noise, SaltPepper, Sharpness
from edgevision.trainers.augment.operation import Draw, Geometry, Operation
from edgevision.trainers.augment.random_augment import RandAugment
from edgevision.trainers.augment.tones import AutoContrast, Brightness, Contrast, Equalize, Posterize, Solarize
from edgevision.trainers.examples import Example

_GEOMETRY = (Flip, VerticalFlip, Shift, Rotate, Zoom, Shear, Crop)
_COLORS = (Brightness, Contrast, Color, Gray, AutoContrast, Equalize, Solarize, Posterize)
_CAMERA = (Noise, SaltPepper, Blur, Sharpness, Jpeg)
_MIXING = (Cutout, MixUp, CutMix, Mosaic, RandAugment)

OPERATIONS: dict[str, type[Operation]] = {kind.name: kind for kind in _GEOMETRY + _COLORS + _CAMERA + _MIXING}


class Policy:
    """Operations one after another.

    Those in a row that move pixels are composed and done by one resampling. What mixes examples mixes with one that
    has been through the operations before it, except those that mix.

    Args:
        names: NAME or NAME=AMOUNT each, such as "flip" or "shift=0.1".

    Raises:
        InputError: An operation is unknown, or its amount is not usable.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.operations = tuple(_operation(name) for name in names)

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """Another example made from this one.

        Args:
            example: As the data has it; it stays as it is.
            random: Decides all that is random.
            draw: Gives another example of the data, for operations that mix several.
        """
        return _moved(*_through(self.operations, example, random, draw))

    def unmoved(self, example: Example, random: np.random.Generator, draw: Draw) -> tuple[Example, Affine | None]:
        """The same example, and its last move, which is still to be done (``batch.warped_pixels``)."""
        example, pending = _through(self.operations, example, random, draw)
        return (example, pending) if is_pixels_alone(example) else (_moved(example, pending), None)


def _through(
    operations: Sequence[Operation], example: Example, random: np.random.Generator, draw: Draw
) -> tuple[Example, Affine | None]:
    """The example, and the move that is still to be done."""
    pending: Affine | None = None
    for index, chooser in enumerate(operations):
        for operation in chooser.drawn(random):
            if isinstance(operation, Geometry):
                height, width = example.pixels.shape[-3:-1]
                step = operation.map(height, width, random)
                pending = step if pending is None else pending.then(step)
                continue
            example, pending = _moved(example, pending), None
            partner = _partner(operations[:index], random, draw) if operation.mixes else draw
            example = operation(example, random, partner)
    return example, pending


def _moved(example: Example, pending: Affine | None) -> Example:
    return example if pending is None else warped(example, pending)


def _partner(before: Sequence[Operation], random: np.random.Generator, draw: Draw) -> Draw:
    plain = [operation for operation in before if not operation.mixes]
    return lambda: _moved(*_through(plain, draw(), random, draw))


def _operation(text: str) -> Operation:
    name, equals, amount = text.partition("=")
    if name not in OPERATIONS:
        raise InputError("the augmentation is unknown", expected=", ".join(OPERATIONS), got=repr(name))
    kind = OPERATIONS[name]
    if not equals:
        return kind(kind.default or 0.0)
    try:
        value = float(amount)
    except ValueError:
        value = float("nan")
    if kind.default is None or not kind.least <= value <= kind.most:
        expected = f"{name} alone" if kind.default is None else f"{name}={kind.least:g}..{kind.most:g}"
        raise InputError("an augmentation is not usable", expected=expected, got=repr(text))
    return kind(value)
