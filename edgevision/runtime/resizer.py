"""A faster resizer where one is installed, used once it has shown here that it gives Pillow's pixels."""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    #: uint8 (H, W, 3), C-contiguous, and the wanted height and width.
    Resizer = Callable[[NDArray[np.uint8], int, int], NDArray[np.uint8]]

_PACKAGE = "kornia_rs"


@functools.lru_cache(maxsize=1)
def fast_bilinear() -> Resizer | None:
    """Pillow's bilinear resampling by kornia-rs (the extra ``fast``), within one grey level; None without it.

    Its releases from 0.1.11 on sample the kernel at its own width, which is another picture: hence the trial.
    """
    try:
        package: Any = importlib.import_module(_PACKAGE)
    except ModuleNotFoundError:
        return None
    except Exception as error:
        return _unusable(str(error))

    def resized(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
        found: NDArray[np.uint8] = package.resize(pixels, (height, width), "bilinear")
        return found

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            off = _distance(resized)
    except Exception as error:
        return _unusable(str(error))
    return resized if off <= 1 else _unusable(f"its pixels differ from Pillow's by {off} of 255")


def _distance(resizer: Resizer) -> int:
    """Largest difference from Pillow on noise of only black and white, shrunk, enlarged, and each along one axis."""
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 2, (41, 67, 3), dtype=np.uint8) * np.uint8(255)
    worst = 0
    for height, width in ((16, 16), (90, 90), (13, 120), (120, 13)):
        exact = np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BILINEAR))
        worst = max(worst, int(np.abs(resizer(noise, height, width).astype(np.int16) - exact).max()))
    return worst


def _unusable(why: str) -> Resizer | None:
    warnings.warn(f"{_PACKAGE} is installed but not usable, Pillow resizes instead: {why}", stacklevel=4)
    return None
