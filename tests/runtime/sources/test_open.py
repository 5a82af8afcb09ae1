"""What a user may call a source, and what it becomes."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgevision.runtime.errors import MissingPackageError, SourceError
from edgevision.runtime.sources import Frame, open_source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "inner/c.png", ".hidden.png", ".cache/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 3)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("none")
    return tmp_path


def names(source: Any) -> list[str]:
    return [Path(frame.name).name for frame in open_source(source).frames() if isinstance(frame, Frame)]


def test_image_folder_and_pattern(folder: Path) -> None:
    assert names(folder / "b.png") == ["b.png"]
    assert names(str(folder)) == ["a.JPG", "b.png", "c.png"]
    assert names(f"{folder}/*.png") == ["b.png"]
    assert names(f"{folder}/**/*.png") == ["b.png", "c.png"]
    frame = next(iter(open_source(folder).frames()))
    assert isinstance(frame, Frame) and frame.image == folder / "a.JPG"
    assert frame.pixels.shape == (3, 4, 3)


def test_a_file_named_like_a_pattern_or_a_camera(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for name in ("[1].png", "0", "picamera"):
        (folder / name).write_bytes((folder / "b.png").read_bytes())
        assert names(name) == [name]


def test_arrays_bytes_and_iterables(folder: Path) -> None:
    image = np.zeros((5, 4, 3), np.uint8)
    for one in (image, (folder / "b.png").read_bytes(), Image.new("L", (3, 3))):
        assert [frame.name for frame in open_source(one).frames() if isinstance(frame, Frame)] == ["the image[0]"]
    assert len(names(np.zeros((7, 5, 4, 3), np.uint8))) == 7
    own = Frame(image, 41, 1.5, "mine")
    found = list(open_source([image, folder / "b.png", own]).frames())
    assert found[2] is own
    assert open_source([image]).kind == "stills"
    assert open_source(iter([image])).kind == "live"


def test_a_generator_is_closed_with_its_source() -> None:
    ended = []

    def generator() -> Iterator[Any]:
        try:
            while True:
                yield np.zeros((2, 2, 3), np.uint8)
        finally:
            ended.append(True)

    source = open_source(generator())
    next(source.frames())
    source.close()
    assert ended == [True]


def test_time_goes_on_and_is_the_monotonic_clock(folder: Path) -> None:
    before = time.monotonic()
    times = [frame.time_s for frame in open_source(folder).frames() if isinstance(frame, Frame)]
    moments = [before, *times, time.monotonic()]
    assert len(times) == 3 and moments == sorted(moments)


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("none.mp4", "does not exist"),
        ("*.none", "pattern"),
        (None, "NoneType"),
        (-1, "int"),
        (True, "bool"),
        (2.5, "float"),
    ],
)
def test_what_is_no_source(source: Any, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=word):
        open_source(source)


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no images"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("source", "cure"),
    [
        ("clip.mp4", r"pip install 'edgevision\[video\]'"),
        ("rtsp://10.0.0.1/live", r"pip install 'edgevision\[video\]'"),
        (0, r"pip install 'edgevision\[camera\]'"),
        ("0", r"pip install 'edgevision\[camera\]'"),
        ("v4l2src ! appsink", r"pip install 'edgevision\[camera\]'"),
        ("picamera", "apt install python3-picamera2"),
        ("picamera:1", "apt install python3-picamera2"),
    ],
)
def test_a_missing_package(source: Any, cure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, *words: Any) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"\0" * 64)
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingPackageError, match=cure):
        open_source(source)
