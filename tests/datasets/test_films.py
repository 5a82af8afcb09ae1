"""Labelled clips as video files: frames as they are shown, in folders and zips, read in any order."""

from __future__ import annotations

import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevision.datasets import ClipDataset, open_clips
from edgevision.runtime.errors import DatasetError, ImageError, MissingPackageError
from edgevision.runtime.sources.video import Video
from tests.clips import greys, write
from tests.shared_data import shared_path

COUNTS = {"run/one.mp4": 12, "run/two.mkv": 7, "walk/one.AVI": 9}


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Frame n of a film is of the grey level 8 n."""
    for name, count in COUNTS.items():
        path = tmp_path / "data" / "test" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path.with_suffix(path.suffix.lower()), greys(count)).rename(path)
    return tmp_path / "data"


def _level(clips: ClipDataset, index: int) -> int:
    return round(float(clips.images[index].decode().mean()) / 8)


def test_frames_of_videos_are_windows_like_those_of_folders(films: Path) -> None:
    for data in (films, Path(shutil.make_archive(str(films), "zip", films))):
        clips = open_clips(data)
        assert (clips.split, clips.labels) == ("test", ("run", "walk"))
        assert {name: len(indices) for name, indices in clips.clips} == {f"test/{n}": c for n, c in COUNTS.items()}
        windows = clips.windows(4)
        assert windows.targets.tolist() == [0, 0, 0, 0, 1, 1]
        levels = [[_level(clips, int(index)) for index in window] for window in windows.rows]
        assert levels == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [0, 1, 2, 3], [0, 1, 2, 3], [4, 5, 6, 7]]
        assert clips.images.entries[int(windows.rows[3, 2])].name == "test/run/two.mkv/2"


def test_frames_may_be_read_in_any_order(films: Path) -> None:
    clips = pickle.loads(pickle.dumps(open_clips(films)))
    expected = [*range(12), *range(7), *range(9)]
    for index in (20, 3, 11, 10, 27, 0, 0):
        assert _level(clips, index) == expected[index]


def test_a_real_videos_frames_are_those_of_the_stream(tmp_path: Path) -> None:
    (tmp_path / "data/bottle").mkdir(parents=True)
    shutil.unpack_archive(shared_path("video_clips.zip"), tmp_path / "all")
    path = (tmp_path / "all/bottle-detection.mp4").rename(tmp_path / "data/bottle/a.mp4")
    clips = open_clips(tmp_path / "data")
    video = Video(path)
    shown = list(video.frames())
    video.close()
    assert len(clips.clips[0][1]) == len(shown) > 50
    for index in (0, 5, 50):
        frame = shown[index]
        assert not isinstance(frame, ImageError)
        assert np.array_equal(clips.images[index].decode(), frame.pixels)


def test_without_pyav_the_install_line_is_shown(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "av"]:
        monkeypatch.delitem(sys.modules, name)

    class Missing:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name.partition(".")[0] == "av":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(sys, "meta_path", [Missing, *sys.meta_path])
    with pytest.raises(MissingPackageError, match=r"edgevision\[video\]"):
        open_clips(films)


def test_what_cannot_be_used_is_named(films: Path) -> None:
    Image.new("L", (8, 8)).save(films / "test/run/still.png")
    with pytest.raises(DatasetError, match=r"video files and images.*still\.png"):
        open_clips(films)
    (films / "test/run/still.png").unlink()
    (films / "test/walk/none.mp4").write_bytes(b"no video")
    with pytest.raises(DatasetError, match=r"none\.mp4 cannot be opened as a video"):
        open_clips(films)
    (films / "test/walk/none.mp4").unlink()
    clips = open_clips(films)
    write(films / "test/run/one.mp4", greys(3))
    with pytest.raises(ImageError, match=r"one\.mp4 is cut off.*12 frames"):
        clips.images[5].decode()
