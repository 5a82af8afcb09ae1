from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edgevision.runtime import images
from edgevision.runtime.errors import ImageError
from edgevision.runtime.images import decode

SHAPE = (13, 17)


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 3, columns * 2, rows + columns], axis=-1).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def check(pixels: NDArray[np.uint8], height: int, width: int) -> None:
    assert pixels.shape == (height, width, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF", "WEBP", "GIF", "JPEG"])
def test_every_format_by_bytes_path_and_pil(kind: str, tmp_path: Path) -> None:
    pixels = smooth(*SHAPE)
    data = saved(Image.fromarray(pixels), kind, **({"lossless": True} if kind == "WEBP" else {}))
    path = tmp_path / "picture"
    path.write_bytes(data)
    results = [decode(source) for source in (data, bytearray(data), memoryview(data), path, str(path))]
    with Image.open(path) as image:
        results.append(decode(image))
    for result in results:
        check(result, *SHAPE)
        np.testing.assert_array_equal(result, results[0])
    if kind not in ("GIF", "JPEG"):
        np.testing.assert_array_equal(results[0], pixels)


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBA", "LA", "PA", "La", "RGBa", "CMYK", "YCbCr", "HSV", "RGBX"]
)
def test_every_mode_of_pillow(mode: str) -> None:
    image = Image.fromarray(smooth(*SHAPE)).convert("RGBA" if mode in ("RGBa", "La", "LA", "PA") else "RGB")
    if mode in ("LA", "PA", "La"):
        image = image.convert("LA")
    check(decode(image.convert(mode)), *SHAPE)


def test_the_callers_pil_image_is_left_alone() -> None:
    image = Image.fromarray(noise(*SHAPE, 4))
    before = image.copy()
    decode(image)
    assert image == before


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :8] = 255  # the top left corner is white
    # How a camera held that way stores the picture, following the EXIF standard's table of rows and columns.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[::-1],
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: upright.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif)
    result = decode(data)
    check(result, 16, 24)
    np.testing.assert_array_equal(result > 127, upright > 127)


def test_broken_exif_does_not_spoil_good_pixels() -> None:
    data = saved(Image.fromarray(smooth(*SHAPE)), "PNG", exif=b"Exif\0\0no TIFF header at all")
    np.testing.assert_array_equal(decode(data), smooth(*SHAPE))


def test_transparent_is_white_and_half_transparent_half_way() -> None:
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 3] = (0, 128, 255)
    np.testing.assert_array_equal(decode(saved(Image.fromarray(pixels), "PNG"))[0, :, 0], [255, 127, 0])


def test_transparent_palette_entry_is_white() -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("L")
    palette = Image.new("P", (2, 1))
    palette.putdata([0, 1])
    palette.putpalette([10, 20, 30, 40, 50, 60])
    for transparency in (1, b"\xff\x00"):
        data = saved(palette, "PNG", transparency=transparency)
        np.testing.assert_array_equal(decode(data), [[[10, 20, 30], [255, 255, 255]]])
    np.testing.assert_array_equal(decode(saved(image, "PNG", transparency=1))[0, 1], [255, 255, 255])


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    values = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    expected = np.round(values / 257).astype(np.uint8)
    assert expected.tolist() == [[0, 0, 1, 1, 128, 255]]
    image = Image.fromarray(values)
    assert image.mode == "I;16"
    for source in (image, saved(image, "PNG"), saved(image, "TIFF")):
        result = decode(source)
        check(result, 1, 6)
        np.testing.assert_array_equal(result, np.repeat(expected[:, :, None], 3, axis=2))


def test_sixteen_bit_pgm_and_wide_integers() -> None:
    pgm = b"P5 2 1 65535\n" + np.array([257, 65535], ">u2").tobytes()
    assert decode(pgm)[0, :, 0].tolist() == [1, 255]
    assert decode(Image.fromarray(np.array([[0, 65535]], np.int32)))[0, :, 0].tolist() == [0, 255]
    for values in (np.array([[0, 65536]], np.int32), np.array([[-1, 0]], np.int32)):
        with pytest.raises(ImageError, match="range"):
            decode(Image.fromarray(values))


def test_float_grey_is_one_or_255_and_nothing_else() -> None:
    unit = np.array([[0, 0.1, 0.5, 1]], np.float32)
    assert decode(Image.fromarray(unit))[0, :, 0].tolist() == [0, 26, 128, 255]
    assert decode(saved(Image.fromarray(unit), "TIFF"))[0, :, 0].tolist() == [0, 26, 128, 255]
    assert decode(Image.fromarray(unit * 250))[0, :, 0].tolist() == [0, 25, 125, 250]
    for wrong in (-0.5, 255.5, np.nan, np.inf):
        with pytest.raises(ImageError, match=r"range|no numbers"):
            decode(Image.fromarray(np.array([[0, wrong]], np.float32)))


def test_sixteen_bit_colour_png() -> None:
    import struct
    import zlib

    row = b"\0" + np.array([0, 257 * 7, 65535, 257 * 200, 257 * 128, 257], ">u2").tobytes()

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    assert decode(data).tolist() == [[[0, 7, 255], [200, 128, 1]]]


