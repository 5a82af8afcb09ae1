"""Where frames come from: whatever a user names, opened as a Source."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from edgevision.runtime import images
from edgevision.runtime.errors import SourceError
from edgevision.runtime.sources.frame import Frame as Frame
from edgevision.runtime.sources.frame import Source as Source
from edgevision.runtime.sources.stills import Items, Stills, folder, pattern

if TYPE_CHECKING:
    AnySource = int | str | os.PathLike[str] | images.ImageSource | Iterable[images.ImageSource | Frame] | Source

_ACCEPTED = (
    "an image, a folder, a pattern, a video file, a camera's number, a URL, 'picamera', a GStreamer pipeline, "
    "or an iterable of images"
)


def open_source(source: AnySource) -> Source:
    """Opens what a user calls a source.

    Args:
        source: A Source itself; the path of an image or video file or of a folder; a pattern with ``*``, ``?`` or
            ``[``; the number of a camera (also as text); a URL such as rtsp:// or http://; "picamera" or "picamera:1";
            a GStreamer pipeline ("... ! appsink"); one image (array, bytes, PIL); an array (N, H, W, 3); or an iterable
            of images, paths or Frames.

    Raises:
        SourceError: It is none of that, does not exist, or cannot be opened.
        MissingPackageError: It needs a package that is not installed; the message holds the install line.
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, (str, os.PathLike)):
        return _named(os.fsdecode(source))
    if isinstance(source, (int, np.integer)) and not isinstance(source, bool) and source >= 0:
        return _camera(int(source))
    if isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "getexif"):
        return Items("the image", [cast("Any", source)])
    if isinstance(source, np.ndarray):
        return Items("the images", list(source)) if source.ndim == 4 else Items("the image", [source])
    if isinstance(source, Iterable):
        return Items("the images", source)
    raise SourceError("the source is of an unusable type", expected=_ACCEPTED, got=type(source).__name__)


def _named(text: str) -> Source:
    path = Path(text)
    try:
        if path.is_dir():
            return folder(path)
        if path.is_file():
            return _file(path)
    except OSError:  # a pipeline is longer than any name of a file may be
        pass
    if camera := re.fullmatch(r"picamera2?(?::(\d+))?", text):
        from edgevision.runtime.sources.picamera import PiCamera

        return PiCamera(int(camera[1] or 0))
    if re.fullmatch(r"\d+", text):
        return _camera(int(text))
    if re.match(r"[a-z][a-z0-9+.-]*://", text, re.IGNORECASE):
        from edgevision.runtime.sources.video import Video

        return Video(text)
    if " ! " in text:
        from edgevision.runtime.sources.opencv import GStreamer

        return GStreamer(text)
    if re.search(r"[*?\[]", text):
        return pattern(text)
    raise SourceError(f"{text} does not exist", expected=_ACCEPTED, cure="check the path")


def _file(path: Path) -> Source:
    """A video if its first bytes are no image's; its name says nothing for sure."""
    if images.is_image(path):
        return Stills(str(path), [path])
    from edgevision.runtime.sources.video import Video

    return Video(path)


def _camera(index: int) -> Source:
    from edgevision.runtime.sources.opencv import Camera

    return Camera(index)
