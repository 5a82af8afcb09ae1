"""Which pixels are an object's, as COCO's JSON says it; checked, because compiled code reads it afterwards."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

#: Polygons: of each x1, y1, x2, y2, ... in pixels of the image, three corners at least; together they are the object.
#: Or COCO's run-length encoding: ``size`` (height, width) and ``counts``, the lengths of runs column by column,
#: background first, as numbers or as COCO's text of them.
Outline = list[list[float]] | dict[str, Any]

#: No image is as large, and a polygon is drawn by walking along its sides.
_FARTHEST = 1e5
_FIRST, _MORE, _DIGITS = ord("0"), 32, 64


def outline_of(item: Mapping[str, Any], size: tuple[int, int] | None) -> Outline | None:
    """The outline of an annotation; None where it has none.

    Args:
        item: The annotation.
        size: Height and width of its image; None where it is not known.

    Raises:
        ValueError: It is none.
        TypeError: It is none.
        KeyError: A field is missing.
    """
    found = item.get("segmentation")
    if not found:
        return None
    if isinstance(found, list):
        return [_polygon(corners) for corners in found]
    height, width = (int(value) for value in found["size"])
    counts = found["counts"]
    if height < 1 or width < 1 or (size is not None and (height, width) != size):
        raise ValueError("the outline is not of the image's size")
    runs = counts if isinstance(counts, list) else _runs(counts)
    if any(type(run) is not int or run < 0 for run in runs) or sum(runs) != height * width:
        raise ValueError("the outline's runs do not fill the image")
    return {"size": [height, width], "counts": counts}


def _polygon(corners: Any) -> list[float]:
    values = [float(value) for value in corners]
    if len(values) < 6 or len(values) % 2 or not all(math.isfinite(v) and abs(v) <= _FARTHEST for v in values):
        raise ValueError("the outline is no polygon")
    return values


def _runs(text: str) -> list[int]:
    """The lengths in COCO's text: five bits a character, lowest first, from the third on less the one two before."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        digit = ord(character) - _FIRST
        if not 0 <= digit < _DIGITS or shift > 30:
            raise ValueError("the outline's runs are no text of COCO's")
        value |= (digit & (_MORE - 1)) << shift
        shift += 5
        if digit & _MORE:
            continue
        if digit & (_MORE // 2):  # negative
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the outline's runs break off")
    return runs
