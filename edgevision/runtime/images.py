"""Anything a user calls an image, to pixels: one decoder for training, evaluation and device.

EXIF orientation is applied; of an animation the first frame is taken; ``colors`` says how other modes become RGB.
"""

from __future__ import annotations

import importlib
import io
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from edgevision.runtime.errors import ImageError
from edgevision.runtime.jpeg import damage
from edgevision.runtime.strips import loaded, upright_rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    ImageSource = str | os.PathLike[str] | bytes | bytearray | memoryview | Image | NDArray[np.uint8]

Got = TypeVar("Got", covariant=True)


class _Load(Protocol[Got]):
    """What takes an opened image the rest of the way."""

    def __call__(self, image: Image, jpeg: bytes | None = None, *, ours: bool = True) -> Got: ...


#: More pixels than this are refused before they are decoded: a small file can claim to hold gigabytes.
MAX_PIXELS = 50_000_000

#: What files are taken to be images for their names: in folders, and where their first bytes say nothing.
SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "bmp", "dib", "gif", "webp", "tif", "tiff"),
        *("ppm", "pgm", "pbm", "pnm", "avif", "jp2", "j2k", "tga", "pcx", "qoi"),
    )
)

#: More bytes than this are refused before they are read: no image of MAX_PIXELS needs as many.
MAX_BYTES = 1 << 30

_ACCEPTED = "a path, the bytes of an image file, a PIL image or a uint8 array (H, W, 3), (H, W, 1) or (H, W)"
_FORMATS = "JPEG, PNG, BMP, GIF, PPM, TIFF, WebP or another format that Pillow decodes"
_HEAD = 16
_CURE = "check the file with an image viewer, or save it again"

# First bytes of a file -> Pillow's name of the format and the plug-in that reads it. Only that one is imported.
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

# What else Pillow decodes by itself. Not among it: what starts outside programs (EPS), what only Windows draws (WMF),
# and formats without a decoder (BUFR, GRIB, HDF5, MPEG).
_OTHERS = (
    *("AVIF", "BLP", "CUR", "DCX", "DDS", "DIB", "FITS", "FLI", "FTEX", "GBR", "ICNS", "ICO", "IM", "IMT", "JPEG2000"),
    *("MCIDAS", "MSP", "PCD", "PCX", "PIXAR", "PSD", "QOI", "SGI", "SPIDER", "SUN", "TGA", "XBM", "XPM", "XVTHUMB"),
)


def decode(source: ImageSource) -> NDArray[np.uint8]:
    """Pixels of an image.

    Args:
        source: A path, the bytes of an image file (any format that Pillow decodes by itself), a PIL image, or a uint8
            array (H, W, 3) in RGB order, (H, W, 1) or (H, W) in grey.

    Returns:
        uint8 (H, W, 3), RGB, 0..255, C-contiguous. An array that is this already is returned itself, not a copy.

    Raises:
        ImageError: The file is missing, empty, truncated, no image or too large, or the array is not as above.
    """
    return _decoded(source, upright_rgb)


def read(source: ImageSource) -> NDArray[np.uint8] | Image:
    """The same as ``decode``, to be used at once: by ``preprocess.resize``.

    Returns:
        What ``decode`` does, but perhaps in memory that this thread's next call overwrites, or a Pillow image (RGB,
        decoded, upright).

    Raises:
        ImageError: As ``decode``.
    """
    return _decoded(source, loaded)


def _decoded(source: ImageSource, load: _Load[Got]) -> NDArray[np.uint8] | Got:
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, (str, os.PathLike)):
        return _from_path(Path(os.fsdecode(source)), load)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _from_file(io.BytesIO(source), "the image", load)
    if hasattr(source, "getexif") and hasattr(source, "convert"):
        return _from_pil(source, "the image", load, ours=False)
    raise ImageError("the image is of an unusable type", expected=_ACCEPTED, got=type(source).__name__)


