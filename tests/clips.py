"""Small videos for tests: frames of one colour each, made by the definition of the colour matrix."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

LUMA = {"ITU601": (0.299, 0.114), "ITU709": (0.2126, 0.0722)}


def planes(rgb: tuple[int, int, int], matrix: str, full: bool = False) -> Any:
    """A frame of one colour, by the definition of the matrix (ITU-R BT.601 and BT.709)."""
    red, green, blue = (value / 255 for value in rgb)
    kr, kb = LUMA[matrix]
    y = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - y) / (2 * (1 - kb)), (red - y) / (2 * (1 - kr))
    values = (y * 255, 128 + cb * 255, 128 + cr * 255) if full else (16 + 219 * y, 128 + 224 * cb, 128 + 224 * cr)
    whole = np.concatenate([np.full(count, round(value)) for count, value in zip((64 * 48, 768, 768), values)])
    return av.VideoFrame.from_ndarray(whole.astype(np.uint8).reshape(72, 64), format="yuv420p")


def write(path: Path, frames: list[Any], *, rate: int = 10, matrix: str = "", full: bool = False, **words: Any) -> Path:
    with av.open(str(path), "w", **words) as out:
        stream: Any = out.add_stream("libx264", rate=rate, options={"crf": "1", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        if matrix:
            stream.codec_context.colorspace = {"ITU601": 6, "ITU709": 1}[matrix]
            stream.codec_context.color_range = 2 if full else 1
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def greys(count: int) -> list[Any]:
    return [planes((8 * number, 8 * number, 8 * number), "ITU601") for number in range(count)]
