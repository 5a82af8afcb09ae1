"""Random changes of training examples: done on uint8 pixels, outside the model, never part of what is exported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgevision.runtime.errors import InputError
from edgevision.trainers.augment.geometry import Flip, Rotate, Shift
from edgevision.trainers.augment.operation import Draw, Operation
from edgevision.trainers.examples import Example

OPERATIONS: dict[str, type[Operation]] = {operation.name: operation for operation in (Flip, Shift, Rotate)}


class Policy:
    """Operations by name, one after another.

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
            draw: Gives another example of the data, for operations that mix two.
        """
        for operation in self.operations:
            example = operation(example, random, draw)
        return example


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
