"""Two clips as windows of frames, played forwards and backwards: what the row "frames" of check_training.py learns."""

from __future__ import annotations

import io
import itertools
import zipfile
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Clip in the archive -> every how many frames one is taken: about 5 a second of each.
CLIPS = {"bottle-detection.mp4": 6, "car-detection.mp4": 3}
#: Frames of a window, and their height and width in pixels. What tells the direction best is the camera: it needs half
#: a second to expose anew for what has come into view. Bottles are put down and taken away alike in both directions.
FRAMES, HEIGHT, WIDTH = 24, 36, 64
#: Shares of a clip's time: up to here it is trained on, and from there on tested; nothing between.
TRAIN_END, TEST_START = 0.68, 0.72
#: Mean grey levels between neighbouring frames from which on something moves, the same backwards. Where nothing does,
#: nothing tells the direction.
MOVES = 0.5

Film = NDArray[np.uint8]


def frames_of(archive: Path, name: str, step: int) -> Film:
    """uint8 (frames, HEIGHT, WIDTH, 3), RGB."""
    with zipfile.ZipFile(archive) as file, av.open(io.BytesIO(file.read(name))) as clip:
        taken = (frame for number, frame in enumerate(clip.decode(video=0)) if number % step == 0)
        small = (frame.reformat(WIDTH, HEIGHT, format="rgb24", interpolation="AREA") for frame in taken)
        return np.stack([frame.to_ndarray() for frame in small])


def moving(film: Film) -> list[int]:
    """First frames of the windows in which something moves."""
    steps = np.abs(np.diff(film.astype(np.int64), axis=0)).mean((1, 2, 3))
    return [at for at in range(len(film) - FRAMES + 1) if steps[at : at + FRAMES - 1].mean() >= MOVES]


def runs(starts: list[int]) -> list[tuple[int, int]]:
    """First and last frame, exclusive, of films that hold just the windows with these first frames."""
    breaks = [0, *(place for place in range(1, len(starts)) if starts[place] != starts[place - 1] + 1), len(starts)]
    return [(starts[a], starts[b - 1] + FRAMES) for a, b in itertools.pairwise(breaks)]


def write(archive: Path, out: Path) -> Path:
    """CLASS/CLIP/FRAME.png, of each clip both directions: train/ of films, test/ of single windows that overlap."""
    for name, step in CLIPS.items():
        film = frames_of(archive, name, step)
        ends = round(TRAIN_END * len(film)), round(TEST_START * len(film))
        early, late = film[: ends[0]], film[ends[1] :]
        clips = [("train", early[a:b]) for a, b in runs(moving(early))]
        clips += [("test", late[at : at + FRAMES]) for at in moving(late)]
        for number, (split, clip) in enumerate(clips):
            for label, frames in (("forwards", clip), ("backwards", clip[::-1])):
                folder = out / split / label / f"{name.partition('-')[0]}{number:03}"
                folder.mkdir(parents=True)
                for place, frame in enumerate(frames):
                    Image.fromarray(frame).save(folder / f"{place:03}.png", compress_level=1)
    return out
