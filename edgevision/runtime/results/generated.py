"""An image that a model made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.results.result import Result, check_array

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgevision.runtime.images import ImageSource


@dataclass(frozen=True, eq=False)
class GeneratedImage(Result):
    """Pixels.

    Attributes:
        pixels: uint8 (height, width, 3), RGB.
    """

    pixels: NDArray[np.uint8]

    def __post_init__(self) -> None:
        check_array("pixels", self.pixels, (None, None, 3), "uint8")

    def to_dict(self) -> dict[str, Any]:
        """Size and mean colour; the pixels are no JSON (``draw`` gives them)."""
        return {"size": list(self.pixels.shape[:2]), "mean_rgb": self.pixels.mean(axis=(0, 1)).round(2).tolist()}

    def line(self) -> str:
        """ "64x64 pixels"."""
        return f"{self.pixels.shape[1]}x{self.pixels.shape[0]} pixels"

    def draw(self, image: ImageSource | None = None) -> Image:
        """The image that was made, as a PIL image; what it was made from is not needed."""
        from PIL import Image as pil

        return pil.fromarray(self.pixels)
