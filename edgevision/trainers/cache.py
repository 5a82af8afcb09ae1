"""Decoded images, each made when it is first asked for and kept: in memory, and what does not fit in a scratch file."""

from __future__ import annotations

import copy
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.errors import DatasetError, ImageError
from edgevision.trainers.examples import Progress

#: Pixels of one cache held in memory, at most: 4 GiB, or a quarter of the machine's memory where that is less.
MAX_BYTES = 4 << 30
#: Images a thread decodes before it reports.
_CHUNK = 16


class PixelCache:
    """Images of one size, read like an array uint8 (count, *shape): by number, slice, or array of numbers.

    What it gives must not be written to. Safe to read from several threads: two that ask for the same image at once
    may both make it. The scratch file, in TMPDIR, has no name: it is gone with the process, however that ends.

    Args:
        count: How many images.
        shape: Of each: (H, W, C).
        read: Makes image number i, uint8 of that shape; may raise ImageError.

    Attributes:
        shape: (count, *shape).

    Raises:
        DatasetError: The disk has no room for what does not fit in memory.
    """

    def __init__(self, count: int, shape: tuple[int, ...], read: Callable[[int], NDArray[np.uint8]]) -> None:
        self.shape: tuple[int, ...] = (count, *shape)
        self._read, self._is_read = read, np.zeros(count, np.bool_)
        self._places = np.arange(count)
        self._held = min(count, _limit() // max(math.prod(shape), 1))
        self._memory = np.empty((self._held, *shape), np.uint8)
        self._scratch = _scratch((count - self._held, *shape))

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self._one(place) for place in self._places)

    def __getitem__(self, wanted: int | slice | NDArray[np.integer]) -> NDArray[np.uint8]:
        places = self._places[wanted]
        if not isinstance(places, np.ndarray):
            return self._one(places)
        found = np.empty((places.size, *self.shape[1:]), np.uint8)
        for index, place in enumerate(places.ravel()):
            found[index] = self._one(place)
        return found.reshape(*places.shape, *self.shape[1:])

    def fill(self, progress: Progress = None) -> dict[int, ImageError]:
        """Make all images at once, in as many threads as there are processors.

        Returns:
            Those that cannot be read, by number.
        """
        starts, errors = range(0, len(self), _CHUNK), dict[int, ImageError]()
        with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
            jobs = [threads.submit(self._chunk, start) for start in starts]
            try:
                for start, job in zip(starts, jobs):
                    errors |= job.result()
                    if progress is not None:
                        progress("read images", min(start + _CHUNK, len(self)), len(self))
            finally:
                threads.shutdown(cancel_futures=True)
        return errors

    def subset(self, wanted: NDArray[np.integer]) -> PixelCache:
        """The images at those numbers, in that order, out of the same memory."""
        part = copy.copy(self)
        part._places = self._places[wanted]
        part.shape = (len(wanted), *self.shape[1:])
        return part

    def _chunk(self, start: int) -> dict[int, ImageError]:
        tried = ((index, self._tried(index)) for index in range(start, min(start + _CHUNK, len(self))))
        return {index: error for index, error in tried if error is not None}

    def _tried(self, index: int) -> ImageError | None:
        try:
            self._one(self._places[index])
        except ImageError as error:
            return error
        return None

    def _one(self, place: np.integer) -> NDArray[np.uint8]:
        held = place < self._held
        pixels: NDArray[np.uint8] = self._memory[place] if held else self._scratch[place - self._held]
        if not self._is_read[place]:
            pixels[...] = self._read(int(place))
            self._is_read[place] = True
        pixels.flags.writeable = False
        return pixels


def _scratch(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    size = math.prod(shape)
    if not size:
        return np.empty(shape, np.uint8)
    try:
        with tempfile.TemporaryFile(prefix="edgevision-") as file:
            if hasattr(os, "posix_fallocate"):  # else a disk that fills up later would kill the process
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return np.asarray(np.memmap(file, np.uint8, "r+", shape=shape))
    except OSError as error:
        raise DatasetError(
            f"{size / 2**30:.1f} GiB of pixels fit neither in memory nor in {tempfile.gettempdir()}",
            got=error.strerror or str(error),
            cure="set TMPDIR to a folder with more room, or choose a smaller --input-size or fewer images",
        ) from error


def _limit() -> int:
    try:
        return min(MAX_BYTES, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4)
    except (AttributeError, ValueError, OSError):  # not every system tells
        return MAX_BYTES
