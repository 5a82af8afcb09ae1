"""Resampling of uint8 pixels: Pillow where its kernels are wanted, the plain kernel in numpy where they are not."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from edgevision.runtime.resizer import fast_bilinear

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgevision.runtime.spec import Interpolation

    Pixels = NDArray[np.uint8] | Image

_RADIUS = {"bilinear": 1, "bicubic": 2, "lanczos": 3}


def size_of(image: Pixels) -> tuple[int, int]:
    """Rows and columns."""
    return (image.shape[0], image.shape[1]) if isinstance(image, np.ndarray) else (image.height, image.width)


def to_array(image: Pixels) -> NDArray[np.uint8]:
    """uint8 (H, W, C)."""
    array = np.asarray(image)
    return array[:, :, None] if array.ndim == 2 else array


def sample(
    image: Pixels,
    height: int,
    width: int,
    interpolation: Interpolation,
    antialias: bool,
    fast: bool = False,
) -> NDArray[np.uint8]:
    """All of ``image`` resampled to uint8 (height, width, C).

    Pixel centres lie at half coordinates. Without ``antialias`` a shrink samples the kernel at its own width, as
    ``tf.image.resize`` does by default; enlarging is the same either way.

    Args:
        image: uint8 (H, W, C) with C 1 or 3, or a Pillow image of mode "L" or "RGB".
        height: Wanted rows.
        width: Wanted columns.
        interpolation: The kernel.
        antialias: Whether a shrink widens the kernel.
        fast: Whether ``resizer.fast_bilinear`` may take the place of Pillow: for RGB, within one grey level.
    """
    rows, columns = size_of(image)
    if (rows, columns) == (height, width):
        return to_array(image)
    shrinks = height < rows or width < columns
    if shrinks and not antialias and interpolation != "nearest":
        return _plain(to_array(image), height, width, interpolation)
    if (
        fast
        and interpolation == "bilinear"
        and (resizer := fast_bilinear())
        and (pixels := to_array(image)).shape[2] == 3
    ):
        return resizer(np.ascontiguousarray(pixels), height, width)
    if isinstance(image, np.ndarray):
        image = _to_image(image)
    from PIL.Image import Resampling

    return to_array(image.resize((width, height), Resampling[interpolation.upper()]))


def _to_image(pixels: NDArray[np.uint8]) -> Image:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))


def _plain(pixels: NDArray[np.uint8], height: int, width: int, interpolation: str) -> NDArray[np.uint8]:
    row_index, row_weight = _taps(pixels.shape[0], height, interpolation)
    column_index, column_weight = _taps(pixels.shape[1], width, interpolation)
    rows = pixels[row_index].astype(np.float32)  # (height, taps, W, C)
    lines = np.einsum("hkwc,hk->hwc", rows, row_weight)
    out = np.einsum("hwkc,wk->hwc", lines[:, column_index], column_weight)
    result: NDArray[np.uint8] = np.clip(np.floor(out + np.float32(0.5)), 0, 255).astype(np.uint8)
    return result


@functools.lru_cache(maxsize=64)
def _taps(size: int, wanted: int, interpolation: str) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """For each of ``wanted`` output positions: input indices and weights, (wanted, taps); the weights sum to 1."""
    radius = _RADIUS[interpolation]
    center = (np.arange(wanted) + 0.5) * (size / wanted) - 0.5
    index = np.floor(center).astype(np.intp)[:, None] + np.arange(1 - radius, radius + 1)
    weight = _kernel(index - center[:, None], interpolation)
    weight[(index < 0) | (index >= size)] = 0.0
    weight /= weight.sum(axis=1, keepdims=True)
    return index.clip(0, size - 1), weight.astype(np.float32)


def _kernel(x: NDArray[np.float64], interpolation: str) -> NDArray[np.float64]:
    x = np.abs(x)
    if interpolation == "bilinear":
        return np.maximum(0.0, 1.0 - x)
    if interpolation == "bicubic":  # Keys' cubic with a = -0.5, as Pillow and TensorFlow use it
        near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
        return np.where(x < 1, near, np.where(x < 2, far, 0.0))
    return np.where(x < 3, np.sinc(x) * np.sinc(x / 3), 0.0)
