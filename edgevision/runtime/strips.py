"""A Pillow image to one upright array, in strips: a second whole copy of a large photo is what a small board lacks."""

from __future__ import annotations

import contextlib
import importlib
import mmap
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.colors import divisor, rgb
from edgevision.runtime.jpeg import decode_fast

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

#: Pixels that are converted at a time: few enough that the allocator gives the same memory again for each. Fresh pages
#: for a whole image cost more than its conversion (1280x720, decoded by Pillow: 3.2 ms so, 7.7 ms in one piece).
_STRIP = 1 << 14

#: Rows at least that become columns at a time: narrower columns touch each line of the result too often.
_COLUMNS = 64

#: From how many pixels on memory is worth the care.
_LARGE = 1 << 23

_switch = threading.Lock()
_thread = threading.local()

_ORIENTATION_TAG = 0x0112

# EXIF orientation -> the PIL.Image.Transpose that turns the image upright; does the first row become the last or the
# right column; do rows become columns.
_UPRIGHT = {
    1: ("", False, False),
    2: ("FLIP_LEFT_RIGHT", False, False),
    3: ("ROTATE_180", True, False),
    4: ("FLIP_TOP_BOTTOM", True, False),
    5: ("TRANSPOSE", False, True),
    6: ("ROTATE_270", True, True),
    7: ("TRANSVERSE", True, True),
    8: ("ROTATE_90", False, True),
}


def loaded(image: Image, jpeg: bytes | None = None, *, ours: bool = True) -> NDArray[np.uint8] | Image:
    """The pixels of ``upright_rgb`` to be read at once, without a copy where that can be.

    Returns:
        Of a small upright image one of: uint8 (H, W, 3) in memory that the next call of this thread overwrites; the
        image itself, decoded, when it is RGB as it is. Of any other what ``upright_rgb`` returns.
    """
    if image.mode not in ("RGB", "L") or image.width * image.height >= _LARGE or _orientation(image) != 1:
        return upright_rgb(image, jpeg, ours=ours)
    pixels = decode_fast(jpeg, _scratch(image.width * image.height * 3)) if jpeg is not None else None
    if pixels is not None:
        return pixels
    if image.mode != "RGB":
        return upright_rgb(image, ours=ours)
    _load(image)
    return image


def _scratch(size: int) -> memoryview:
    """This thread's own memory, used again: fresh pages for a photo of 1280x720 cost as much as decoding it."""
    kept: bytearray | None = getattr(_thread, "scratch", None)
    if kept is None or len(kept) < size:
        kept = _thread.scratch = bytearray(size)
    return memoryview(kept)[:size]


def upright_rgb(image: Image, jpeg: bytes | None = None, *, ours: bool = True) -> NDArray[np.uint8]:
    """Decodes an opened image, turns it upright and converts it to RGB.

    Args:
        image: Opened, perhaps not loaded yet.
        jpeg: The file, if it is a JPEG: a faster decoder may take it.
        ours: Whether nobody else will use the image: then its memory is given back while it is read.

    Returns:
        uint8 (H, W, 3), RGB, C-contiguous. At most the decoded image (4 bytes a pixel for RGB by Pillow, 3 by
        simplejpeg) and what is not yet given back of it are in memory beside a strip.
    """
    if jpeg is not None and image.mode in ("RGB", "L"):
        orientation = _orientation(image)
        canvas = _memory(image.width * image.height * 3) if orientation != 1 else None
        pixels = decode_fast(jpeg, canvas)
        if pixels is not None and canvas is None:
            return pixels
        if pixels is not None and canvas is not None:
            return _upright(_rows_of(pixels), image.size, orientation, canvas)
    canvas = _canvas(image) if ours else None
    _load(image)
    factor = divisor(image)
    return _upright(lambda top, bottom: rgb(_crop(image, top, bottom), factor), image.size, _orientation(image), canvas)


def _upright(
    strip: Callable[[int, int], Image], size: tuple[int, int], orientation: int, canvas: mmap.mmap | None
) -> NDArray[np.uint8]:
    """The strips, each an RGB image of the rows from ``top`` to before ``bottom``, turned and put in their places."""
    from PIL.Image import Transpose

    width, height = size
    turn, from_the_end, as_columns = _UPRIGHT[orientation]
    shape = (width, height, 3) if as_columns else (height, width, 3)
    out = np.empty(shape, np.uint8) if canvas is None else np.frombuffer(_memory(width * height * 3), np.uint8)
    out = out.reshape(shape)
    rows = max(_COLUMNS if as_columns else 1, _STRIP // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        part = strip(top, bottom)
        pixels = np.asarray(part.transpose(Transpose[turn]) if turn else part)
        place = slice(height - bottom, height - top) if from_the_end else slice(top, bottom)
        out[(slice(None), place) if as_columns else place] = pixels
        if canvas is not None:
            _give_back(canvas, len(canvas) // height * bottom)
    return out


def _rows_of(pixels: NDArray[np.uint8]) -> Callable[[int, int], Image]:
    from PIL import Image as pil

    return lambda top, bottom: pil.fromarray(pixels[top:bottom])


def _crop(image: Image, top: int, bottom: int) -> Image:
    return image if bottom - top == image.height else image.crop((0, top, image.width, bottom))


def _canvas(image: Image) -> mmap.mmap | None:
    """Memory of ours for Pillow to decode a large RGB image into; None leaves it to Pillow, which costs only memory."""
    if image.width * image.height < _LARGE or image.mode != "RGB" or not getattr(image, "tile", None):
        return None
    canvas = _memory(image.width * image.height * 4)
    core: Any = importlib.import_module("PIL.Image").core
    try:  # as Image.frombuffer does, which has no way to say it for an image that is about to be decoded
        image.im = core.map_buffer(canvas, image.size, "raw", 0, (image.mode, 0, 1))
    except Exception:
        return None
    return canvas


def _memory(size: int) -> mmap.mmap:
    """Zeros that take up memory page by page as they are written; in huge pages a column would touch all of them."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError, AttributeError):  # a kernel without huge pages
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return memory


def _give_back(canvas: mmap.mmap, end: int) -> None:
    """Lets go of the pages before ``end``; they read as zeros afterwards."""
    end -= end % mmap.PAGESIZE
    if end:
        canvas.madvise(mmap.MADV_DONTNEED, 0, end)


def _load(image: Image) -> None:
    """Decodes it; refuses what is cut off even in a program that told Pillow to accept such."""
    from PIL import ImageFile

    if not ImageFile.LOAD_TRUNCATED_IMAGES:
        image.load()
        return
    with _switch:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            image.load()
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = True


def _orientation(image: Image) -> int:
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a camera's broken EXIF block says nothing about the pixels, which are good
        return 1
    return orientation if orientation in _UPRIGHT else 1
