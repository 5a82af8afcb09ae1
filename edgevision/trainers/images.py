"""The images of a data set as one array, decoded and resized as the device does it; with a class each."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import Dataset
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.preprocess import resize
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.examples import Example, Examples, Progress

#: Pixels held in memory, at most: 4 GiB, or half of the machine's memory where that is less.
MAX_BYTES = 4 << 30


class LabelledImages(Examples):
    """Images of a data set with labels.

    Attributes:
        targets: Label indices, int64 (images,).
        pixels: All of them, uint8 (images, height, width, channels) in the preprocessing's colour order.

    Raises:
        DatasetError: They would not fit in memory.
        ImageError: An image is damaged.
    """

    def __init__(self, data: Dataset, p: Preprocessing, progress: Progress = None) -> None:
        self._data, self.labels = data, data.labels
        self.pixels = load_pixels(data, p, progress)
        self.targets = data.targets
        self._shares = np.eye(len(data.labels), dtype=np.float32)[self.targets]

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Example:
        return Example(self.pixels[index], label=self._shares[index])

    def name(self, index: int) -> str:
        """See ``Examples.name``."""
        return self._data.entries[index].name

    def content_hash(self) -> str:
        """See ``Examples.content_hash``."""
        return self._data.content_hash()


def load_pixels(
    data: Dataset, p: Preprocessing, progress: Progress = None, sizes: list[tuple[int, int]] | None = None
) -> NDArray[np.uint8]:
    """All images, uint8 (images, height, width, channels) in ``p.color`` order; (height, width) before to ``sizes``.

    Raises:
        DatasetError: They would not fit in memory.
        ImageError: An image is damaged.
    """
    shape = (len(data), p.height, p.width, p.channels)
    needed, limit = int(np.prod(shape, dtype=np.int64)), _limit()
    if needed > limit:
        raise DatasetError(
            f"{len(data):,} images of {p.height}x{p.width} do not fit in memory",
            expected=f"at most {limit / 2**30:.1f} GiB of pixels",
            got=f"{needed / 2**30:.1f} GiB",
            cure="choose a smaller --input-size or fewer images",
        )
    pixels = np.empty(shape, np.uint8)
    for index, sample in enumerate(data):
        image = sample.decode()
        pixels[index] = resize(image, p)
        if sizes is not None:
            sizes.append((image.shape[0], image.shape[1]))
        if progress is not None:
            progress("read images", index + 1, len(data))
    return pixels


def is_colored(pixels: NDArray[np.uint8]) -> bool:
    """Whether any pixel is not grey."""
    return pixels.shape[-1] == 3 and any(bool((image[..., :1] != image[..., 1:]).any()) for image in pixels)


def _limit() -> int:
    try:
        return min(MAX_BYTES, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)
    except (AttributeError, ValueError, OSError):  # not every system tells
        return MAX_BYTES
