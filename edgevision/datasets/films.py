"""Frames of video files as numbered images: decoded when asked for, by the decoder of the runtime's streams."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets.stores import Store
from edgevision.runtime.errors import DatasetError, ImageError, SourceError
from edgevision.runtime.sources.frame import Frame
from edgevision.runtime.sources.video import Video

#: Endings of video files, in any case.
VIDEO_ENDINGS = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".3gp"}
)


def is_video(name: str) -> bool:
    """Whether a file name ends like a video's."""
    return Path(name).suffix.lower() in VIDEO_ENDINGS


class _Reading(NamedTuple):
    """A video that is being read: which, the frames still to come, and the next one's number."""

    film: int
    video: Video
    frames: Iterator[Frame | ImageError]
    following: int


class FilmStore(Store):
    """The frames of several videos, one after the other; ``read`` gives pixels.

    Reading goes forwards: a frame before the last one that was read costs decoding its video from the start.

    Args:
        films: Where the video files are read from.
        places: Of each film its index in ``films``.
        names: Of each film, for messages.

    Attributes:
        counts: How many frames each film has.

    Raises:
        MissingPackageError: PyAV is not installed.
        DatasetError: A film is damaged.
    """

    def __init__(self, films: Store, places: Sequence[int], names: Sequence[str]) -> None:
        self._films, self._places, self._names = films, tuple(places), tuple(names)
        self._restart()
        self.counts = tuple(self._count(film) for film in range(len(self._places)))
        self._starts = np.cumsum([0, *self.counts])

    def _restart(self) -> None:
        self._lock, self._reading = threading.Lock(), None

    _reading: _Reading | None

    def _count(self, film: int) -> int:
        try:
            with closing(self._opened(film)) as video:
                return video.count()
        except (SourceError, ImageError) as error:
            raise DatasetError(error.problem, expected=error.expected, got=error.got, cure=error.cure) from error

    def _opened(self, film: int) -> Video:
        raw = self._films.read(self._places[film])
        if isinstance(raw, Path):
            return Video(raw)
        assert isinstance(raw, bytes), "files are paths or bytes"
        return Video(Path(self._names[film]), raw)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Frame ``index`` of all, uint8 (H, W, 3), RGB."""
        film = int(np.searchsorted(self._starts, index, side="right")) - 1
        try:
            with self._lock:
                return self._frame(film, index - int(self._starts[film]))
        except SourceError as error:
            raise ImageError(error.problem, expected=error.expected, got=error.got, cure=error.cure) from error

    def _frame(self, film: int, number: int) -> NDArray[np.uint8]:
        reading = self._reading
        if reading is None or reading.film != film or reading.following > number:
            if reading is not None:
                reading.video.close()
            video = self._opened(film)
            reading = _Reading(film, video, video.frames(), 0)
        self._reading = None  # whatever goes wrong: the next one begins anew
        for following, frame in enumerate(reading.frames, reading.following):
            if following == number:
                self._reading = reading._replace(following=number + 1)
                if isinstance(frame, ImageError):
                    raise frame
                return frame.pixels
        reading.video.close()
        got = f"its end before frame {number}"
        raise ImageError(f"{self._names[film]} is cut off", expected=f"{self.counts[film]} frames", got=got)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_lock", "_reading")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._restart()