def _from_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (3,)) or not array.size:
        raise _bad_array(array)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.shape[2] == 1:
        array = np.broadcast_to(array, (*array.shape[:2], 3))
    return np.ascontiguousarray(array)


def _bad_array(array: NDArray[Any]) -> ImageError:
    problem, expected, got = (
        "the image array has the wrong",
        "(H, W, 3), (H, W, 1) or (H, W)",
        f"{array.dtype} {array.shape}",
    )
    if array.dtype != np.uint8:
        cure = "pass pixels 0..255: for values 0..1 use (image * 255).round().astype('uint8')"
        return ImageError(f"{problem} dtype", expected="uint8", got=got, cure=cure)
    if array.ndim == 3 and array.shape[0] in (1, 3):
        cure = "move the channels last: image.transpose(1, 2, 0)"
        return ImageError("the image array has its channels first", expected="(H, W, 3)", got=got, cure=cure)
    cure = "drop an alpha channel with image[..., :3]; pass a list of images, not a batch"
    return ImageError(f"{problem} shape", expected=expected, got=got, cure=cure)


def is_image(path: Path) -> bool:
    """Whether a file is to be read as an image: by its first bytes, or if those say nothing by its name."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return _kind(head) is not None or path.suffix.lower() in SUFFIXES


def _from_path(path: Path, load: _Load[Got]) -> Got:
    try:
        size = path.stat().st_size
        if not path.is_file():
            got = "a directory" if path.is_dir() else "a special file"
            raise ImageError(
                f"{path} is not a file", expected="an image file", got=got, cure="pass the files one by one"
            )
        if size > MAX_BYTES:
            raise ImageError(f"{path} is too large", expected=f"at most {MAX_BYTES} bytes", got=f"{size} bytes")
        with path.open("rb") as file:
            return _from_file(file, str(path), load)
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist", expected="an image file", cure="check the path") from None
    except (OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{path} cannot be read", got=str(error), cure="check the path and its permissions") from error


def _from_file(file: IO[bytes], name: str, load: _Load[Got]) -> Got:
    head = file.read(_HEAD)
    if not head:
        raise ImageError(f"{name} is empty", expected="an image file", got="0 bytes", cure=_CURE)
    file.seek(0)
    kind = _kind(head)
    jpeg = file.read() if kind and kind[0] == "JPEG" else None
    if jpeg is not None and (reason := damage(jpeg)):
        raise ImageError(f"{name} is damaged or truncated", got=reason, cure=_CURE)
    try:
        image = _opened(file if jpeg is None else io.BytesIO(jpeg), kind)
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes them raise
        what = f"a readable {kind[0]} image" if kind else "an image"
        got = _reason(error) if kind else f"a file that starts with {head[:12]!r}"
        raise ImageError(f"{name} is not {what}", expected=_FORMATS, got=got, cure=_CURE) from error
    return _from_pil(image, name, load, jpeg)


def _kind(head: bytes) -> tuple[str, str] | None:
    """Pillow's name of the format and its plug-in; None when the first bytes are none of the usual ones."""
    if head.startswith(b"RIFF") and head[8:12] != b"WEBP":  # sound and AVI videos begin like this too
        return None
    return next(((kind, plugin) for start, kind, plugin in _SIGNATURES if head.startswith(start)), None)


def _opened(file: IO[bytes], kind: tuple[str, str] | None) -> Image:
    from PIL import Image

    if kind is None:
        Image.init()
        return Image.open(file, formats=[name for name in _OTHERS if name in Image.OPEN])
    importlib.import_module(f"PIL.{kind[1]}")
    factory, _ = Image.OPEN[kind[0]]  # Image.open would import five plug-ins, and only warn of a decompression bomb
    return factory(file, "")


def _from_pil(image: Image, name: str, load: _Load[Got], jpeg: bytes | None = None, *, ours: bool = True) -> Got:
    _refuse_bomb(image, name)
    try:
        return load(image, jpeg, ours=ours)
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


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
