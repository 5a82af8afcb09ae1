"""Videos made here and real ones: frames, colours, times, and what is cut off or damaged."""

from __future__ import annotations

import functools
import http.server
import re
import socket
import struct
import threading
import time
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from edgevision.runtime import images
from edgevision.runtime.errors import ImageError, SourceError
from edgevision.runtime.sources import Frame, open_source
from edgevision.runtime.sources.video import Video
from tests.clips import greys, planes, write
from tests.shared_data import shared_path


def noise(count: int) -> list[Any]:
    random = np.random.default_rng(3)
    return [
        av.VideoFrame.from_ndarray(random.integers(0, 256, (72, 64), dtype=np.uint8), format="yuv420p")
        for _ in range(count)
    ]


def good(source: Any) -> list[Frame]:
    found = list(open_source(source).frames())
    assert all(isinstance(frame, Frame) for frame in found)
    return [frame for frame in found if isinstance(frame, Frame)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
def test_every_frame_once_with_its_time(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"clip.{suffix}", greys(25))
    found = good(path)
    assert [round(float(frame.pixels.mean()) / 8) for frame in found] == list(range(25))
    assert [frame.index for frame in found] == list(range(25))
    np.testing.assert_allclose([frame.time_s for frame in found], np.arange(25) / 10, atol=0.002)
    assert found[3].name == f"{path} frame 3"


@pytest.mark.parametrize("matrix", ["ITU601", "ITU709"])
@pytest.mark.parametrize("full", [False, True])
def test_the_colours_that_the_video_declares(matrix: str, full: bool, tmp_path: Path) -> None:
    colours = [(200, 30, 60), (20, 180, 90), (40, 60, 220), (255, 255, 255), (0, 0, 0)]
    frames = [planes(colour, matrix, full) for colour in colours]
    found = good(write(tmp_path / "clip.mp4", frames, matrix=matrix, full=full))
    for colour, frame in zip(colours, found):
        np.testing.assert_allclose(frame.pixels.reshape(-1, 3).mean(axis=0), colour, atol=3)


def test_a_real_clip(tmp_path: Path) -> None:
    with zipfile.ZipFile(shared_path("video_clips.zip")) as archive:
        clip = Path(archive.extract("car-detection.mp4", tmp_path))
        stills = {number: archive.read(f"frames/car/{number:04d}.jpg") for number in (0, 12, 29)}
    found = good(clip)
    assert len(found) == 377
    np.testing.assert_allclose([frame.time_s for frame in found], np.arange(377) / 12.5, atol=1e-6)
    for number, still in stills.items():  # every second frame from 317, at half size
        half = found[317 + 2 * number].pixels.reshape(216, 2, 384, 2, 3).mean(axis=(1, 3))
        assert np.abs(half - images.decode(still)).mean() < 3


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "fast.mp4"])
def test_a_video_that_is_cut_off_is_told(suffix: str, share: float, tmp_path: Path) -> None:
    words: dict[str, Any] = {"options": {"movflags": "faststart"}} if suffix.startswith("fast") else {}
    data = write(tmp_path / f"clip.{suffix}", noise(40), **words).read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(data[: int(share * len(data))])
    with pytest.raises(SourceError, match=r"cut off|cannot be opened|broke off"):
        list(open_source(cut).frames())


def test_damaged_frames_stand_where_they_were(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "clip.mp4", noise(40)).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    (tmp_path / "clip.mp4").write_bytes(data)
    found = list(open_source(tmp_path / "clip.mp4").frames())
    bad = [str(frame) for frame in found if isinstance(frame, ImageError)]
    assert bad and "clip.mp4 frame" in bad[0]
    assert len(found) - len(bad) > 20
    assert isinstance(found[-1], Frame)


