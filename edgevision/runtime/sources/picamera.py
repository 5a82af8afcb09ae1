"""Cameras on the ribbon cable of a Raspberry Pi, through picamera2 (libcamera)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from edgevision.runtime.errors import SourceError
from edgevision.runtime.sources.frame import Frame, Source, import_for_source

_CURE = "sudo apt install python3-picamera2, in an environment made with --system-site-packages"


class PiCamera(Source):
    """A camera that ``rpicam-hello --list-cameras`` shows."""

    kind = "live"

    def __init__(self, index: int = 0, *, size: tuple[int, int] = (640, 480)) -> None:
        """Starts it.

        Args:
            index: Which camera.
            size: Width and height in pixels; the camera's own hardware scales to it.

        Raises:
            SourceError: There is no such camera, or another program uses it.
            MissingPackageError: picamera2 is not installed; it comes with the system, not from PyPI.
        """
        module = import_for_source("picamera2", "picamera2", "to read a Raspberry Pi's camera", cure=_CURE)
        self.name, self._size = f"picamera {index}", size
        self._camera: Any = None
        try:
            self._camera = module.Picamera2(index)
            # libcamera names formats by the order in a word: BGR888 is R, G, B in memory.
            main = {"size": size, "format": "BGR888"}
            self._camera.configure(self._camera.create_video_configuration(main=main, queue=False))
            self._camera.start()
        except Exception as error:  # picamera2 raises IndexError, RuntimeError and others
            self.close()
            cure = "see what there is with: rpicam-hello --list-cameras; close other programs"
            raise SourceError(f"{self.name} cannot be started", got=str(error)[:200], cure=cure) from error

    def frames(self) -> Iterator[Frame]:
        """Frames as they come, with the time at which the sensor took them."""
        index = 0
        while True:
            try:
                request = self._camera.capture_request()
                try:
                    pixels, metadata = request.make_array("main"), request.get_metadata()
                finally:
                    request.release()
            except Exception as error:
                raise SourceError(f"{self.name} broke off", got=str(error)[:200], cure="check its cable") from error
            expected = (self._size[1], self._size[0], 3)
            if pixels.shape != expected or pixels.dtype != np.uint8:
                got = f"{pixels.dtype} {pixels.shape}"
                raise SourceError(f"{self.name} gives other images", expected=f"uint8 {expected}", got=got)
            taken_s = _taken_s(metadata)
            yield Frame(np.ascontiguousarray(pixels), index, taken_s, f"{self.name} frame {index}", taken_s)
            index += 1

    def close(self) -> None:
        """Gives the camera back."""
        if self._camera is not None:
            self._camera.close()  # stops it too
            self._camera = None


def _taken_s(metadata: dict[str, Any]) -> float:
    """When the sensor took the frame, on the monotonic clock; its own stamp is nanoseconds since the system started."""
    now = time.monotonic()
    stamp = metadata.get("SensorTimestamp")
    if stamp is None:
        return now
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    return now - max(since_boot - float(stamp) / 1e9, 0.0)
