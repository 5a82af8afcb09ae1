"""Clips for sequences, as folders of frames or as video files, cut into windows of the model's length."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgevision.datasets.dataset import Dataset, Entry, Sample
from edgevision.datasets.films import FilmStore, is_video
from edgevision.datasets.folders import is_tree, list_images
from edgevision.datasets.layout import labelled
from edgevision.datasets.opening import open_dataset
from edgevision.datasets.splits import choose_split
from edgevision.runtime.errors import DatasetError


class Framed:
    """What shows frames of a data set.

    Attributes:
        images: All frames, each with its clip's label.
    """

    images: Dataset

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names."""
        return self.images.labels

    @property
    def split(self) -> str:
        """Which split this is."""
        return self.images.split


@dataclass(frozen=True, eq=False)
class WindowDataset(Framed):
    """Windows of frames of one class each.

    Attributes:
        images: Where the frames come from.
        rows: The indices of each window's frames in ``images``, int64 (windows, frames).
    """

    images: Dataset
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> list[Sample]:
        """A window's frames, first to last."""
        return [self.images[int(place)] for place in self.rows[index]]

    @property
    def frames(self) -> int:
        """How many a window holds."""
        return int(self.rows.shape[1])

    @property
    def targets(self) -> NDArray[np.int64]:
        """Label indices, int64 (windows,)."""
        return self.images.targets[self.rows[:, 0]]

    @property
    def names(self) -> tuple[str, ...]:
        """Each window's first and last frame."""
        names = self.images.names
        return tuple(f"{names[row[0]]} to {names[row[-1]].rpartition('/')[2]}" for row in self.rows)

    def subset(self, indices: Iterable[int]) -> WindowDataset:
        """The windows with these numbers."""
        return WindowDataset(self.images, self.rows[np.fromiter(indices, np.int64)])

    def content_hash(self) -> str:
        """Hex sha256 of the frames, and of which of them make windows."""
        used, places = np.unique(self.rows, return_inverse=True)
        frames = self.images.subset(used).content_hash()
        return hashlib.sha256(f"{frames} {places.reshape(self.rows.shape).tolist()}".encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class ClipDataset(Framed):
    """Clips of one class each.

    Attributes:
        images: All frames of all clips, each with its clip's label.
        clips: Per clip its name and the indices of its frames in ``images``, int64 (frames,), in their order.
    """

    images: Dataset
    clips: tuple[tuple[str, NDArray[np.int64]], ...]

    def aligned_to(self, labels: Sequence[str]) -> ClipDataset:
        """The same with labels in a model's order; see ``Dataset.aligned_to``."""
        return ClipDataset(self.images.aligned_to(labels), self.clips)

    def windows(self, frames: int, stride: int | None = None) -> WindowDataset:
        """Windows of each clip; what is left at its end is not used.

        Args:
            frames: Of a window.
            stride: Frames from one window's first to the next one's; None: they do not overlap.

        Raises:
            DatasetError: A clip is shorter than a window.
        """
        rows = []
        for name, indices in self.clips:
            if len(indices) < frames:
                expected = f"at least {frames} frames, the model's window"
                raise DatasetError(f"the clip {name} is too short", expected=expected, got=str(len(indices)))
            rows.append(sliding_window_view(indices, frames)[:: stride or frames])
        return WindowDataset(self.images, np.concatenate(rows))


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
