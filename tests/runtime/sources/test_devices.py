"""Cameras without a camera: stand-ins for OpenCV and picamera2 that behave as their documentation says."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgevision.runtime.errors import SourceError
from edgevision.runtime.sources import Frame, Source, open_source
from edgevision.runtime.sources.opencv import Camera, GStreamer
from edgevision.runtime.sources.picamera import PiCamera

RED_BGR: NDArray[np.uint8] = np.full((4, 6, 3), (0, 0, 200), np.uint8)


class Capture:
    """cv2.VideoCapture of a camera that gives three red images and is pulled out."""

    opens = True
    images: list[Any]
    made: Capture

    def __init__(self, what: int | str, api: int) -> None:
        self.what, self.api, self.released = what, api, 0
        self.asked: dict[int, float] = {}
        self.left = list(type(self).images)
        Capture.made = self

    def isOpened(self) -> bool:
        return type(self).opens

    def set(self, name: int, value: float) -> bool:
        self.asked[name] = value
        return True

    def get(self, name: int) -> float:
        return {3: 6.0, 4: 4.0}[name]

    def read(self) -> tuple[bool, Any]:
        return (True, self.left.pop(0)) if self.left else (False, None)

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def cv2(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    class Fresh(Capture):
        images = [RED_BGR] * 3

    module = SimpleNamespace(CAP_V4L2=200, CAP_GSTREAMER=1800, COLOR_BGR2RGB=4, VideoCapture=Fresh)
    for number, name in ((3, "FRAME_WIDTH"), (4, "FRAME_HEIGHT"), (5, "FPS"), (38, "BUFFERSIZE")):
        setattr(module, f"CAP_PROP_{name}", number)
    module.cvtColor = lambda pixels, code: np.ascontiguousarray(pixels[:, :, ::-1]) if code == 4 else None
    module.getBuildInformation = lambda: "  Video I/O:\n    GStreamer:                   YES (1.20.3)\n"
    monkeypatch.setitem(sys.modules, "cv2", module)
    return module


def read(source: Source, wanted: int) -> list[Frame]:
    frames = source.frames()
    return [frame for _, frame in zip(range(wanted), frames) if isinstance(frame, Frame)]


def test_a_camera(cv2: SimpleNamespace) -> None:
    before = time.monotonic()
    source = open_source(2)
    assert isinstance(source, Camera) and source.kind == "live"
    found = read(source, 3)
    assert (Capture.made.what, Capture.made.api) == (2, cv2.CAP_V4L2)
    assert [frame.name for frame in found] == [f"camera 2 frame {i}" for i in range(3)]
    for frame in found:
        np.testing.assert_array_equal(frame.pixels, np.full((4, 6, 3), (200, 0, 0)))
        assert before <= frame.time_s == frame.read_s <= time.monotonic()
    source.close()
    assert Capture.made.released == 1


def test_a_camera_that_is_pulled_out_is_an_error_not_an_end(cv2: SimpleNamespace) -> None:
    with pytest.raises(SourceError, match=r"broke off.*no frame after 3"):
        read(Camera(0), 4)


def test_a_camera_that_does_not_open(cv2: SimpleNamespace) -> None:
    cv2.VideoCapture.opens = False
    with pytest.raises(SourceError, match=r"camera 0 cannot be opened.*v4l2-ctl"):
        Camera(0)
    assert Capture.made.released == 1


def test_a_camera_without_the_size_asked_for(cv2: SimpleNamespace) -> None:
    Camera(0, size=(6, 4), fps=15)
    assert Capture.made.asked == {3: 6, 4: 4, 5: 15, 38: 1}
    with pytest.raises(SourceError, match="expected 640x480, got 6x4"):
        Camera(0, size=(640, 480))
    assert Capture.made.released == 1


@pytest.mark.parametrize("image", [None, RED_BGR[:, :, 0], RED_BGR.astype(np.uint16), RED_BGR[:, :, :2]])
def test_a_camera_that_gives_no_colour_images(cv2: SimpleNamespace, image: Any) -> None:
    cv2.VideoCapture.images = [image]
    with pytest.raises(SourceError, match="no colour images"):
        read(Camera(0), 1)


def test_a_pipeline(cv2: SimpleNamespace) -> None:
    live = open_source("nvarguscamerasrc ! nvvidconv ! videoconvert ! appsink drop=true")
    assert isinstance(live, GStreamer) and live.kind == "live"
    assert Capture.made.api == cv2.CAP_GSTREAMER
    with pytest.raises(SourceError, match=r"broke off.*gst-launch"):
        read(live, 4)


def test_a_pipeline_of_a_file_ends(cv2: SimpleNamespace) -> None:
    assert len(read(open_source("filesrc location=a.mp4 ! decodebin ! videoconvert ! appsink"), 9)) == 3
    cv2.VideoCapture.images = []
    with pytest.raises(SourceError, match="no frame after 0"):
        read(open_source("filesrc location=a.mp4 ! decodebin ! videoconvert ! appsink"), 9)


def test_what_a_pipeline_needs(cv2: SimpleNamespace) -> None:
    with pytest.raises(SourceError, match="no appsink"):
        GStreamer("v4l2src ! videoconvert ! autovideosink")
    cv2.getBuildInformation = lambda: "    GStreamer:                   NO\n"
    with pytest.raises(SourceError, match=r"no GStreamer.*python3-opencv"):
        GStreamer("v4l2src ! appsink")


class Request:
    def __init__(self, camera: FakePicamera2) -> None:
        self.camera = camera

    def make_array(self, name: str) -> NDArray[np.uint8]:
        assert name == "main"
        width, height = self.camera.configured["main"]["size"]
        order = {"BGR888": (200, 0, 0), "RGB888": (0, 0, 200)}[self.camera.configured["main"]["format"]]
        return np.full((height, width, 3), order, np.uint8)

    def get_metadata(self) -> dict[str, Any]:
        taken_s = time.clock_gettime(time.CLOCK_BOOTTIME) - 0.5
        return {"SensorTimestamp": int(taken_s * 1e9)}

    def release(self) -> None:
        self.camera.held -= 1


class FakePicamera2:
    made: FakePicamera2

    def __init__(self, index: int) -> None:
        if index > 1:
            raise IndexError("list index out of range")
        self.index, self.held, self.given, self.closed = index, 0, 0, False
        self.configured: dict[str, Any] = {}
        FakePicamera2.made = self

    def create_video_configuration(self, **words: Any) -> dict[str, Any]:
        return words

    def configure(self, configuration: dict[str, Any]) -> None:
        self.configured = configuration

    def start(self) -> None:
        assert self.configured

    def capture_request(self) -> Request:
        if self.given == 3:
            raise RuntimeError("Camera frontend has timed out")
        assert self.held == 0, "a request that is not released stops the camera"
        self.held, self.given = 1, self.given + 1
        return Request(self)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", SimpleNamespace(Picamera2=FakePicamera2))


def test_a_pi_camera(picamera2: None) -> None:
    source = open_source("picamera:1")
    assert isinstance(source, PiCamera) and FakePicamera2.made.index == 1
    found = read(source, 3)
    for frame in found:
        np.testing.assert_array_equal(frame.pixels, np.full((480, 640, 3), (200, 0, 0)))
        assert time.monotonic() - frame.time_s == pytest.approx(0.5, abs=0.3)
    with pytest.raises(SourceError, match=r"broke off.*timed out"):
        read(source, 1)
    source.close()
    source.close()
    assert FakePicamera2.made.closed and FakePicamera2.made.held == 0


def test_a_pi_camera_that_is_not_there(picamera2: None) -> None:
    with pytest.raises(SourceError, match=r"picamera 2 cannot be started.*list-cameras"):
        PiCamera(2)


def test_a_pi_camera_with_another_format(picamera2: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Request, "make_array", lambda self, name: np.zeros((480, 640, 4), np.uint8))
    with pytest.raises(SourceError, match="gives other images"):
        read(PiCamera(), 1)
    assert FakePicamera2.made.held == 0
