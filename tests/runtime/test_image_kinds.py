"""Every kind of image file that can be written here: whole, cut off, with another header, empty, and partly random."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

from edgevision.runtime import jpeg, strips
from edgevision.runtime.errors import ImageError
from edgevision.runtime.images import MAX_PIXELS, decode

pytestmark = pytest.mark.filterwarnings("ignore:.*image format is deprecated:DeprecationWarning")

Image.init()

# Writers that need outside programs or other packages, or write what is no image.
NO_IMAGES = {"BUFR", "EPS", "GRIB", "HDF5", "PALM", "PDF", "WMF"}
MODES = {"BLP": "P", "MSP": "1", "SPIDER": "F", "XBM": "1"}
KINDS = sorted(set(Image.SAVE) - NO_IMAGES)

# Formats with a check sum or a code that notices random bytes, over the whole of their data. The others store pixels as
# they are, or a code in which every sequence of bits means something: there random bytes are pixels like any other.
NOTICE_RANDOM_BYTES = {"GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "XBM"}


def picture(height: int = 48, width: int = 64) -> Image.Image:
    random = np.random.default_rng(0).integers(0, 60, (height, width, 3))
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray((np.stack([rows * 3 % 190, columns * 2 % 190, rows], axis=-1) + random).astype(np.uint8))


def saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    stream = io.BytesIO()
    (image or picture()).convert(MODES.get(kind, "RGB")).save(stream, kind, **options)
    return stream.getvalue()


def test_only_known_writers_are_left_out() -> None:
    assert len(KINDS) >= 20 and {"AVIF", "JPEG2000", "TGA", "WEBP"} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_gives_what_pillow_gives(kind: str) -> None:
    data = saved(kind)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image.convert("RGB"))
    slack = 1 if kind == "SPIDER" else 0  # float grey: Pillow cuts where this rounds
    np.testing.assert_allclose(decode(data), expected, rtol=0, atol=slack)
    np.testing.assert_allclose(decode(data + b"\0" * 10), expected, rtol=0, atol=slack)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_that_is_cut_off_is_refused(kind: str, share: float) -> None:
    data = saved(kind)
    if kind == "ICNS" and share == 0.9:
        share = 0.5  # its last tenth is another size of the same picture
    with pytest.raises(ImageError):
        decode(data[: int(share * len(data))])


@pytest.mark.parametrize("kind", KINDS)
def test_another_header_is_refused(kind: str) -> None:
    data = saved(kind)
    with pytest.raises(ImageError):
        decode(bytes(byte ^ 0xFF for byte in data[:16]) + data[16:])


@pytest.mark.parametrize("kind", KINDS)
def test_empty_files_and_files_of_zeros_are_refused(kind: str, tmp_path: Path) -> None:
    size = len(saved(kind))
    for data in (b"", bytes(size)):
        path = tmp_path / f"image.{kind.lower()}"
        path.write_bytes(data)
        for source in (data, path):
            with pytest.raises(ImageError):
                decode(source)


@pytest.mark.parametrize("kind", KINDS)
def test_a_random_tail_is_refused_where_the_format_can_tell(kind: str) -> None:
    data = saved(kind)
    half = len(data) // 2
    for seed in range(5):
        tail = np.random.default_rng(seed).integers(0, 256, len(data) - half, dtype=np.uint8).tobytes()
        try:
            pixels = decode(data[:half] + tail)
        except ImageError:
            continue
        assert kind not in NOTICE_RANDOM_BYTES
        assert pixels.shape[2] == 3


def test_truncated_is_refused_where_the_program_told_pillow_to_accept_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for kind in ("PNG", "BMP", "TIFF", "JPEG"):
        data = saved(kind)
        with pytest.raises(ImageError):
            decode(data[: len(data) // 2])
    assert ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "1", "LA"])
def test_strips_give_what_the_whole_gives(mode: str, orientation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    picture(210, 190).convert("L" if mode == "LA" else "RGB").convert(mode).save(stream, kind, exif=exif)
    whole = decode(stream.getvalue())
    monkeypatch.setattr(strips, "_STRIP", 1000)
    monkeypatch.setattr(strips, "_COLUMNS", 7)
    monkeypatch.setattr(strips, "_LARGE", 1)
    np.testing.assert_array_equal(decode(stream.getvalue()), whole)
    image = Image.open(stream)
    np.testing.assert_array_equal(decode(image), whole)
    np.testing.assert_array_equal(decode(image), whole)  # the caller's image still has its pixels


@pytest.mark.parametrize("kind", KINDS)
def test_memory_of_ours_changes_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(kind, picture(96, 128))
    whole = decode(data)
    given: list[int] = []
    give_back = strips._give_back

    def noted(canvas: Any, end: int) -> None:
        given.append(end)
        give_back(canvas, end)

    monkeypatch.setattr(strips, "_give_back", noted)
    monkeypatch.setattr(strips, "_LARGE", 1)
    monkeypatch.setattr(strips, "_STRIP", 3000)
    monkeypatch.setattr(jpeg, "_simplejpeg", lambda: None)
    np.testing.assert_array_equal(decode(data), whole)
    if kind in ("JPEG", "PNG", "BMP", "PPM", "TIFF"):
        assert len(given) > 1


def test_one_pixel_over_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_PIXELS == 50_000_000
    for kind in KINDS:
        data = saved(kind)
        pixels = decode(data).size // 3
        monkeypatch.setattr("edgevision.runtime.images.MAX_PIXELS", pixels)
        decode(data)
        monkeypatch.setattr("edgevision.runtime.images.MAX_PIXELS", pixels - 1)
        with pytest.raises(ImageError, match=r"too large.*pixels"):
            decode(data)
        monkeypatch.undo()


_PEAK = """
import sys
from pathlib import Path
from edgevision.runtime.images import decode
assert sys.argv[2] == "fast" or not sys.modules.update(simplejpeg=None)
pixels = decode(sys.argv[1])
assert pixels.size == 150_000_000 and pixels[3000, 3000].tolist() == [200, 100, 50], pixels[3000, 3000]
# Not ru_maxrss: a child begins with its parent's.
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize(("kind", "orientation"), [("JPEG", 1), ("JPEG", 6), ("PPM", 1)])
@pytest.mark.parametrize("decoder", ["fast", "pillow"])
def test_peak_memory_at_the_limit(kind: str, orientation: int, decoder: str, tmp_path: Path) -> None:
    if kind == "PPM" and decoder == "fast":
        return
    path = tmp_path / "large"
    exif = Image.Exif()
    exif[0x0112] = orientation
    large = Image.new("RGB", (8000, 6250), (200, 100, 50))
    large.save(path, kind, **({"exif": exif, "quality": 100, "subsampling": 0} if kind == "JPEG" else {}))
    words = [sys.executable, "-c", _PEAK, str(path), decoder]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 <= 300e6


