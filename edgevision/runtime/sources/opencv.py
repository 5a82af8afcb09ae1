"""Cameras by number, and GStreamer pipelines: through OpenCV, because PyAV's wheels read neither."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.errors import SourceError
from edgevision.runtime.sources.frame import Frame, Source, import_for_source

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SINK = "videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1"


class _Capture(Source):
    """What OpenCV's VideoCapture reads.

    Raises:
        SourceError: OpenCV cannot open it.
        MissingPackageError: OpenCV is not installed.
    """

    def __init__(self, name: str, what: int | str, api: str, cure: str) -> None:
        self.name, self._cure = name, cure
        self._cv2 = _opencv()
        self._capture: Any = self._cv2.VideoCapture(what, getattr(self._cv2, api))
        if not self._capture.isOpened():
            self.close()
            raise SourceError(f"{name} cannot be opened", got="a refusal of OpenCV, which says no more", cure=cure)

    def frames(self) -> Iterator[Frame]:
        """Frames as they come."""
        index = 0
        while True:
            good, pixels = self._capture.read()
            now = time.monotonic()
            if not good:
                return self._end(index)
            yield Frame(self._rgb(pixels), index, now, f"{self.name} frame {index}", now)
            index += 1

    def _end(self, count: int) -> None:
        """A camera has no end: OpenCV tells a pulled cable and the end of a file in the same way."""
        raise SourceError(f"{self.name} broke off", got=f"no frame after {count}", cure=self._cure)

    def _rgb(self, pixels: Any) -> NDArray[np.uint8]:
        shape: tuple[int, ...] = getattr(pixels, "shape", ())
        if len(shape) != 3 or shape[2] != 3 or pixels.dtype != np.uint8:
            got = f"{pixels.dtype} {shape}" if shape else "nothing"
            raise SourceError(f"{self.name} gives no colour images", expected="uint8 (H, W, 3)", got=got)
        rgb: NDArray[np.uint8] = self._cv2.cvtColor(pixels, self._cv2.COLOR_BGR2RGB)
        return rgb

    def close(self) -> None:
        """Gives the device back."""
        self._capture.release()


class Camera(_Capture):
    """A camera that the system numbers, /dev/videoN."""

    kind = "live"

    def __init__(self, index: int = 0, *, size: tuple[int, int] | None = None, fps: float | None = None) -> None:
        """Opens it.

        Args:
            index: The N of /dev/videoN.
            size: Width and height in pixels, which the camera must have; None takes what it gives by itself.
            fps: Frames a second to ask for; cameras take the nearest that they have.

        Raises:
            SourceError: There is no such camera, another program uses it, or it has not that size.
            MissingPackageError: OpenCV is not installed.
        """
        cure = "see what there is with: v4l2-ctl --list-devices; close other programs; join the group video"
        super().__init__(f"camera {index}", index, "CAP_V4L2", cure)
        wanted = {"CAP_PROP_FRAME_WIDTH": size and size[0], "CAP_PROP_FRAME_HEIGHT": size and size[1]}
        for name, value in {**wanted, "CAP_PROP_FPS": fps, "CAP_PROP_BUFFERSIZE": 1}.items():
            if value is not None:
                self._capture.set(getattr(self._cv2, name), value)
        got = tuple(int(self._capture.get(getattr(self._cv2, name))) for name in wanted)
        if size is not None and got != tuple(size):  # set() returns nothing useful: ask what was done
            self.close()
            cure = f"list its sizes: v4l2-ctl -d {index} --list-formats-ext"
            expected, had = (f"{width}x{height}" for width, height in (size, got))
            raise SourceError(f"camera {index} has no such size", expected=expected, got=had, cure=cure)


class GStreamer(_Capture):
    """A GStreamer pipeline that ends in an appsink."""

    def __init__(self, pipeline: str) -> None:
        """Starts it.

        Raises:
            SourceError: It has no appsink, OpenCV was built without GStreamer, or the pipeline does not start.
            MissingPackageError: OpenCV is not installed.
        """
        if not re.search(r"\bappsink\b", pipeline):
            raise SourceError("the pipeline has no appsink", expected=f"... ! {_SINK}", got=pipeline[-80:])
        if not re.search(r"GStreamer:\s+YES", _opencv().getBuildInformation()):
            cure = "use the system's: apt install python3-opencv, in an environment made with --system-site-packages"
            raise SourceError("this OpenCV has no GStreamer", got="one from pip, most likely", cure=cure)
        # These end by themselves; a camera does not.
        ends = re.search(r"\b(filesrc|multifilesrc|num-buffers)\b", pipeline)
        self.kind = "recording" if ends else "live"
        super().__init__("the pipeline", pipeline, "CAP_GSTREAMER", f"try it alone: gst-launch-1.0 {pipeline}")

    def _end(self, count: int) -> None:
        if self.kind == "live" or not count:
            super()._end(count)


def _opencv() -> Any:
    return import_for_source("cv2", "opencv-python-headless", "to read cameras and GStreamer pipelines", "camera")
