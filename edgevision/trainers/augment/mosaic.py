"""Four examples in one."""

from __future__ import annotations

import dataclasses

import numpy as np

from edgevision.trainers.augment.affine import Affine, warped
from edgevision.trainers.augment.boxes import shifted
from edgevision.trainers.augment.operation import Draw, Operation
from edgevision.trainers.examples import Example

Frame = tuple[int, int, int, int]


class Mosaic(Operation):
    """Four examples around a point (Bochkovskiy et al. 2020); the amount is the share of examples it is done to.

    The point lies in the middle half. Each example is shrunk, at most to what covers its quarter, and shows a random
    part. Masks and boxes follow; labels are mixed like the areas.
    """

    name, default, mixes = "mosaic", 0.5, True

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        if random.random() >= self.amount:
            return example
        height, width = example.pixels.shape[-3:-1]
        x, y = (round(side * (0.25 + 0.5 * random.random())) for side in (width, height))
        frames = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
        parts = [_part(source, frame, random) for source, frame in zip((example, draw(), draw(), draw()), frames)]
        return _together(example, parts, frames)


def _part(source: Example, frame: Frame, random: np.random.Generator) -> Example:
    """What is to be seen of an example in its quarter."""
    height, width = source.pixels.shape[-3:-1]
    left, top, right, bottom = frame
    rows, columns = bottom - top, right - left
    least = max(rows / height, columns / width)
    scale = least + (1 - least) * random.random()
    aside, down = (random.random() * (size - room) for size, room in ((scale * width, columns), (scale * height, rows)))
    return warped(source, Affine(a=scale, c=-aside, e=scale, f=-down), (rows, columns))


def _together(example: Example, parts: list[Example], frames: list[Frame]) -> Example:
    pixels, mask = np.empty_like(example.pixels), None if example.mask is None else np.empty_like(example.mask)
    label = None if example.label is None else np.zeros_like(example.label)
    for part, (left, top, right, bottom) in zip(parts, frames):
        pixels[..., top:bottom, left:right, :] = part.pixels
        if mask is not None and part.mask is not None:
            mask[top:bottom, left:right] = part.mask
        if label is not None and part.label is not None:
            label += np.float32((bottom - top) * (right - left) / (pixels.shape[-3] * pixels.shape[-2])) * part.label
    found = dataclasses.replace(example, pixels=pixels, mask=mask, label=label)
    if example.boxes is None:
        return found
    moved = [shifted(part, left, top) for part, (left, top, _, _) in zip(parts, frames)]
    boxes = np.concatenate([part.boxes for part in moved if part.boxes is not None])
    class_ids = np.concatenate([part.class_ids for part in moved if part.class_ids is not None])
    return dataclasses.replace(found, boxes=boxes, class_ids=class_ids)
