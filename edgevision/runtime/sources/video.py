"""Video files and network streams, decoded by PyAV (FFmpeg)."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevision.runtime import images
from edgevision.runtime.errors import ImageError, SourceError
from edgevision.runtime.sources.frame import Frame, Source, import_for_source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: A recording whose last frame ends this much before the length that it declares was cut off.
_MISSING_S = 0.2

#: How long a network stream may take to open, and to send the next packet.
_TIMEOUT_S = 10.0

_BT709, _FULL = 1, 2  # ITU-T H.273

_CURE = "play it with another program; copy or record it again"


class Video(Source):
    """A video file, or a URL of anything that FFmpeg plays.

    Frames are converted to RGB once, at the video's own size (the model's resize is the one it was trained with), with
    the colour matrix and range that the video declares, and turned as its rotation tag says.
    """

    def __init__(self, location: str | Path, data: bytes | None = None) -> None:
        """Opens it.

        Args:
            location: The file or URL.
            data: The file's bytes where it is packed in another; ``location`` is then its name in messages.

        Raises:
            SourceError: It cannot be opened, holds no video, or has frames over 50 megapixels.
            MissingPackageError: PyAV is not installed.
        """
        self._av = import_for_source("av", "av", "to read videos", "video")
        reformatter = import_for_source("av.video.reformatter", "av", "to read videos", "video")
        self.name = re.sub(r"(?<=://)[^/@]*@", "", str(location))  # no user:password in messages
        self._container, self._stream = self._opened(str(location), data)
        self.kind = "recording" if isinstance(location, Path) or self._length_s() else "live"
        self._reformatter: Any = reformatter.VideoReformatter()  # one for all frames: it keeps its tables

    def _opened(self, location: str, data: bytes | None) -> tuple[Any, Any]:
        words: dict[str, Any] = {}
        if data is None and "://" in location:
            words["timeout"] = (_TIMEOUT_S, _TIMEOUT_S)
        if location.startswith("rtsp"):
            words["options"] = {"rtsp_transport": "tcp"}  # UDP loses packets, which damages frames
        try:
            container = self._av.open(location if data is None else io.BytesIO(data), **words)
        except (self._av.FFmpegError, OSError, ValueError) as error:
            cure = "check the address, and that this machine reaches it" if "://" in location else _CURE
            raise SourceError(f"{self.name} cannot be opened as a video", got=_reason(error), cure=cure) from error
        stream = next(iter(container.streams.video), None)
        pixels = stream.codec_context.width * stream.codec_context.height if stream else 0
        if stream is None or pixels > images.MAX_PIXELS:
            container.close()
            got = f"{pixels} pixels" if stream else "no video in it"
            expected = f"frames of at most {images.MAX_PIXELS} pixels"
            raise SourceError(f"{self.name} is not usable", expected=expected, got=got)
        stream.thread_type = "NONE"  # the other cores are for the model, and threads hold back frames of a camera
        return container, stream

    def count(self) -> int:
        """How many frames a file is to have, by its packets: nothing is decoded. The file is used up.

        Raises:
            SourceError: It is damaged.
        """
        try:
            return sum(packet.size > 0 for packet in self._container.demux(self._stream))
        except (self._av.FFmpegError, OSError) as error:
            raise SourceError(f"{self.name} cannot be read", got=_reason(error), cure=_CURE) from error

    def _length_s(self) -> float:
        """How long the video is to be by its header; 0 when that does not say."""
        if self._stream.duration is not None:
            return float(self._stream.duration * self._stream.time_base)
        alone = len(self._container.streams) == 1  # else it may be the sound that is as long
        return self._container.duration / 1e6 if alone and self._container.duration else 0.0

    def frames(self) -> Iterator[Frame | ImageError]:
        """Frames in the order in which they are shown; damaged ones are ImageErrors."""
        index, end_s = 0, 0.0
        for frame in self._decoded():
            name = f"{self.name} frame {index}"
            if isinstance(frame, Exception):
                yield ImageError(f"{name} is damaged", got=_reason(frame), cure=_CURE)
            else:
                now, time_s = time.monotonic(), self._time_s(frame, index)
                end_s = max(end_s, time_s)
                if frame.is_corrupt:
                    yield ImageError(f"{name} is damaged", got="errors in its data", cure=_CURE)
                else:
                    yield Frame(self._pixels(frame), index, now if self.kind == "live" else time_s, name, now)
            index += 1
        self._check_end(index, end_s)

    def _decoded(self) -> Iterator[Any]:
        """Decoded frames, and the exceptions of packets that could not be; others can follow such."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except (self._av.FFmpegError, OSError) as error:
                raise SourceError(f"{self.name} broke off", got=_reason(error), cure=_CURE) from error
            if packet is None:
                return
            try:
                yield from packet.decode()
            except self._av.FFmpegError as error:
                yield error

    def _time_s(self, frame: Any, index: int) -> float:
        # A bare stream of pictures has no clock, and AVI has the order of decoding only.
        if frame.time is None or self._container.format.name == "avi":
            return float(index / (self._stream.average_rate or 25))
        start = self._stream.start_time
        return float(frame.time) - (float(start * self._stream.time_base) if start else 0.0)

    def _pixels(self, frame: Any) -> NDArray[np.uint8]:
        words: dict[str, str] = {}
        if frame.colorspace == _BT709:  # PyAV before 18 takes every video for BT.601, unless told both ends
            full = frame.color_range == _FULL or frame.format.name.startswith("yuvj")
            words = {"src_colorspace": "ITU709", "dst_colorspace": "ITU601"}
            words |= {"src_color_range": "JPEG" if full else "MPEG", "dst_color_range": "JPEG"}
        rgb: NDArray[np.uint8] = self._reformatter.reformat(frame, format="rgb24", **words).to_ndarray()
        quarters = round(getattr(frame, "rotation", 0) / 90) % 4
        if quarters:
            import numpy as np

            rgb = np.ascontiguousarray(np.rot90(rgb, quarters))
        return rgb

    def _check_end(self, count: int, end_s: float) -> None:
        if self.kind == "live":
            raise SourceError(f"{self.name} broke off", got=f"its end after {count} frames", cure="open it again")
        length_s = self._length_s()
        if not count or length_s - end_s > _MISSING_S + 1 / float(self._stream.average_rate or 25):
            expected, got = f"{length_s:.1f} s of video", f"{count} frames, the last at {end_s:.1f} s"
            raise SourceError(f"{self.name} is cut off", expected=expected, got=got, cure=_CURE)

    def close(self) -> None:
        """Closes the file or connection."""
        self._container.close()


def _reason(error: Exception) -> str:
    return re.sub(r"(?<=://)[^/@\s]*@", "", str(error) or type(error).__name__).splitlines()[0][:200]
