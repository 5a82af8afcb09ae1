"""Predictions painted on images, with Pillow alone."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime import images
from edgevision.runtime.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgevision.runtime.images import ImageSource

Color = tuple[int, int, int]
_GOLDEN = 0.618033988749895
_TINT = 0.45


def color_of(index: int) -> Color:
    """A colour per class, RGB: hues a golden section apart, so that neighbours differ however many there are."""
    value, saturation = ((1.0, 0.85), (0.8, 1.0), (1.0, 0.55))[index // 7 % 3]
    red, green, blue = colorsys.hsv_to_rgb(0.02 + index * _GOLDEN, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def ink_on(color: Color) -> Color:
    """Black or white, whichever is read more easily on the colour (by its ITU-R 601 luma)."""
    luma = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
    return (0, 0, 0) if luma > 140 else (255, 255, 255)


class Canvas:
    """A copy of an image to draw on; lines and letters grow with it.

    Attributes:
        image: The PIL image, RGB.
    """

    def __init__(self, image: ImageSource, size: tuple[int, int] | None = None) -> None:
        """``size`` is the height and width that the image has to have; None is any."""
        from PIL import Image as pil

        pixels = images.decode(image)
        if size is not None and pixels.shape[:2] != tuple(size):
            got = f"{pixels.shape[1]}x{pixels.shape[0]}"
            cure = "pass the image that was predicted"
            raise ImageError("the image is of another size", expected=f"{size[1]}x{size[0]}", got=got, cure=cure)
        self.image: Image = pil.fromarray(pixels).copy()
        self._unit = max(1, round(max(pixels.shape[:2]) / 400))
        self._font, self._is_latin = _font(max(11, 6 * self._unit + 6))
        _, self._above, _, bottom = self._font.getbbox("Ag")
        self._line = round(bottom - self._above) + 4

    def box(self, box: NDArray[Any], text: str, index: int) -> None:
        """A frame (x1, y1, x2, y2, pixels) with its text above it, or inside where there is no room."""
        x1, y1, x2, y2 = (float(value) for value in box)
        right, bottom = max(x1, x2 - 1), max(y1, y2 - 1)
        self._pen().rectangle((x1, y1, right, bottom), outline=color_of(index), width=self._unit)
        self._label(text, index, x1, y1 - self._line if y1 >= self._line else y1)

    def caption(self, text: str, index: int, row: int) -> None:
        """A text in the upper left corner; ``row`` counts from the top."""
        self._label(text, index, 0, row * self._line)

    def segment(self, start: NDArray[Any], end: NDArray[Any], index: int) -> None:
        """A line between two points (x, y)."""
        self._pen().line((*map(float, start), *map(float, end)), fill=color_of(index), width=self._unit + 1)

    def dot(self, point: NDArray[Any], index: int) -> None:
        """A point (x, y)."""
        x, y = (float(value) for value in point)
        radius, color = self._unit + 1, color_of(index)
        corners = (x - radius, y - radius, x + radius, y + radius)
        self._pen().ellipse(corners, fill=color, outline=ink_on(color))

    def tint(self, mask: NDArray[np.bool_], window: tuple[int, int, int, int], index: int) -> None:
        """Colour over the pixels of a mask, bool (h, w), that lies at ``window`` (top, left, bottom, right)."""
        from PIL import Image as pil

        top, left, bottom, right = window
        if 0 in mask.shape:
            return
        alpha = pil.fromarray((mask * np.uint8(round(255 * _TINT))).astype(np.uint8))
        self.image.paste(color_of(index), (left, top, right, bottom), alpha)

    def _pen(self) -> Any:
        from PIL import ImageDraw

        return ImageDraw.Draw(self.image)

    def _label(self, text: str, index: int, x: float, y: float) -> None:
        color, pen = color_of(index), self._pen()
        if self._is_latin:
            text = text.encode("latin-1", "replace").decode("latin-1")
        left, _, right, _ = self._font.getbbox(text)
        width = round(right - left) + 4
        x = max(0.0, min(x, self.image.width - width))
        pen.rectangle((x, y, x + width - 1, y + self._line - 1), fill=color)
        pen.text((x + 2, y + 2 - self._above), text, fill=ink_on(color), font=self._font)


def _font(size: int) -> tuple[Any, bool]:
    """Pillow's own font, and whether it knows Latin letters only.

    It comes in one size, as a bitmap, from a Pillow without FreeType or older than 10.1.
    """
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size), False
    except (TypeError, ImportError, OSError):
        return ImageFont.load_default(), True
