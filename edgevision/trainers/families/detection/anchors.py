"""Anchors of the detectors that have some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgevision.runtime.errors import InputError
from edgevision.runtime.heads.anchors import Anchors, ssd_anchors
from edgevision.runtime.heads.detection import SsdHead

#: The families' options that decide them: shares of the input's sides.
OPTIONS = {"smallest": 0.08, "largest": 0.6}
#: Width by height; one more square anchor a place lies between two levels.
_RATIOS = (1.0, 2.0, 0.5)
#: How many there are at a place.
PER_PLACE = len(_RATIOS) + 1


def anchored(name: str, maps: Sequence[Any], strides: Sequence[int], options: Mapping[str, Any]) -> SsdHead:
    """The head of maps (batch, rows, columns, channels), with outputs boxes_STRIDE and scores_STRIDE.

    Raises:
        InputError: The options are no shares of the input, in order.
    """
    smallest, largest = options["smallest"], options["largest"]
    if not 0 < smallest < largest <= 1:
        expected = "0 < smallest < largest <= 1"
        raise InputError(f"the anchors of {name} are not usable", expected=expected, got=f"{smallest}, {largest}")
    return SsdHead(
        boxes=tuple(f"boxes_{stride}" for stride in strides),
        scores=tuple(f"scores_{stride}" for stride in strides),
        anchors=_anchors([(tensor.shape[1], tensor.shape[2]) for tensor in maps], smallest, largest),
        background=False,
        order="xywh",
    )


def _anchors(maps: Sequence[tuple[int, int]], smallest: float, largest: float) -> Anchors:
    return ssd_anchors(maps, smallest=smallest, largest=largest, ratios=_RATIOS, fewer_on_lowest=False)
