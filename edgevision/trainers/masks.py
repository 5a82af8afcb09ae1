"""The images of a data set and their masks as arrays, both at the model's input."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import MaskDataset
from edgevision.datasets.masks import IGNORED, VOID
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.preprocess import geometry
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.examples import Example, Examples, Progress
from edgevision.trainers.images import readable_pixels


class MaskedImages(Examples):
    """Images and the classes of their pixels.

    Args:
        data: All images and masks are decoded at once.
        p: The model's preprocessing.
        progress: Called with ("read images", done, total).
        strict: Whether an image that cannot be read is an error; else it is left out and named in ``unreadable``.

    Attributes:
        data: The images without those that cannot be read.
        pixels: uint8 (images, height, width, channels) in the preprocessing's colour order.
        masks: uint8 (images, height, width), indices into ``labels``, or ``IGNORED``.

    Raises:
        DatasetError: They fit neither in memory nor on the disk, a mask is damaged, or of another size than its image.
        ImageError: An image is damaged.
    """

    def __init__(self, data: MaskDataset, p: Preprocessing, progress: Progress = None, *, strict: bool = True) -> None:
        self.pixels, kept, _, self.unreadable = readable_pixels(data.images, p, progress, strict=strict)
        self.data, self.labels = data.subset(kept), data.labels
        self.masks = np.stack([resized_mask(self.data.mask(index), p) for index in range(len(kept))])

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Example:
        return Example(self.pixels[index], mask=self.masks[index])

    def name(self, index: int) -> str:
        """See ``Examples.name``."""
        return self.data.images.entries[index].name

    def content_hash(self) -> str:
        """See ``Examples.content_hash``; of the images and of the masks."""
        parts = (repr(self.labels), self.data.images.content_hash(), self.data.masks.content_hash())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def pixels_of(self) -> NDArray[np.int64]:
        """How many pixels each class has, int64 (classes,)."""
        return np.bincount(self.masks.ravel(), minlength=256)[: len(self.labels)]


def resized_mask(mask: NDArray[np.uint8], p: Preprocessing) -> NDArray[np.uint8]:
    """A mask brought to the model's input as ``preprocess.resize`` brings its image; the nearest pixel's class each.

    Args:
        mask: uint8 (H, W).
        p: The model's preprocessing; around a letterboxed image nothing is judged.

    Returns:
        uint8 (p.height, p.width).
    """
    place = geometry((mask.shape[0], mask.shape[1]), p)
    rows = _nearest(place.source.top, place.source.height, place.target.height)
    columns = _nearest(place.source.left, place.source.width, place.target.width)
    found, target = np.full((p.height, p.width), IGNORED, np.uint8), place.target
    seen = mask[rows[:, None], columns]
    found[target.top : target.top + target.height, target.left : target.left + target.width] = seen
    return found


def class_names(data: MaskDataset) -> tuple[str, ...]:
    """The classes that can be learned: those the data names, without "void" and the like; else as many as there are.

    Raises:
        DatasetError: There are fewer than two.
    """
    names: Sequence[str] = [label for label in data.labels if label.lower() not in VOID]
    if not data.labels:
        values = {int(value) for index in range(len(data)) for value in np.unique(data.mask(index))}
        names = [str(number) for number in range(max(values - {IGNORED}, default=-1) + 1)]
    if len(names) < 2:
        got = ", ".join(names) or "none"
        raise DatasetError("there is nothing to tell apart", expected="masks of two or more classes", got=got)
    return tuple(names)


def _nearest(start: int, source: int, target: int) -> NDArray[np.int64]:
    """The pixel of the source that the centre of each of ``target`` pixels lies in."""
    found: NDArray[np.int64] = start + (2 * np.arange(target, dtype=np.int64) + 1) * source // (2 * target)
    return found
