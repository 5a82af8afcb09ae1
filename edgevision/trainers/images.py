"""The images of a data set, decoded and resized as the device does it; with a class each, or without."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import Dataset
from edgevision.runtime.preprocess import resize
from edgevision.runtime.spec import ColorOrder, Preprocessing
from edgevision.trainers.cache import PixelCache
from edgevision.trainers.examples import Example, Examples, Progress


class Images(Examples):
    """Images of a data set, without labels.

    Args:
        data: All images are decoded at once.
        p: The model's preprocessing.
        progress: Called with ("read images", done, total).
        strict: Whether an image that cannot be read is an error; else it is left out and named in ``unreadable``,
            as long as any can be read.

    Attributes:
        data: The images without those that cannot be read.
        pixels: All of them, uint8 (images, height, width, channels) in the preprocessing's colour order.

    Raises:
        DatasetError: They fit neither in memory nor on the disk.
        ImageError: An image is damaged.
    """

    labels: tuple[str, ...] = ()

    def __init__(self, data: Dataset, p: Preprocessing, progress: Progress = None, *, strict: bool = True) -> None:
        self.pixels, kept, self.sizes, self.unreadable = readable_pixels(data, p, progress, strict=strict)
        self.data = data.subset(kept)

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Example:
        return Example(self.pixels[index])

    def name(self, index: int) -> str:
        """See ``Examples.name``."""
        return self.data.entries[index].name

    def content_hash(self) -> str:
        """See ``Examples.content_hash``."""
        return self.data.content_hash()


class LabelledImages(Images):
    """Images of a data set with labels; see ``Images``.

    Attributes:
        targets: Label indices, int64 (images,).

    Raises:
        DatasetError: They fit neither in memory nor on the disk.
        ImageError: An image is damaged.
    """

    def __init__(self, data: Dataset, p: Preprocessing, progress: Progress = None, *, strict: bool = True) -> None:
        super().__init__(data, p, progress, strict=strict)
        self.labels, self.targets = data.labels, self.data.targets
        self._shares = np.eye(len(data.labels), dtype=np.float32)[self.targets]

    def __getitem__(self, index: int) -> Example:
        return Example(self.pixels[index], label=self._shares[index])


class Readable(NamedTuple):
    """Those images of a data set that can be read.

    Attributes:
        pixels: uint8 (images, height, width, channels) in the preprocessing's colour order.
        kept: Their places in the data, int64 (images,), ascending.
        sizes: (height, width) of each in the data, pixels.
        unreadable: What is wrong with each of the others.
    """

    pixels: PixelCache
    kept: NDArray[np.int64]
    sizes: tuple[tuple[int, int], ...]
    unreadable: tuple[str, ...]


def load_pixels(data: Dataset, p: Preprocessing, progress: Progress = None) -> PixelCache:
    """All images, uint8 (images, height, width, channels) in ``p.color`` order.

    Raises:
        DatasetError: They fit neither in memory nor on the disk.
        ImageError: An image is damaged.
    """
    return readable_pixels(data, p, progress, strict=True).pixels


def readable_pixels(data: Dataset, p: Preprocessing, progress: Progress = None, *, strict: bool) -> Readable:
    """The images that can be read, at the model's input size.

    Args:
        data: All its images are decoded, in parallel.
        p: The model's preprocessing.
        progress: Called with ("read images", done, total).
        strict: Whether the first that cannot be read is an error; it is where none can be read, too.

    Raises:
        DatasetError: They fit neither in memory nor on the disk.
        ImageError: An image is damaged, and ``strict``; or all are.
    """
    sizes: dict[int, tuple[int, int]] = {}

    def read(index: int) -> NDArray[np.uint8]:
        image = data[index].decode()
        sizes[index] = (image.shape[0], image.shape[1])
        return resize(image, p)

    pixels = PixelCache(len(data), (p.height, p.width, p.channels), read)
    errors = pixels.fill(progress)
    if errors and (strict or len(errors) == len(data)):
        raise errors[min(errors)]
    kept = [place for place in range(len(data)) if place not in errors]
    places, unreadable = np.array(kept, np.int64), tuple(str(errors[place]) for place in sorted(errors))
    left = pixels.subset(places) if errors else pixels
    return Readable(left, places, tuple(sizes[place] for place in kept), unreadable)


def is_colored(pixels: PixelCache | NDArray[np.uint8]) -> bool:
    """Whether any pixel is not grey."""
    return pixels.shape[-1] == 3 and any(bool((image[..., :1] != image[..., 1:]).any()) for image in pixels)


def rgb(pixels: NDArray[np.uint8], color: ColorOrder) -> NDArray[np.uint8]:
    """Pixels of an example (..., channels) in a preprocessing's colour order as RGB, (..., 3)."""
    if pixels.shape[-1] == 1:
        return np.repeat(pixels, 3, axis=-1)
    return np.ascontiguousarray(pixels[..., ::-1]) if color == "bgr" else pixels