@pytest.mark.parametrize("content", [b"", b"no video at all" * 99])
def test_no_video(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.mp4 cannot be opened"):
        open_source(tmp_path / "a.mp4")


def test_sound_alone(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.wav"), "w") as out:
        stream: Any = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        out.mux(stream.encode(frame))
    with pytest.raises(SourceError, match="no video"):
        Video(tmp_path / "a.wav")


def test_frames_over_the_limit_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "clip.mp4", greys(3))
    monkeypatch.setattr(images, "MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(SourceError, match="3072 pixels"):
        open_source(path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"127.0.0.1:{serving.server_port}"
    serving.shutdown()
    thread.join()
    serving.server_close()


def test_a_url(server: str, tmp_path: Path) -> None:
    write(tmp_path / "clip.mp4", greys(10))
    source = open_source(f"http://user:secret@{server}/clip.mp4")
    assert source.kind == "recording"
    found = list(source.frames())
    source.close()
    assert len(found) == 10
    assert "secret" not in found[0].name  # type: ignore[union-attr]
    with pytest.raises(SourceError, match="cannot be opened") as caught:
        open_source(f"http://user:secret@{server}/none.mp4")
    assert "secret" not in str(caught.value)


def test_a_camera_on_the_network_that_goes_away_is_an_error(server: str, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "live.mjpeg"), "w", format="mjpeg") as out:
        stream: Any = out.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for frame in greys(5):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    source = open_source(f"http://{server}/live.mjpeg")
    assert source.kind == "live"
    frames = source.frames()
    for _ in range(5):
        assert isinstance(next(frames), Frame)
    with pytest.raises(SourceError, match="broke off"):
        next(frames)
    source.close()


class Rtsp(threading.Thread):
    """A network camera: answers one client, sends H.264 over the same connection (RFC 2326, RFC 6184), hangs up."""

    def __init__(self, pictures: int) -> None:
        super().__init__(daemon=True)
        self.pictures, self.listening = pictures, socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.start()

    def run(self) -> None:
        client, _ = self.listening.accept()
        with self.listening, client, client.makefile("rwb") as file:
            while request := file.readline().split():
                lines = list(iter(file.readline, b"\r\n"))
                number = next(line.split()[1].decode() for line in lines if line.lower().startswith(b"cseq"))
                answer, body = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 1\r\n", ""
                if request[0] == b"DESCRIBE":
                    body = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track\r\n"
                    answer += f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
                if request[0] == b"SETUP":
                    assert any(b"RTP/AVP/TCP" in line for line in lines)
                    answer += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
                file.write(f"{answer}\r\n{body}".encode())
                file.flush()
                if request[0] == b"PLAY":
                    self.send(file)
                    break

    def send(self, file: Any) -> None:
        coder: Any = av.CodecContext.create("libx264", "w")
        coder.width, coder.height, coder.pix_fmt, coder.time_base = 64, 48, "yuv420p", Fraction(1, 10)
        coder.options = {"tune": "zerolatency", "crf": "1"}
        sequence = 0
        for number, frame in enumerate(greys(self.pictures)):
            frame.pts = number
            units = [
                unit
                for packet in coder.encode(frame)
                for unit in re.split(rb"\x00\x00\x00?\x01", bytes(packet))
                if unit
            ]
            for unit in units:
                last = unit is units[-1]
                head = struct.pack(">BBHII", 0x80, 96 | (last << 7), sequence, number * 9000, 7)
                file.write(b"$\0" + struct.pack(">H", len(head) + len(unit)) + head + unit)
                sequence += 1
        file.flush()


def test_rtsp() -> None:
    camera = Rtsp(12)
    source = open_source(f"rtsp://user:secret@127.0.0.1:{camera.port}/live")
    assert source.kind == "live"
    before = time.monotonic()
    found: list[Any] = []
    with pytest.raises(SourceError, match="broke off") as caught:
        found.extend(source.frames())
    source.close()
    camera.join()
    assert "secret" not in str(caught.value) + found[0].name
    assert len(found) >= 10
    levels = [round(float(frame.pixels.mean()) / 8) for frame in found]
    assert levels == list(range(levels[0], levels[0] + len(levels)))
    assert all(before <= frame.time_s <= time.monotonic() for frame in found)
