"""What the formats' own quantisers begin with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgevision.converters.formats.exported import INPUT
from edgevision.converters.quantize.observe import Batches
from edgevision.runtime.errors import InputError


def chosen(method: str, methods: Sequence[str]) -> str:
    """``method``, if it is one of them.

    Raises:
        InputError: It is not.
    """
    if method not in methods:
        raise InputError("the quantiser is unknown", expected=" or ".join(methods), got=method)
    return method


def single_images(batches: Batches) -> Iterator[NDArray[np.float32]]:
    """Calibration images one by one, float32 (1, H, W, C), pixels 0..255."""
    for batch in batches():
        for image in batch[INPUT]:
            yield image[None].astype(np.float32)
