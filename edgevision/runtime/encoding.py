"""From uint8 pixels to the values and the layout that one input of a model takes: at most one look-up per value.

Normalisation and quantisation are both functions of one pixel value, so together they are a table of 256 entries per
channel, computed in double precision and rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.errors import BundleError
from edgevision.runtime.preprocess import look_up, real_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.spec import Preprocessing, TensorSpec

    Encode = Callable[[NDArray[np.uint8]], NDArray[Any]]

_FLOATS = ("float32", "float16")


class PixelEncoding:
    """Encodes images that have the size and the colours of the model's input already.

    Which layout the input has follows from its shape: (height, width, channels), (channels, height, width), flat, or
    (height, width) of grey images.

    Attributes:
        is_raw: Whether the pixels are taken as they are, and nothing is computed.
    """

    def __init__(self, spec: TensorSpec, p: Preprocessing, leading: int = 1) -> None:
        """``leading`` dimensions of the input's shape come before those of one image.

        Raises:
            BundleError: The input does not hold such images.
        """
        self._shape, self._pixels = spec.shape[leading:], (p.height, p.width, p.channels)
        is_planar = _is_planar(spec, self._shape, p)
        table = stored_table(spec, p)
        self.is_raw = table is None and not is_planar
        self._encode = _encoder(table, is_planar)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """uint8 (height, width, channels), as ``preprocess.resize`` gives it, to one image of the input's shape."""
        encoded = self._encode(pixels)
        return encoded if encoded.shape == self._shape else encoded.reshape(self._shape)

    def batch(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        """Any number of images, uint8 (..., height, width, channels) or flat, to (images, *shape of one)."""
        return np.stack([self(image) for image in images.reshape(-1, *self._pixels)])


def stored_table(spec: TensorSpec, p: Preprocessing) -> NDArray[Any] | None:
    """What the input stores for each pixel value: (channels, 256), one row when all are alike; None: itself.

    Floats store ``(pixel - mean) * scale``, quantised integers the nearest step to it. Integers that nothing is said
    about (or a scale of 1 at a zero point of 0) hold raw pixels, whose normalisation is in the graph. A table that is
    nowhere more than one step from the raw pixels is not worth the look-ups: what was trained that way was usually fed
    raw pixels.

    Raises:
        BundleError: The input is of a dtype that cannot hold images, or int8 without quantisation.
    """
    if spec.dtype in _FLOATS:
        return real_table(p).astype(spec.dtype)
    limits = np.iinfo(spec.dtype) if spec.dtype not in ("bool", *_FLOATS) else None
    if limits is None or (spec.dtype == "int8" and spec.quant is None):
        expected = "uint8, float32, float16, or integers with scale and zero point"
        raise BundleError("the model's input is no image", expected=expected, got=f"{spec.dtype} {spec.shape}")
    raw = np.arange(256.0)[None]
    table = raw
    if spec.quant is not None and (spec.quant.scale, spec.quant.zero_point) != (1.0, 0):
        steps = np.rint(real_table(p) / spec.quant.scale + spec.quant.zero_point)
        table = np.clip(steps, limits.min, limits.max)
        shift = -128.0 if spec.dtype == "int8" else 0.0
        table = raw + shift if np.abs(table - raw - shift).max() <= 1 else table
    if spec.dtype == "uint8" and (table == raw).all():
        return None
    return table.astype(spec.dtype)


def _is_planar(spec: TensorSpec, shape: tuple[int, ...], p: Preprocessing) -> bool:
    height, width, channels = p.height, p.width, p.channels
    flat = (height * width * channels,)
    if shape in ((height, width, channels), flat) or (channels == 1 and shape == (height, width)):
        return False
    if shape == (channels, height, width):
        return True
    raise BundleError(
        "the model's input is not what its preprocessing makes",
        expected=f"images of {height}x{width} with {channels} channels",
        got=f"{spec.dtype} {spec.shape}",
    )


def _encoder(table: NDArray[Any] | None, is_planar: bool) -> Encode:
    def arranged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.ascontiguousarray(pixels.transpose(2, 0, 1)) if is_planar else pixels

    if table is None:
        return arranged
    if table.dtype == np.int8 and np.array_equal(table[0], np.arange(-128, 128)) and len(table) == 1:
        return lambda pixels: (arranged(pixels) ^ np.uint8(128)).view(np.int8)
    if table.itemsize == 1 and len(table) == 1:
        words = table.tobytes()  # four times as fast as looking up single bytes in an array

        def translated(pixels: NDArray[np.uint8]) -> NDArray[Any]:
            data = arranged(pixels)
            return np.frombuffer(data.tobytes().translate(words), table.dtype).reshape(data.shape)

        return translated
    return lambda pixels: look_up(table, arranged(pixels), channel_axis=0 if is_planar else -1)


def range_of(spec: TensorSpec) -> tuple[float, float] | None:
    """Least and greatest real value that a quantised integer input can hold; None where nothing bounds it."""
    if spec.quant is None or not spec.dtype.endswith("int8"):
        return None
    limits = np.iinfo(spec.dtype)
    low, high = (spec.quant.scale * (end - spec.quant.zero_point) for end in (limits.min, limits.max))
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None
