"""From pixels to what the model takes. Geometry and colour on uint8, then at most one table look-up per value."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgevision.runtime.errors import ImageError
from edgevision.runtime.sampling import sample, size_of, to_array
from edgevision.runtime.spec import ColorOrder, Preprocessing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.sampling import Pixels


class Area(NamedTuple):
    """Whole pixels of an image: ``top`` and ``left`` are the first of them."""

    top: int
    left: int
    height: int
    width: int


class Geometry(NamedTuple):
    """Which part of a source becomes which part of the model's input.

    Coordinates are continuous: an image's left edge is 0, its right edge its width, the first pixel's centre 0.5.

    Attributes:
        size: Height and width of the source, pixels.
        source: What of the source the model sees.
        target: Where on the model's input that is.
    """

    size: tuple[int, int]
    source: Area
    target: Area

    def to_source(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Points on the model's input to points on the source, neither rounded nor clipped.

        Args:
            points: (..., 2) x, y, or (..., 4) x1, y1, x2, y2, pixels of the model's input.

        Returns:
            float64 of the same shape, pixels of the source.
        """
        repeat = points.shape[-1] // 2
        source, target = self.source, self.target
        scale = np.array([source.width / target.width, source.height / target.height] * repeat)
        seen = (points - np.array([target.left, target.top] * repeat)) * scale
        found: NDArray[np.float64] = seen + np.array([source.left, source.top] * repeat)
        return found

    def clipped(self, points: NDArray[Any]) -> NDArray[np.float32]:
        """``to_source``, and what lies outside moved to the source's edge; float32."""
        height, width = self.size
        inside = np.clip(self.to_source(points), 0, np.array([width, height] * (points.shape[-1] // 2)))
        return inside.astype(np.float32)


def geometry(size: tuple[int, int], p: Preprocessing) -> Geometry:
    """What ``resize`` does with an image of so many rows and columns."""
    (rows, columns), whole = size, Area(0, 0, p.height, p.width)
    if p.resize == "crop":
        height = max(1, min(rows, columns * p.height // p.width))
        width = max(1, min(columns, rows * p.width // p.height))
        return Geometry(size, Area((rows - height) // 2, (columns - width) // 2, height, width), whole)
    if p.resize == "letterbox":
        scale = min(p.height / rows, p.width / columns)
        height, width = max(1, round(rows * scale)), max(1, round(columns * scale))
        whole = Area((p.height - height) // 2, (p.width - width) // 2, height, width)
    return Geometry(size, Area(0, 0, rows, columns), whole)


def resize(image: Pixels, p: Preprocessing, *, fast: bool = False) -> NDArray[np.uint8]:
    """The image at the size and in the colours of the model's input; no arithmetic on values but the resampling.

    "stretch" ignores the aspect ratio. "crop" cuts the largest centred box of the input's aspect ratio (whole
    pixels, rounded down) and resamples that. "letterbox" resamples the whole image to the largest size that fits
    (rounded to whole pixels), centred on ``p.fill``.

    Args:
        image: uint8 (H, W, 3), RGB, as ``images.decode`` gives it, or a Pillow image, as ``images.read`` may give it.
        p: The model's preprocessing.
        fast: See ``sampling.sample``. Without it the pixels are the same on every machine.

    Returns:
        uint8 (p.height, p.width, p.channels) in ``p.color`` order, C-contiguous.

    Raises:
        ImageError: ``image`` is an array but not uint8 (H, W, 3).
    """
    if isinstance(image, np.ndarray):
        if image.shape == (p.height, p.width, 3) and p.color == "rgb" and image.dtype == np.uint8:
            return image if image.flags.c_contiguous else np.ascontiguousarray(image)
        _check(image, "uint8 (H, W, 3)", image.ndim == 3 and image.shape[-1] == 3 and 0 not in image.shape)
    pixels = _luma(image) if p.color == "gray" else image
    if p.resize == "letterbox":
        return _ordered(_letterbox(pixels, p, fast), p)
    if p.resize == "crop":
        pixels = _cropped(pixels, geometry(size_of(image), p).source)
    return _ordered(sample(pixels, p.height, p.width, p.interpolation, p.antialias, fast), p)


def normalize(pixels: NDArray[np.uint8], p: Preprocessing) -> NDArray[np.float32]:
    """``(pixel - mean) * scale`` per channel, computed in double precision and rounded once.

    Args:
        pixels: uint8 (..., p.channels) in ``p.color`` order, as ``resize`` gives it.
        p: The model's preprocessing.

    Returns:
        float32 of the same shape.

    Raises:
        ImageError: ``pixels`` is not uint8, or has another number of channels.
    """
    _check(pixels, f"uint8 (..., {p.channels})", pixels.ndim >= 1 and pixels.shape[-1] == p.channels)
    return look_up(_table(p.mean, p.scale), pixels)


def real_table(p: Preprocessing) -> NDArray[np.float64]:
    """What each pixel value becomes, in the model's units: (channels, 256), one row when all channels are alike."""
    rows = 1 if len(set(p.mean)) == len(set(p.scale)) == 1 else len(p.mean)
    offset, factor = np.array(p.mean[:rows])[:, None], np.array(p.scale[:rows])[:, None]
    table: NDArray[np.float64] = (np.arange(256.0) - offset) * factor
    return table


def look_up(table: NDArray[Any], pixels: NDArray[np.uint8], channel_axis: int = -1) -> NDArray[Any]:
    """The entry for each pixel.

    Args:
        table: (channels, 256), or (1, 256) for all channels.
        pixels: uint8, any shape, channels at ``channel_axis``.

    Returns:
        The table's dtype and the pixels' shape, C-contiguous.
    """
    if len(table) == 1:
        alike: NDArray[Any] = table[0].take(pixels)
        return alike
    # All tables as one, at whose start each channel's begins: three times as fast as channel by channel.
    shape = [1] * pixels.ndim
    shape[channel_axis] = len(table)
    starts = (np.arange(len(table)) * 256).reshape(shape)
    found: NDArray[Any] = table.take(np.add(pixels, starts, dtype=np.intp, order="C"))
    return found


@functools.lru_cache(maxsize=8)
def _table(mean: tuple[float, ...], scale: tuple[float, ...]) -> NDArray[np.float32]:
    """``real_table`` in float32, for preprocessing by its numbers alone."""
    color: ColorOrder = "rgb" if len(mean) == 3 else "gray"
    return real_table(Preprocessing(1, 1, color, mean=mean, scale=scale)).astype(np.float32)


def _check(array: Any, expected: str, right: bool) -> None:
    if array.dtype != np.uint8 or not right:
        cure = "pass what images.decode returns"
        raise ImageError("the pixels are not usable", expected=expected, got=f"{array.dtype} {array.shape}", cure=cure)


def _cropped(image: Pixels, area: Area) -> Pixels:
    top, left, height, width = area
    if isinstance(image, np.ndarray):
        return image[top : top + height, left : left + width]
    return image.crop((left, top, left + width, top + height))


def _luma(image: Pixels) -> Pixels:
    """ITU-R 601-2 luma, (H, W, 1) or a Pillow image."""
    from PIL import Image

    if not isinstance(image, np.ndarray):
        return image.convert("L")
    return to_array(Image.fromarray(image).convert("L"))


def _letterbox(pixels: Pixels, p: Preprocessing, fast: bool) -> NDArray[np.uint8]:
    top, left, height, width = geometry(size_of(pixels), p).target
    out = np.full((p.height, p.width, p.channels), p.fill, np.uint8)
    found = sample(pixels, height, width, p.interpolation, p.antialias, fast)
    out[top : top + height, left : left + width] = found
    return out


def _ordered(pixels: NDArray[np.uint8], p: Preprocessing) -> NDArray[np.uint8]:
    return np.ascontiguousarray(pixels[:, :, ::-1] if p.color == "bgr" else pixels)
