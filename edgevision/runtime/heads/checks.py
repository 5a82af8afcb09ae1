"""What the heads' fields are held to when they are made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, get_args

from edgevision.runtime.errors import InputError


def check_choice(name: str, value: object, literal: Any) -> None:
    """Refuses a value that is none of a Literal's."""
    if value not in get_args(literal):
        raise InputError(f"{name} is unknown", expected=" or ".join(get_args(literal)), got=repr(value))


def check_share(name: str, value: float | None) -> None:
    """Refuses what is not within 0..1; None is no value at all."""
    if value is not None and not 0 <= value <= 1:
        raise InputError(f"{name} is not usable", expected="a number 0..1", got=repr(value))


def check_numbers(name: str, values: Sequence[float], count: int | None = None, *, positive: bool = True) -> None:
    """Refuses numbers that are not finite, not positive where they have to be, or not as many as there have to be."""
    right = all(math.isfinite(value) and (value > 0 or not positive) for value in values)
    if not right or (count is not None and len(values) != count):
        wanted = f"{count} finite numbers" if count is not None else "finite numbers"
        raise InputError(f"{name} is not usable", expected=wanted + " > 0" * positive, got=str(tuple(values)))


def check_count(name: str, value: int, least: int = 1) -> None:
    """Refuses what is not a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} is not usable", expected=f"a whole number >= {least}", got=repr(value))


def check_names(name: str, values: Sequence[str], least: int = 1) -> None:
    """Refuses names of outputs that are empty, repeated or too few."""
    if len(values) < least or len(set(values)) != len(values) or not all(values):
        raise InputError(f"{name} is not usable", expected=f"{least} or more different names", got=str(tuple(values)))
