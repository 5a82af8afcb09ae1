"""Families of networks by name, one file per kind; none of them imports Keras before a network is built."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from edgevision.runtime.errors import InputError
from edgevision.trainers.families import applications, attention, plain, resnet
from edgevision.trainers.families.detection import fcos, rcnn, ssd
from edgevision.trainers.families.family import Built as Built
from edgevision.trainers.families.family import Family as Family

_MODULES = (plain, resnet, attention, applications, fcos, rcnn, ssd)
FAMILIES: dict[str, Family] = {family.name: family for module in _MODULES for family in module.FAMILIES}


def named_family(name: str) -> Family:
    """The family of that name.

    Raises:
        InputError: There is none.
    """
    if name not in FAMILIES:
        near = get_close_matches(name, FAMILIES, 3)
        expected = " or ".join(near) if near else ", ".join(FAMILIES)
        raise InputError("the network is unknown", expected=expected, got=repr(name), cure="see docs/models.md")
    return FAMILIES[name]


def checked_options(family: Family, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The family's options, those asked for in place of their defaults.

    Raises:
        InputError: It has no such option, or the option is of another type.
    """
    for name, value in asked.items():
        if name not in family.options:
            expected = ", ".join(family.options) or "none at all"
            raise InputError(f"{family.name} has no option {name!r}", expected=expected)
        default = family.options[name]
        right = isinstance(value, (int, float)) if isinstance(default, float) else isinstance(value, type(default))
        if not right or isinstance(value, bool) != isinstance(default, bool):
            expected = type(default).__name__
            raise InputError(f"option {name} of {family.name} is not usable", expected=expected, got=repr(value))
    return {**family.options, **asked}
