"""Class names of data against those of a model."""

from __future__ import annotations

from collections.abc import Sequence

from edgevision.runtime.errors import DatasetError


def places_in(own: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Index in ``wanted``, a model's class names, of each of the data's ``own``; by name, whatever the order.

    Raises:
        DatasetError: The model does not know one of them.
    """
    unknown = [label for label in own if label not in wanted]
    if unknown:
        raise DatasetError(
            "the data's classes are not the model's",
            expected=listed(wanted),
            got=f"{listed(own)} (unknown: {listed(unknown)})",
            cure="rename the classes of the data to the model's labels",
        )
    return [list(wanted).index(label) for label in own]


def listed(names: Sequence[str], most: int = 12) -> str:
    """The names, of many the first: "cat, dog, ... (90 in all)"."""
    shown = ", ".join(names[:most])
    return f"{shown}, ... ({len(names)} in all)" if len(names) > most else shown or "none"
