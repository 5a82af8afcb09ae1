"""The faster resizer: within a grey level of Pillow, and not used when it is another."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray
from PIL import Image

from edgevision.runtime import images, inputs, sampling
from edgevision.runtime.preprocess import resize
from edgevision.runtime.resizer import fast_bilinear
from edgevision.runtime.spec import Preprocessing
from tests.runtime.test_preprocess import options, pictures


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    fast_bilinear.cache_clear()
    yield
    fast_bilinear.cache_clear()


def use(monkeypatch: pytest.MonkeyPatch, resizer: Any) -> None:
    package = ModuleType("kornia_rs")
    package.resize = resizer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kornia_rs", package)


@given(image=pictures(), p=options())
def test_it_gives_pillows_pixels(image: NDArray[np.uint8], p: Preprocessing) -> None:
    assert fast_bilinear() is not None, "the extra fast is part of the test environment"
    fast, exact = resize(image, p, fast=True), resize(image, p)
    assert fast.flags.c_contiguous and fast.dtype == np.uint8
    assert np.abs(fast.astype(int) - exact).max() <= 1


@pytest.mark.parametrize("size", [(720, 1280), (1080, 1920), (3000, 4000), (97, 3001)])
def test_photographs_and_slivers(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 2, (*size, 3), dtype=np.uint8) * np.uint8(255)
    p = Preprocessing(224, 224)
    assert np.abs(resize(image, p, fast=True).astype(int) - resize(image, p)).max() <= 1


def test_it_is_used_for_bilinear_colour_only(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((50, 60, 3), np.uint8)

    def sevens(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
        return np.full((height, width, 3), 7, np.uint8)

    monkeypatch.setattr(sampling, "fast_bilinear", lambda: sevens)
    assert resize(image, Preprocessing(8, 8), fast=True).max() == 7
    assert resize(image, Preprocessing(8, 8)).max() == 0
    for other in (Preprocessing(8, 8, interpolation="bicubic"), Preprocessing(8, 8, antialias=False)):
        assert resize(image, other, fast=True).max() == 0
    gray = Preprocessing(8, 8, "gray", mean=(0.0,), scale=(1.0,))
    assert resize(image, gray, fast=True).max() == 0


def test_another_kernel_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def nearest(pixels: NDArray[np.uint8], size: tuple[int, int], mode: str) -> NDArray[np.uint8]:
        height, width = size
        return pixels[np.arange(height) * len(pixels) // height][:, np.arange(width) * pixels.shape[1] // width]

    use(monkeypatch, nearest)
    with pytest.warns(UserWarning, match="not usable.*differ from Pillow's by 2"):
        assert fast_bilinear() is None


def test_a_broken_package_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, lambda *words: 1 / 0)
    with pytest.warns(UserWarning, match="not usable.*division"):
        assert fast_bilinear() is None


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kornia_rs", None)
    assert fast_bilinear() is None


class TestWithoutAnArray:
    """What Pillow decodes and Pillow resizes."""

    @given(image=pictures(), p=options())
    def test_the_same_pixels(self, image: NDArray[np.uint8], p: Preprocessing) -> None:
        np.testing.assert_array_equal(resize(Image.fromarray(image), p), resize(image, p))

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
    def test_read_leaves_upright_colour_images(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("edgevision.runtime.jpeg._simplejpeg", lambda: None)
        pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        turned = Image.Exif()
        turned[0x0112] = 6
        for image, plain in (
            (Image.fromarray(pixels), True),
            (Image.fromarray(pixels).convert("L"), False),
        ):
            data = saved(image, kind)
            found = images.read(data)
            assert isinstance(found, Image.Image) is plain
            np.testing.assert_array_equal(np.asarray(found), images.decode(data))
        if kind != "BMP":
            data = saved(Image.fromarray(pixels), kind, exif=turned)
            assert isinstance(images.read(data), np.ndarray)

    @pytest.mark.parametrize("size", [(16, 24), (40, 50)])
    def test_what_one_call_gave_outlives_the_next(self, size: tuple[int, int]) -> None:
        form = inputs.ImageInput(*shape_and_preprocessing())
        photos = [np.full((*size, 3), value, np.uint8) for value in (10, 200)]
        first, second = (form.feeds(saved(Image.fromarray(photo), "JPEG"))[0]["image"] for photo in photos)
        assert abs(int(first.max()) - 10) <= 2 and abs(int(second.min()) - 200) <= 2

    def test_predictions_are_the_same_either_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sampling, "fast_bilinear", lambda: None)
        pixels = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
        form = inputs.ImageInput(*shape_and_preprocessing())
        one, size = form.feeds(saved(Image.fromarray(pixels), "PNG"))
        other = form.preprocess(form.decode(pixels))
        assert size == (90, 70)
        np.testing.assert_array_equal(one["image"], other["image"])


def shape_and_preprocessing() -> tuple[Any, Preprocessing]:
    from edgevision.runtime.spec import TensorSpec

    return [TensorSpec("image", (1, 16, 24, 3), "uint8")], Preprocessing(16, 24)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()
