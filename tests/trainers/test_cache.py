from __future__ import annotations

import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgevision.runtime.errors import DatasetError, ImageError
from edgevision.trainers import cache
from edgevision.trainers.cache import PixelCache

SHAPE = (3, 4, 3)


class Reader:
    """Image i is full of i; remembers what it was asked for."""

    def __init__(self, *damaged: int) -> None:
        self.asked: list[int] = []
        self._damaged, self._lock = damaged, threading.Lock()

    def __call__(self, index: int) -> NDArray[np.uint8]:
        with self._lock:
            self.asked.append(index)
        if index in self._damaged:
            raise ImageError(f"{index}.png is damaged")
        return np.full(SHAPE, index, np.uint8)


@pytest.fixture(params=[0, 5, 100], ids=["scratch", "both", "memory"])
def limited(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", request.param * 36)


@pytest.mark.usefixtures("limited")
def test_an_image_is_made_once_when_it_is_asked_for() -> None:
    read = Reader()
    pixels = PixelCache(9, SHAPE, read)
    assert len(pixels) == 9 and pixels.shape == (9, *SHAPE) and read.asked == []
    assert (pixels[7] == 7).all() and (pixels[-2] == 7).all() and read.asked == [7]
    assert pixels[2:5].mean(axis=(1, 2, 3)).tolist() == [2, 3, 4]
    assert pixels[np.array([[8, 0], [4, 7]])].mean(axis=(2, 3, 4)).tolist() == [[8, 0], [4, 7]]
    assert [int(image.mean()) for image in pixels] == list(range(9))
    assert sorted(read.asked) == list(range(9))
    with pytest.raises(ValueError, match="read-only"):
        pixels[3][0] = 1
    with pytest.raises(IndexError):
        pixels[9]


@pytest.mark.usefixtures("limited")
def test_filling_names_what_cannot_be_read() -> None:
    read, seen = Reader(2, 40), list[tuple[int, int]]()
    pixels = PixelCache(50, SHAPE, read)
    errors = pixels.fill(lambda stage, done, total: seen.append((done, total)))
    assert {place: error.problem for place, error in errors.items()} == {2: "2.png is damaged", 40: "40.png is damaged"}
    assert seen == [(16, 50), (32, 50), (48, 50), (50, 50)] and sorted(read.asked) == list(range(50))
    part = pixels.subset(np.array([49, 3]))
    assert len(part) == 2 and part.shape == (2, *SHAPE)
    assert [int(image.mean()) for image in part] == [49, 3] and len(read.asked) == 50
    assert part.subset(np.array([1]))[0].mean() == 3


@pytest.mark.usefixtures("limited")
def test_many_threads_see_the_same_images() -> None:
    pixels = PixelCache(40, SHAPE, Reader())
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda place: int(pixels[place % 40].mean()), range(400)))
    assert found == [place % 40 for place in range(400)]


def test_the_scratch_file_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pixels = PixelCache(20, SHAPE, Reader())
    assert (pixels[5] == 5).all() and list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "MAX_BYTES", 0)
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(DatasetError, match=r"fit neither in memory nor in .*No space left on device; set TMPDIR"):
        PixelCache(20, SHAPE, Reader())


def test_other_errors_end_the_filling() -> None:
    def read(index: int) -> NDArray[np.uint8]:
        raise KeyError("a fault of ours")

    with pytest.raises(KeyError, match="a fault of ours"):
        PixelCache(100, SHAPE, read).fill()
