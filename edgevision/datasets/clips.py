"""Clips for sequences, as folders of frames or as video files, cut into windows of the model's length."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets.dataset import Dataset, Entry
from edgevision.datasets.films import FilmStore, is_video
from edgevision.datasets.folders import is_tree, list_images
from edgevision.datasets.layout import labelled
from edgevision.datasets.opening import open_dataset
from edgevision.datasets.splits import choose_split
from edgevision.runtime.errors import DatasetError


@dataclass(frozen=True, eq=False)
class ClipDataset:
    """Clips of one class each.

    Attributes:
        images: All frames of all clips, each with its clip's label.
        clips: Per clip its name and the indices of its frames in ``images``, int64 (frames,), in their order.
    """

    images: Dataset
    clips: tuple[tuple[str, NDArray[np.int64]], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names."""
        return self.images.labels

    @property
    def split(self) -> str:
        """Which split this is."""
        return self.images.split

    def aligned_to(self, labels: Sequence[str]) -> ClipDataset:
        """The same with labels in a model's order; see ``Dataset.aligned_to``."""
        return ClipDataset(self.images.aligned_to(labels), self.clips)

    def windows(self, frames: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Windows that do not overlap: frame indices int64 (n, frames) and labels int64 (n,).

        What is left at a clip's end is not used.

        Raises:
            DatasetError: A clip is shorter than a window.
        """
        rows, labels = [], []
        for name, indices in self.clips:
            count = len(indices) // frames
            if not count:
                expected = f"at least {frames} frames, the model's window"
                raise DatasetError(f"the clip {name} is too short", expected=expected, got=str(len(indices)))
            rows.append(indices[: count * frames].reshape(count, frames))
            labels += [self.images.entries[int(indices[0])].label] * count
        return np.concatenate(rows), np.array(labels, np.int64)


def open_clips(data: str | Path, split: str | None = None, *, prefer: str = "test") -> ClipDataset:
    """Clips as folders of frames or as video files.

    Args:
        data: A folder or .zip of CLASS/CLIP/FRAME, of CLASS/FRAME where a class is one clip, or of CLASS/CLIP.mp4 (or
            another video file); train/, val/, test/ may lie on top. Frames follow each other by the numbers in their
            names (frame2 before frame10), those of a video as it shows them; none is left out, whatever its rate.
        split: The split to open. None: the only one, else the one that ``prefer`` leads to.
        prefer: As for ``open_dataset``.

    Raises:
        DatasetError: Nothing usable there, both kinds at once, a damaged video, or no such split.
        MissingPackageError: There are videos, and PyAV is not installed.
    """
    images = _films(Path(data), split, prefer) or open_dataset(data, split, prefer=prefer)
    clips: dict[str, list[int]] = {}
    for index, entry in enumerate(images.entries):
        clips.setdefault(entry.name.rpartition("/")[0], []).append(index)
    ordered = {
        name: sorted(indices, key=lambda index: _natural(images.entries[index].name)) for name, indices in clips.items()
    }
    return ClipDataset(images, tuple((name, np.array(indices, np.int64)) for name, indices in ordered.items()))


def _films(path: Path, split: str | None, prefer: str) -> Dataset | None:
    """The frames of all videos below a path; None where there are no videos."""
    if not is_tree(path):
        return None
    listing, store = list_images(path, is_video)
    if not listing.images:
        return None
    if stills := list_images(path)[0].images:
        got = f"{'/'.join(listing.images[0])} and {'/'.join(stills[0])}"
        problem, cure = f"{path} has video files and images", "leave one of both"
        raise DatasetError(problem, expected="CLASS/CLIP.mp4 or CLASS/CLIP/FRAME", got=got, cure=cure)
    labels, splits = labelled(listing)
    name = choose_split(str(path), tuple(splits), split, prefer)
    films = splits[name]
    frames = FilmStore(store, [film.place for film in films], [film.name for film in films])
    numbered = ((film, number) for film, count in zip(films, frames.counts) for number in range(count))
    entries = (Entry(f"{film.name}/{number}", film.label, place) for place, (film, number) in enumerate(numbered))
    return Dataset(labels, name, tuple(splits), tuple(entries), frames)


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts digits by their value."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if number % 2 else (-1, part) for number, part in enumerate(parts)]