def test_the_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "blue")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode(data), np.full((3, 4, 3), (255, 0, 0)))


@pytest.mark.parametrize("shape", [(*SHAPE, 3), (*SHAPE, 1), SHAPE])
def test_arrays(shape: tuple[int, ...]) -> None:
    array = noise(*shape)
    result = decode(array)
    check(result, *SHAPE)
    np.testing.assert_array_equal(result, np.broadcast_to(array.reshape(*SHAPE, -1), (*SHAPE, 3)))
    check(decode(np.flip(array)), *SHAPE)
    if len(shape) == 3 and shape[2] == 3:
        assert decode(array) is array


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((4, 4, 3), np.float32), "255"),
        (np.zeros((4, 4, 3), np.int64), "uint8"),
        (np.zeros((4, 4, 3), bool), "uint8"),
        (np.zeros((3, 8, 8), np.uint8), "transpose"),
        (np.zeros((1, 8, 8), np.uint8), "transpose"),
        (np.zeros((4, 4, 4), np.uint8), "alpha"),
        (np.zeros((4, 4, 2), np.uint8), "alpha"),
        (np.zeros((1, 4, 4, 3), np.uint8), "list"),
        (np.zeros(12, np.uint8), "(H, W)"),
        (np.zeros((0, 4, 3), np.uint8), "(H, W)"),
        (np.zeros((4, 0), np.uint8), "(H, W)"),
        (np.zeros((4, 4, 3), object), "uint8"),
    ],
)
def test_unusable_arrays(array: NDArray[Any], word: str) -> None:
    complains(array, word)


def complains(source: Any, *words: str) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode(source)
    error = caught.value
    assert error.cure or error.expected
    assert error.got or "does not exist" in str(error)
    for word in words:
        assert word in str(error)
    assert "\n" not in str(error)
    return error


@pytest.mark.parametrize("source", [None, 3, 2.5, ["a.png"], {"a": 1}, object(), io.BytesIO(b"x")])
def test_other_types(source: Any) -> None:
    complains(source, type(source).__name__, "path")


def test_missing_empty_directory_and_text(tmp_path: Path) -> None:
    complains(tmp_path / "none.jpg", "none.jpg", "does not exist")
    (tmp_path / "empty.jpg").touch()
    complains(tmp_path / "empty.jpg", "empty.jpg", "0 bytes")
    complains(b"", "0 bytes")
    complains(tmp_path, "directory")
    complains(str(tmp_path / "empty.jpg" / "inner.jpg"), "inner.jpg")
    complains("a\0b.jpg", "cannot be read")
    (tmp_path / "text.jpg").write_text("this is no picture")
    complains(tmp_path / "text.jpg", "text.jpg", "JPEG, PNG", "this is no")
    complains(b"%PDF-1.7 and so on", "JPEG, PNG")
    complains("/dev/zero", "special file")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP"])
@given(share=st.floats(0, 1, exclude_max=True), tail=st.integers(1, 40))
def test_truncated_files_never_give_wrong_pixels(kind: str, share: float, tail: int) -> None:
    data = saved(Image.fromarray(noise(24, 31, 3)), kind)
    whole = decode(data)
    cut = data[: int(len(data) * share)] if share else data[:-tail]
    try:
        pixels = decode(cut)
    except ImageError as error:
        assert error.got
    else:  # only what follows the pixels is missing
        np.testing.assert_array_equal(pixels, whole)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP"])
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_files_give_pixels_or_an_image_error(kind: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    data = bytearray(saved(Image.fromarray(smooth(24, 31)), kind))
    for position in random.integers(0, len(data), 3):
        data[position] = random.integers(0, 256)
    try:
        pixels = decode(bytes(data))
    except ImageError as error:
        assert str(error)
    else:
        check(pixels, *pixels.shape[:2])


@given(data=st.binary(max_size=64), prefix=st.sampled_from([entry[0] for entry in images._SIGNATURES]))
def test_nothing_but_an_image_error_leaves_decode(data: bytes, prefix: bytes) -> None:
    with pytest.raises(ImageError):
        decode(prefix + b"\0" + data)


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    data = bytearray(saved(Image.new("L", (10, 10)), "BMP"))
    data[18:26] = np.array([60_000, 60_000], "<i4").tobytes()  # the header claims 3.6 gigapixels
    error = complains(bytes(data), "60000x60000")
    assert "pixels" in error.expected
    complains(b"P5 100000 100000 255\n", "too large")


def test_a_file_too_large_to_be_an_image_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(images.MAX_BYTES + 1)
    complains(path, "too large")


def test_a_closed_pil_image(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(saved(Image.fromarray(noise(*SHAPE, 3)), "PNG"))
    image = Image.open(path)
    image.close()
    complains(image, "damaged")


def test_a_truncated_pil_image() -> None:
    data = saved(Image.fromarray(noise(64, 64, 3)), "JPEG")
    complains(Image.open(io.BytesIO(data[: len(data) // 2])), "truncated")
