"""The images of a data set, decoded and resized as the device does it; with a class each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import Dataset
from edgevision.runtime.preprocess import resize
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.cache import PixelCache
from edgevision.trainers.examples import Example, Examples, Progress

#: Height and width of each image as it is in the data, pixels.
Sizes = list[tuple[int, int]]


class LabelledImages(Examples):
    """Images of a data set with labels.

    Args:
        data: All images are decoded at once.
        p: The model's preprocessing.
        progress: Called with ("read images", done, total).
        strict: Whether an image that cannot be read is an error; else it is left out and named in ``unreadable``,
            as long as any can be read.

    Attributes:
        data: The images without those that cannot be read.
        targets: Label indices, int64 (images,).
        pixels: All of them, uint8 (images, height, width, channels) in the preprocessing's colour order.

    Raises:
        DatasetError: They fit neither in memory nor on the disk.
        ImageError: An image is damaged.
    """

    def __init__(self, data: Dataset, p: Preprocessing, progress: Progress = None, *, strict: bool = True) -> None:
        sizes: Sizes = []
        pixels, kept, self.unreadable = readable_pixels(data, p, progress, sizes, strict=strict)
        self.data, self.pixels = data.subset(kept), pixels
        self.labels, self.targets = data.labels, self.data.targets
        self.sizes = tuple(sizes[place] for place in kept)
        self._shares = np.eye(len(data.labels), dtype=np.float32)[self.targets]

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Example:
        return Example(self.pixels[index], label=self._shares[index])

    def name(self, index: int) -> str:
        """See ``Examples.name``."""
        return self.data.entries[index].name

    def content_hash(self) -> str:
        """See ``Examples.content_hash``."""
        return self.data.content_hash()


class UnlabelledImages(Examples):
    """Images of a data set without labels; see ``LabelledImages``.

    Raises:
        DatasetError: They fit neither in memory nor on the disk.
        ImageError: An image is damaged.
    """

    labels = ()

    def __init__(self, data: Dataset, p: Preprocessing, progress: Progress = None, *, strict: bool = True) -> None:
        sizes: Sizes = []
        self.pixels, kept, self.unreadable = readable_pixels(data, p, progress, sizes, strict=strict)
        self._data, self.sizes = data.subset(kept), tuple(sizes[place] for place in kept)

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Example:
        return Example(self.pixels[index])

    def name(self, index: int) -> str:
        """See ``Examples.name``."""
        return self._data.entries[index].name

    def content_hash(self) -> str:
        """See ``Examples.content_hash``."""
        return self._data.content_hash()


def load_pixels(data: Dataset, p: Preprocessing, progress: Progress = None, sizes: Sizes | None = None) -> PixelCache:
    """All images, uint8 (images, height, width, channels) in ``p.color`` order; their sizes before to ``sizes``.

    Raises:
        DatasetError: They fit neither in memory nor on the disk.
        ImageError: An image is damaged.
    """
    return readable_pixels(data, p, progress, sizes, strict=True)[0]


def readable_pixels(
    data: Dataset, p: Preprocessing, progress: Progress = None, sizes: Sizes | None = None, *, strict: bool
) -> tuple[PixelCache, NDArray[np.int64], tuple[str, ...]]:
    """The images that can be read, as ``load_pixels``; which those are; and what is wrong with the others.

    Args:
        data: All its images are decoded, in parallel.
        p: The model's preprocessing.
        progress: Called with ("read images", done, total).
        sizes: Filled with the size of every image, (0, 0) where it cannot be read.
        strict: Whether the first that cannot be read is an error; it is where none can be read, too.

    Raises:
        DatasetError: They fit neither in memory nor on the disk.
        ImageError: An image is damaged, and ``strict``; or all are.
    """
    found: Sizes = [] if sizes is None else sizes
    found[:] = [(0, 0)] * len(data)

    def read(index: int) -> NDArray[np.uint8]:
        image = data[index].decode()
        found[index] = (image.shape[0], image.shape[1])
        return resize(image, p)

    pixels = PixelCache(len(data), (p.height, p.width, p.channels), read)
    errors = pixels.fill(progress)
    if errors and (strict or len(errors) == len(data)):
        raise errors[min(errors)]
    kept = np.array([place for place in range(len(data)) if place not in errors], np.int64)
    return pixels.subset(kept) if errors else pixels, kept, tuple(str(errors[place]) for place in sorted(errors))


def is_colored(pixels: PixelCache | NDArray[np.uint8]) -> bool:
    """Whether any pixel is not grey."""
    return pixels.shape[-1] == 3 and any(bool((image[..., :1] != image[..., 1:]).any()) for image in pixels)
