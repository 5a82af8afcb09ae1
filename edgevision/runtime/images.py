"""Anything a user calls an image, to pixels: one decoder for training, evaluation and device.

What is done and what is not: EXIF orientation is applied; of an animation the first frame is taken; transparent
pixels are laid on white; 16-bit grey is scaled to 8 bits by rounding ``value / 257``; colour profiles are ignored.
"""

from __future__ import annotations

import importlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    ImageSource = str | os.PathLike[str] | bytes | bytearray | memoryview | Image | NDArray[np.uint8]

#: More pixels than this are refused before they are decoded: a small file can claim to hold gigabytes.
MAX_PIXELS = 89_478_485

#: More bytes than this are refused before they are read: no image of MAX_PIXELS needs as many.
MAX_BYTES = 1 << 30

_ACCEPTED = "a path, the bytes of an image file, a PIL image or a uint8 array (H, W, 3), (H, W, 1) or (H, W)"
_CURE = "check the file with an image viewer, or save it again"

# First bytes of a file -> Pillow's name of the format and the plug-in that reads it. Only that one is imported, and
# other formats are refused: some start outside programs.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\xff\xd8\xff", "JPEG", "JpegImagePlugin"),
    (b"\x89PNG\r\n\x1a\n", "PNG", "PngImagePlugin"),
    (b"BM", "BMP", "BmpImagePlugin"),
    (b"GIF8", "GIF", "GifImagePlugin"),
    (b"RIFF", "WEBP", "WebPImagePlugin"),
    (b"II*\0", "TIFF", "TiffImagePlugin"),
    (b"MM\0*", "TIFF", "TiffImagePlugin"),
    *((b"P" + digit, "PPM", "PpmImagePlugin") for digit in (b"1", b"2", b"3", b"4", b"5", b"6")),
)

# EXIF orientation -> names of the PIL.Image.Transpose that turns the image upright.
_UPRIGHT = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_ORIENTATION_TAG = 0x0112


def decode(source: ImageSource) -> NDArray[np.uint8]:
    """Pixels of an image.

    Args:
        source: A path, the bytes of a JPEG, PNG, BMP, GIF, PPM, TIFF or WebP file, a PIL image, or a uint8 array
            (H, W, 3) in RGB order, (H, W, 1) or (H, W) in grey.

    Returns:
        uint8 (H, W, 3), RGB, 0..255, C-contiguous. An array that is this already is returned itself, not a copy.

    Raises:
        ImageError: The file is missing, empty, truncated, no image or too large, or the array is not as above.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, (str, os.PathLike)):
        return _from_bytes(_read(Path(os.fsdecode(source))), os.fsdecode(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(source), "the image")
    if hasattr(source, "getexif") and hasattr(source, "convert"):
        return _from_pil(source, "the image")
    raise ImageError("the image is of an unusable type", expected=_ACCEPTED, got=type(source).__name__)


def _from_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    got = f"{array.dtype} {array.shape}"
    if array.dtype != np.uint8:
        cure = "pass pixels 0..255: for values 0..1 use (image * 255).round().astype('uint8')"
        raise ImageError("the image array has the wrong dtype", expected="uint8", got=got, cure=cure)
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
        cure = "move the channels last: image.transpose(1, 2, 0)"
        raise ImageError("the image array has its channels first", expected="(H, W, 3)", got=got, cure=cure)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3)) or 0 in array.shape:
        cure = "drop an alpha channel with image[..., :3]; pass a list of images, not a batch"
        raise ImageError(
            "the image array has the wrong shape", expected="(H, W, 3), (H, W, 1) or (H, W)", got=got, cure=cure
        )
    if array.ndim == 2:
        array = array[:, :, None]
    if array.shape[2] == 1:
        array = np.broadcast_to(array, (*array.shape[:2], 3))
    return np.ascontiguousarray(array)


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if not path.is_file():
            got = "a directory" if path.is_dir() else "a special file"
            raise ImageError(
                f"{path} is not a file", expected="an image file", got=got, cure="pass the files one by one"
            )
        if size > MAX_BYTES:
            raise ImageError(f"{path} is too large", expected=f"at most {MAX_BYTES} bytes", got=f"{size} bytes")
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist", expected="an image file", cure="check the path") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be read", got=str(error), cure="check the path and its permissions") from error


def _from_bytes(data: bytes, name: str) -> NDArray[np.uint8]:
    if not data:
        raise ImageError(f"{name} is empty", expected="an image file", got="0 bytes", cure=_CURE)
    found = next((entry for entry in _SIGNATURES if data.startswith(entry[0])), None)
    if found is None:
        expected, got = "JPEG, PNG, BMP, GIF, PPM, TIFF or WebP", f"a file that starts with {data[:12]!r}"
        raise ImageError(f"{name} is not an image", expected=expected, got=got, cure=_CURE)
    _, kind, plugin = found
    try:
        return _from_pil(_opened(data, kind, plugin), name)
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes them raise
        raise ImageError(f"{name} is not a readable {kind} image", got=_reason(error), cure=_CURE) from error


def _opened(data: bytes, kind: str, plugin: str) -> Image:
    from PIL import Image

    importlib.import_module(f"PIL.{plugin}")
    factory, _ = Image.OPEN[kind]  # Image.open would import five plug-ins, and only warn of a decompression bomb
    return factory(io.BytesIO(data), "")


def _from_pil(image: Image, name: str) -> NDArray[np.uint8]:
    _refuse_bomb(image, name)
    try:
        image.load()
        image = _on_white(_upright(image))
        return np.array(image, dtype=np.uint8, order="C")
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"{name} is damaged or truncated", got=_reason(error), cure=_CURE) from error


def _refuse_bomb(image: Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        got = f"{width}x{height} = {width * height} pixels"
        raise ImageError(f"{name} is too large", expected=f"at most {MAX_PIXELS} pixels", got=got, cure="scale it down")
    if width < 1 or height < 1:
        raise ImageError(f"{name} has no pixels", expected="at least 1x1", got=f"{width}x{height}")


def _upright(image: Image) -> Image:
    from PIL.Image import Transpose

    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a camera's broken EXIF block says nothing about the pixels, which are good
        return image
    return image.transpose(Transpose[_UPRIGHT[orientation]]) if orientation in _UPRIGHT else image


def _on_white(image: Image) -> Image:
    """The image in mode RGB."""
    from PIL import Image as pil

    if image.mode.startswith("I") or image.mode == "F":
        return pil.fromarray(_eight_bits(image)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        white = pil.new("RGBA", rgba.size, (255, 255, 255, 255))
        return pil.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image) -> NDArray[np.uint8]:
    """16-bit grey (modes I;16*, and I as PNG and PPM give it), values 0..65535, as uint8 (H, W)."""
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        got = f"mode {image.mode}, values {values.min()}..{values.max()}"
        raise ImageError("the image has no known range of values", expected="8 or 16 bits per channel", got=got)
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
