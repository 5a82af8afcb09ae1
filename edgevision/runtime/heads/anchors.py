"""Anchor boxes by the few numbers that make them, or as an array in compact form."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.errors import InputError
from edgevision.runtime.heads.checks import check_count, check_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Most anchors of one head; the largest detectors have a few hundred thousand.
_MOST = 1 << 20


@dataclass(frozen=True, kw_only=True)
class AnchorLevel:
    """The anchors of one feature map: one of each size around the centre of every cell, row by row.

    Attributes:
        rows: Cells from top to bottom.
        columns: Cells from left to right.
        sizes: (width, height) of each anchor, as shares of the input's width and height; they may exceed 1.
    """

    rows: int
    columns: int
    sizes: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        check_count("rows", self.rows)
        check_count("columns", self.columns)
        for size in self.sizes:
            check_numbers("an anchor's size", size, 2)


@dataclass(frozen=True, kw_only=True)
class Anchors:
    """Anchor boxes, either from ``levels`` or stored.

    Attributes:
        levels: Feature maps in the order of the outputs.
        stored: Base64 of the zlib-compressed float32 (n, 4) array, little-endian; ``Anchors.of`` makes it. "" without.
    """

    levels: tuple[AnchorLevel, ...] = ()
    stored: str = ""

    def __post_init__(self) -> None:
        if bool(self.levels) == bool(self.stored):
            raise InputError("the anchors are not usable", expected="either levels or a stored array")
        total = sum(level.rows * level.columns * len(level.sizes) for level in self.levels)
        if total > _MOST:
            raise InputError("there are too many anchors", expected=f"at most {_MOST}", got=str(total))
        if self.stored:
            _unpacked(self.stored)

    @classmethod
    def of(cls, boxes: NDArray[Any]) -> Anchors:
        """Anchors of no known rule.

        Args:
            boxes: (n, 4) centre x, centre y, width, height as shares of the input's width and height.
        """
        data = np.ascontiguousarray(boxes, "<f4")
        if data.ndim != 2 or data.shape[1] != 4:
            raise InputError("the anchors are not usable", expected="(n, 4)", got=str(data.shape))
        return cls(stored=base64.b64encode(zlib.compress(data.tobytes(), 9)).decode())

    def boxes(self) -> NDArray[np.float32]:
        """float32 (n, 4): centre x, centre y, width, height, as shares of the input's width and height."""
        if self.stored:
            return _unpacked(self.stored)
        return np.concatenate([_level_boxes(level) for level in self.levels]).astype(np.float32)


def _level_boxes(level: AnchorLevel) -> NDArray[np.float64]:
    y, x = np.mgrid[: level.rows, : level.columns] + 0.5
    found = np.empty((level.rows, level.columns, len(level.sizes), 4))
    found[..., 0], found[..., 1] = (x / level.columns)[..., None], (y / level.rows)[..., None]
    found[..., 2:] = np.array(level.sizes)
    return found.reshape(-1, 4)


def _unpacked(text: str) -> NDArray[np.float32]:
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(text, validate=True), 16 * _MOST)
        values = np.frombuffer(data, "<f4").reshape(-1, 4).astype(np.float32)
    except (ValueError, zlib.error, binascii.Error) as error:
        cure = "make it with Anchors.of"
        raise InputError("the stored anchors cannot be read", got=str(error), cure=cure) from error
    if unpacker.unconsumed_tail or not unpacker.eof or not np.isfinite(values).all() or not (values[:, 2:] > 0).all():
        raise InputError("the stored anchors are not usable", expected="finite boxes with a width and a height")
    return values


def ssd_anchors(
    maps: Sequence[tuple[int, int]],
    *,
    smallest: float = 0.2,
    largest: float = 0.95,
    ratios: Sequence[float] = (1.0, 2.0, 0.5, 3.0, 1 / 3),
    between: bool = True,
    fewer_on_lowest: bool = True,
) -> Anchors:
    """The anchors of SSD (Liu et al. 2016, section 2.2) as TensorFlow's detection models lay them out.

    Args:
        maps: (rows, columns) of each feature map, finest first; two or more.
        smallest: Scale of the first map's anchors, a share of the input's side.
        largest: Scale of the last map's.
        ratios: Width by height.
        between: One more square anchor per map, of the geometric mean of its scale and the next one's.
        fewer_on_lowest: Three anchors on the first map: half of the smallest scale, and ratios 2 and 1/2.
    """
    check_count("the number of maps", len(maps), 2)
    step = (largest - smallest) / (len(maps) - 1)
    scales = [*(smallest + step * index for index in range(len(maps))), 1.0]
    levels = []
    for index, (rows, columns) in enumerate(maps):
        wanted = [(scales[index], ratio) for ratio in ratios]
        wanted += [(math.sqrt(scales[index] * scales[index + 1]), 1.0)] if between else []
        if index == 0 and fewer_on_lowest:
            wanted = [(0.1, 1.0), (smallest, 2.0), (smallest, 0.5)]
        sizes = tuple((scale * math.sqrt(ratio), scale / math.sqrt(ratio)) for scale, ratio in wanted)
        levels.append(AnchorLevel(rows=rows, columns=columns, sizes=sizes))
    return Anchors(levels=tuple(levels))