class TestJpeg:
    """The structure check, and the faster decoder."""

    @pytest.mark.parametrize(
        "options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"comment": b"\xff" * 9}]
    )
    @pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
    def test_whole_files_have_no_damage(self, mode: str, options: dict[str, Any]) -> None:
        data = jpeg_of(mode, **options)
        assert jpeg.damage(data) == ""
        assert jpeg.damage(data + b"trailer") == ""
        assert jpeg.damage(data.replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1)) == ""  # filling before a marker
        for cut in range(2, len(data) - 1, 7):
            assert jpeg.damage(data[:cut])

    def test_random_bytes_within(self) -> None:
        data = jpeg_of("RGB", quality=95)
        for seed in range(20):
            tail = np.random.default_rng(seed).integers(0, 256, len(data) // 2, dtype=np.uint8).tobytes()
            assert jpeg.damage(data[: -len(tail)] + tail)

    def test_a_marker_that_no_encoder_puts_there(self) -> None:
        data = jpeg_of("RGB", quality=95)
        middle = len(data) // 2
        assert "where none can be" in jpeg.damage(data[:middle] + b"\xff\x10\x00\x02" + data[middle:])

    @pytest.mark.parametrize("mode", ["L", "RGB"])
    @pytest.mark.parametrize(
        "options",
        [{}, {"quality": 50}, {"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2}, {"progressive": True}],
    )
    @pytest.mark.parametrize("orientation", [1, 6])
    def test_the_faster_decoder_gives_the_same_pixels(
        self, mode: str, options: dict[str, Any], orientation: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = jpeg_of(mode, exif=exif, **options)
        fast = jpeg.decode_fast(data)
        assert fast is not None
        found = decode(data)
        monkeypatch.setattr(jpeg, "_simplejpeg", lambda: None)
        assert jpeg.decode_fast(data) is None
        slow = decode(data)
        assert np.abs(found.astype(int) - slow).max() <= 1

    def test_it_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seven = np.full((48, 64, 3), 7, np.uint8)
        monkeypatch.setattr(strips, "decode_fast", lambda data, buffer: seven)
        np.testing.assert_array_equal(decode(jpeg_of("RGB")), seven)
        assert decode(jpeg_of("CMYK"))[0, 0, 0] != 7

    def test_the_same_files_are_refused_with_and_without_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        data = jpeg_of("RGB")
        files = []
        for seed in range(300):
            random = np.random.default_rng(seed)
            changed = bytearray(data)
            for position in random.integers(2, len(data), 2):
                changed[position] = random.integers(0, 256)
            files.append(bytes(changed))
        with_it = [outcome(file) for file in files]
        monkeypatch.setattr(jpeg, "_simplejpeg", lambda: None)
        without = [outcome(file) for file in files]
        assert with_it == without
        assert 20 < with_it.count(None) < 280

    def test_from_eight_threads(self) -> None:
        data = [jpeg_of("RGB", quality=quality) for quality in (50, 60, 70, 80)]
        expected = [decode(item) for item in data]
        wrong: list[int] = []

        def work() -> None:
            for _ in range(20):
                wrong.extend(i for i, item in enumerate(data) if not np.array_equal(decode(item), expected[i]))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong


def jpeg_of(mode: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture().convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


def outcome(data: bytes) -> tuple[int, ...] | None:
    try:
        pixels: NDArray[np.uint8] = decode(data)
    except ImageError:
        return None
    return pixels.shape
