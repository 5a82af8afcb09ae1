"""Affine maps of examples: pixels, boxes and masks moved by the same map, each resampled once.

Coordinates are those of boxes: a picture's left edge is 0, its right edge its width, a pixel's centre at its half.
"""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.datasets.masks import IGNORED
from edgevision.trainers.augment.boxes import clipped
from edgevision.trainers.examples import Example

_NEAR = 1e-6


class Affine(NamedTuple):
    """(x, y) goes to (a x + b y + c, d x + e y + f)."""

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 1.0
    f: float = 0.0

    def then(self, after: Affine) -> Affine:
        """First this map, then the other."""
        a, b, c, d, e, f = after
        return Affine(
            a * self.a + b * self.d,
            a * self.b + b * self.e,
            a * self.c + b * self.f + c,
            d * self.a + e * self.d,
            d * self.b + e * self.e,
            d * self.c + e * self.f + f,
        )

    def about(self, x: float, y: float) -> Affine:
        """This map with (x, y) in the place of the origin."""
        return Affine(c=-x, f=-y).then(self).then(Affine(c=x, f=y))

    def inverse(self) -> Affine:
        """The map back."""
        a, b, c, d, e, f = self
        area = a * e - b * d
        return Affine(e / area, -b / area, (b * f - c * e) / area, -d / area, a / area, (c * d - a * f) / area)

    @property
    def is_upright(self) -> bool:
        """Whether rows stay rows."""
        return abs(self.b) < _NEAR and abs(self.d) < _NEAR

    @property
    def is_whole(self) -> bool:
        """Whether it only mirrors, and shifts by whole pixels: then no value is changed."""
        steps = (abs(self.a) - 1, abs(self.e) - 1, self.c - round(self.c), self.f - round(self.f))
        return self.is_upright and max(map(abs, steps)) < _NEAR


def warped(example: Example, forward: Affine, size: tuple[int, int] | None = None) -> Example:
    """The example as the map moves it.

    What comes into view from outside repeats the edge in pixels, and is ``IGNORED`` in masks. Boxes end at the border,
    see ``boxes.clipped``; a turned box becomes the box around the ellipse that lay in it (Kalra et al. 2021: nearer
    to most objects than the box around its corners).

    Args:
        example: It stays as it is.
        forward: Where its points go.
        size: Height and width of the outcome, pixels; None: its own.
    """
    to = size or example.pixels.shape[-3:-1]
    back = forward.inverse()
    changes: dict[str, object] = {"pixels": _pixels(example.pixels, back, (to[0], to[1]))}
    if example.mask is not None:
        picture = Image.fromarray(example.mask)
        nearest = picture.transform(to[::-1], Image.Transform.AFFINE, back, Image.Resampling.NEAREST, fillcolor=IGNORED)
        changes["mask"] = np.array(nearest)
    moved = dataclasses.replace(example, **changes)  # type: ignore[arg-type]
    if example.boxes is None:
        return moved
    return clipped(moved, _moved(example.boxes, forward), (0, 0, to[1], to[0]))


def _moved(boxes: NDArray[np.float32], to: Affine) -> NDArray[np.float32]:
    (x, y), (width, height) = (boxes[:, :2] + boxes[:, 2:]).T / 2, (boxes[:, 2:] - boxes[:, :2]).T / 2
    middle = np.stack([to.a * x + to.b * y + to.c, to.d * x + to.e * y + to.f], 1)
    reach = np.stack([np.hypot(to.a * width, to.b * height), np.hypot(to.d * width, to.e * height)], 1)
    return np.concatenate([middle - reach, middle + reach], 1).astype(np.float32)


def _pixels(pixels: NDArray[np.uint8], back: Affine, to: tuple[int, int]) -> NDArray[np.uint8]:
    height, width = pixels.shape[-3:-1]
    left, top, right, bottom = _seen(back, to)
    margins = (-math.floor(top), -math.floor(left), math.ceil(bottom) - height, math.ceil(right) - width)
    above, before, below, behind = (max(margin, 0) for margin in margins)
    source = padded(pixels, above, before, below, behind)
    back = back.then(Affine(c=before, f=above))
    box = (left + before, top + above, right + before, bottom + above)
    if back.is_whole:
        rows, columns = (slice(round(box[1]), round(box[3])), slice(round(box[0]), round(box[2])))
        found = source[..., rows, columns, :][..., :: -1 if back.e < 0 else 1, :: -1 if back.a < 0 else 1, :]
        return np.ascontiguousarray(found)
    if source.ndim == 3:
        return _resampled(source, back, to, box)
    return np.stack([_resampled(frame, back, to, box) for frame in source])


def _seen(back: Affine, to: tuple[int, int]) -> tuple[float, float, float, float]:
    """The part of the source that comes into view: left, top, right, bottom; thousandths beyond its edges forgiven."""
    a, b, c, d, e, f = back
    height, width = to
    left, top = c + min(a * width, 0) + min(b * height, 0), f + min(d * width, 0) + min(e * height, 0)
    right, bottom = left + abs(a) * width + abs(b) * height, top + abs(d) * width + abs(e) * height
    return tuple(round(side, 5) for side in (left, top, right, bottom))  # type: ignore[return-value]


def padded(pixels: NDArray[np.uint8], above: int, before: int, below: int, behind: int) -> NDArray[np.uint8]:
    """With the edge repeated so many pixels to each side; ``numpy.pad`` takes ten times as long for small images."""
    if not (above or before or below or behind):
        return pixels
    *frames, height, width, channels = pixels.shape
    found = np.empty((*frames, above + height + below, before + width + behind, channels), np.uint8)
    rows = found[..., above : above + height, :, :]
    rows[..., before : before + width, :] = pixels
    rows[..., :before, :] = pixels[..., :1, :]
    rows[..., before + width :, :] = pixels[..., -1:, :]
    found[..., :above, :, :] = rows[..., :1, :, :]
    found[..., above + height :, :, :] = rows[..., -1:, :, :]
    return found


def _resampled(
    source: NDArray[np.uint8], back: Affine, to: tuple[int, int], box: tuple[float, float, float, float]
) -> NDArray[np.uint8]:
    channels = source.shape[-1]
    picture = Image.fromarray(source if channels == 3 else source[..., 0])
    size, bilinear = to[::-1], Image.Resampling.BILINEAR
    if back.is_upright:  # with a kernel that widens where it shrinks
        found = np.asarray(picture.resize(size, bilinear, box), np.uint8)
        found = found[:: -1 if back.e < 0 else 1, :: -1 if back.a < 0 else 1]
        return np.ascontiguousarray(found).reshape(*to, channels)
    return np.asarray(picture.transform(size, Image.Transform.AFFINE, back, bilinear), np.uint8).reshape(*to, channels)
