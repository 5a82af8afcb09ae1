"""Any mode of Pillow to RGB, by one rule: the range of a channel becomes 0..255, what is transparent lies on white.

1-bit is black and white; grey is three equal channels; a palette is looked up; CMYK, YCbCr, LAB and HSV as Pillow
converts them; 16-bit grey is ``value / 257``, rounded; float grey is 0..1, or 0..255 if a value is above 1. Colour
profiles are ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from edgevision.runtime.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image

_TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")


def divisor(image: Image) -> float:
    """What the values of the image, a loaded one, are divided by to be 0..255; 1 where Pillow converts by itself.

    Raises:
        ImageError: Its values are outside of what an image of its mode can have.
    """
    if not image.mode.startswith("I") and image.mode != "F":
        return 1.0
    low, high = cast("tuple[float, float]", image.getextrema())
    largest = 255 if image.mode == "F" else 65535
    if not 0 <= low <= high <= largest:
        got = f"mode {image.mode}, values {low}..{high}"
        raise ImageError("the image has no known range of values", expected=f"0..{largest}", got=got)
    if image.mode == "F":
        return 1 / 255 if high <= 1 else 1.0
    return 257.0


def rgb(image: Image, divisor: float) -> Image:
    """The image, or a strip of one, in mode RGB; ``divisor`` as the function of that name says for the whole image."""
    from PIL import Image as pil

    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        if not np.isfinite(values).all():  # getextrema passes over NaN
            raise ImageError("the image has values that are no numbers", expected="grey 0..1 or 0..255", got="NaN")
        grey = np.floor(values.astype(np.float64) / divisor + 0.5).astype(np.uint8)
        return pil.fromarray(grey).convert("RGB")
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        white = pil.new("RGBA", rgba.size, (255, 255, 255, 255))
        return pil.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")
