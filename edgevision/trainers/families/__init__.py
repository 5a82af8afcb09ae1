"""Families of networks by name, one file per kind; none of them imports Keras before a network is built."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from edgevision.runtime.errors import InputError
from edgevision.trainers.families import applications, attention, embedding, gan, plain, resnet, segmentation, video
from edgevision.trainers.families.detection import fcos, rcnn, ssd
from edgevision.trainers.families.family import Built as Built
from edgevision.trainers.families.family import Family as Family
from edgevision.trainers.names import check_name
from edgevision.trainers.recipe import FIELDS

_MODULES = (plain, resnet, attention, applications, fcos, rcnn, ssd, segmentation, embedding, video, gan)
FAMILIES: dict[str, Family] = {family.name: family for module in _MODULES for family in module.FAMILIES}


def named_family(name: str) -> Family:
    """The family of that name.

    Raises:
        InputError: There is none.
    """
    check_name("network", name, FAMILIES, "edgevision train --list shows all")
    return FAMILIES[name]


def checked_options(family: Family, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The family's options, those asked for in place of their defaults.

    Raises:
        InputError: It has no such option, or the option is of another type.
    """
    for name, value in asked.items():
        if name not in family.options:
            expected = ", ".join(family.options) or "none at all"
            near = get_close_matches(name, [*family.options, *FIELDS], 1)
            cure = f"write {near[0]}" if near else ""
            raise InputError(f"{family.name} has no option {name!r}", expected=expected, cure=cure)
        default = family.options[name]
        right = isinstance(value, (int, float)) if isinstance(default, float) else isinstance(value, type(default))
        if not right or isinstance(value, bool) != isinstance(default, bool):
            expected = type(default).__name__
            raise InputError(f"option {name} of {family.name} is not usable", expected=expected, got=repr(value))
    return {**family.options, **asked}
