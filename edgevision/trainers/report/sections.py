"""What a task adds to the report of its training: plain values, each kind drawn by a template of its own."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.benchmarks.report.confusion import matrix_picture

#: Images with longer sides are shrunk; those with sides up to the second stay as they are, pixel by pixel.
SIDE, _SMALL = 320, 64
_QUALITY = 85


@dataclass(frozen=True)
class Picture:
    """An image inside the page.

    Attributes:
        uri: As data, no side longer than ``SIDE``.
        width: Of what is shown, pixels.
        height: The same.
        alt: What it shows, for who does not see it.
    """

    uri: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class Line:
    """A fact beside a picture: its name, its value, and whether that is right; None where this is no question."""

    name: str
    value: str
    right: bool | None = None


@dataclass(frozen=True)
class Item:
    """An example: its picture, None where images are left out, and what is said of it."""

    picture: Picture | None
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Gallery:
    """Examples side by side."""

    kind: ClassVar[str] = "gallery"
    title: str
    lead: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Sheet:
    """One picture over the whole width, such as a grid of samples."""

    kind: ClassVar[str] = "sheet"
    title: str
    lead: str
    picture: Picture


@dataclass(frozen=True)
class Table:
    """Rows of one kind; the first cell of each names it."""

    kind: ClassVar[str] = "table"
    title: str
    lead: str
    rows: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix; ``picture`` is what ``matrix_picture`` made."""

    kind: ClassVar[str] = "matrix"
    picture: dict[str, Any]


Section = Gallery | Sheet | Table | Matrix


def confusion_section(truth: NDArray[np.int64], answers: NDArray[np.int64], labels: tuple[str, ...]) -> Matrix:
    """Which classes are taken for which: right classes and answers, int64 (examples,)."""
    return Matrix(matrix_picture("the network", truth, answers, labels))


def picture(pixels: NDArray[np.uint8], alt: str, side: int = SIDE) -> Picture:
    """An image for the page, made from pixels alone: uint8 (H, W, 3) RGB, or (H, W, 1) grey."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((side, side))
    out, small = io.BytesIO(), max(image.size) <= _SMALL
    if small:
        image.save(out, "PNG", optimize=True)
    else:
        image.save(out, "JPEG", quality=_QUALITY)
    data = base64.b64encode(out.getvalue()).decode("ascii")
    return Picture(f"data:image/{'png' if small else 'jpeg'};base64,{data}", *image.size, alt)
