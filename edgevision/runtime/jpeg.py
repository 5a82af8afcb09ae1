"""JPEG: is the file whole, and a faster decoder where one is installed."""

from __future__ import annotations

import functools
import importlib
import re
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# In compressed data 255 is followed by 0, a restart marker or, as filling, another 255; anything else is a marker.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_START_OF_SCAN, _END = 0xDA, 0xD9
_ALONE = {0x01, 0xD8, *range(0xD0, 0xD8)}  # markers without a length
_AFTER_A_SCAN = {0xC4, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)}


def damage(data: bytes) -> str:
    """What is wrong with the order of a JPEG's parts; "" when it goes from its start to an end marker.

    libjpeg only warns of most damage and fills up with grey; Pillow does not hear the warning. A walk from marker to
    marker (ITU-T T.81, annex B) finds what was cut off or written over, if not a changed bit within compressed data.
    """
    at, scanned = 2, False
    while True:
        at = data.find(b"\xff", at)
        while at >= 0 and data[at + 1 : at + 2] == b"\xff":
            at += 1
        if at < 0 or at + 2 > len(data):
            return "no end marker"
        marker = data[at + 1]
        if marker == _END:
            return "" if scanned else "no image data"
        if scanned and marker not in _AFTER_A_SCAN:
            return f"marker {marker:#04x} at byte {at}, where none can be"
        at += 2
        if marker in _ALONE:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 or at + length > len(data):
            return f"a part of {length} bytes at byte {at} of {len(data)}"
        at += length
        if marker == _START_OF_SCAN:
            scanned, found = True, _MARKER.search(data, at)
            at = found.start() if found else len(data)


def decodes_fast() -> bool:
    """Whether ``decode_fast`` has a decoder."""
    return _simplejpeg() is not None


def decode_fast(data: bytes, buffer: Any = None) -> NDArray[np.uint8] | None:
    """Pixels of a grey or colour JPEG by simplejpeg (the extra ``fast``), the very ones that Pillow gives.

    The slow, exact transform and chroma upsampling are asked for, at full size: scaling while decoding changes pixels.

    Args:
        data: The file.
        buffer: Where to put the pixels; None for new memory.

    Returns:
        uint8 (H, W, 3), RGB, not turned by EXIF; None when simplejpeg is not installed or only warns of the file: then
        Pillow decides, so that the same files are refused with and without it.
    """
    decoder = _simplejpeg()
    if decoder is None:
        return None
    try:
        pixels: NDArray[np.uint8] = decoder.decode_jpeg(data, "RGB", fastdct=False, fastupsample=False, buffer=buffer)
    except ValueError:
        return None
    return pixels


@functools.lru_cache(maxsize=1)
def _simplejpeg() -> Any:
    try:
        return importlib.import_module("simplejpeg")
    except ModuleNotFoundError:
        return None
    except Exception as error:
        warnings.warn(f"simplejpeg is installed but not usable, Pillow decodes instead: {error}", stacklevel=2)
        return None
