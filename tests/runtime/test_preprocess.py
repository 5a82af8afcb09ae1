from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edgevision.runtime.errors import ImageError
from edgevision.runtime.preprocess import normalize, resize
from edgevision.runtime.spec import (
    NORMALIZATIONS,
    ColorOrder,
    Interpolation,
    Preprocessing,
    ResizePolicy,
    named_preprocessing,
)

sizes = st.integers(1, 40)


def options(color: str | None = None, policy: str | None = None) -> st.SearchStrategy[Preprocessing]:
    """Any Preprocessing, or any of one colour order or resize policy."""

    def build(draw: Any) -> Preprocessing:
        order = color or draw(st.sampled_from(get_args(ColorOrder)))
        channels = 1 if order == "gray" else 3
        numbers = st.tuples(*[st.floats(-300, 300, width=32)] * channels)
        return Preprocessing(
            draw(sizes),
            draw(sizes),
            order,  # type: ignore[arg-type]
            policy or draw(st.sampled_from(get_args(ResizePolicy))),  # type: ignore[arg-type]
            draw(st.sampled_from(get_args(Interpolation))),
            draw(st.booleans()),
            draw(st.integers(0, 255)),
            draw(numbers),
            draw(numbers),
        )

    return st.composite(build)()


@st.composite
def pictures(draw: Any) -> NDArray[np.uint8]:
    shape = (draw(sizes), draw(sizes), 3)
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1))).integers(0, 256, shape, dtype=np.uint8)


def luma(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(image).convert("L"))[:, :, None]


@given(image=pictures(), p=options())
def test_shape_dtype_and_range_are_always_right(image: NDArray[np.uint8], p: Preprocessing) -> None:
    kept = image.copy()
    pixels = resize(image, p)
    assert pixels.shape == (p.height, p.width, p.channels)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(image, kept)
    tensor = normalize(pixels, p)
    assert tensor.shape == pixels.shape
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    assert np.isfinite(tensor).all()


@given(image=pictures(), p=options())
def test_normalize_equals_the_formula(image: NDArray[np.uint8], p: Preprocessing) -> None:
    pixels = resize(image, p)
    expected = (pixels.astype(np.float64) - np.array(p.mean)) * np.array(p.scale)
    np.testing.assert_array_equal(normalize(pixels, p), expected.astype(np.float32))


@given(
    level=st.tuples(*[st.integers(0, 255)] * 3), height=sizes, width=sizes, p=options(color="rgb"), bgr=st.booleans()
)
def test_a_constant_image_stays_constant(
    level: tuple[int, int, int], height: int, width: int, p: Preprocessing, bgr: bool
) -> None:
    image = np.full((height, width, 3), level, np.uint8)
    order = "bgr" if bgr else "rgb"
    p = Preprocessing(p.height, p.width, order, p.resize, p.interpolation, p.antialias, 0)  # type: ignore[arg-type]
    pixels = resize(image, p)
    wanted = np.array(level[::-1] if bgr else level)
    inside = (pixels == wanted).all(axis=2)
    if p.resize == "letterbox":
        assert (inside | (pixels == 0).all(axis=2)).all()
        assert inside.any()
    else:
        assert inside.all()


@given(height=sizes, width=sizes, p=options(color="rgb", policy="letterbox"))
def test_letterbox_keeps_the_aspect_ratio_and_centres(height: int, width: int, p: Preprocessing) -> None:
    p = Preprocessing(p.height, p.width, "rgb", "letterbox", p.interpolation, p.antialias, 7)
    pixels = resize(np.full((height, width, 3), 200, np.uint8), p)
    inside = (pixels == 200).all(axis=2)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    assert inside.sum() == len(rows) * len(columns), "the picture is a rectangle"
    assert (pixels[~inside] == 7).all()
    assert len(rows) == p.height or len(columns) == p.width, "as large as fits"
    scale = min(p.height / height, p.width / width)
    assert abs(len(rows) - max(1, height * scale)) <= 0.5
    assert abs(len(columns) - max(1, width * scale)) <= 0.5
    for found, size in ((rows, p.height), (columns, p.width)):
        assert found[0] - (size - 1 - found[-1]) in (0, -1)


@given(image=pictures(), p=options(policy="crop"))
def test_crop_is_the_stretched_centre(image: NDArray[np.uint8], p: Preprocessing) -> None:
    height, width = image.shape[:2]
    # The largest box of the input's aspect ratio, in whole pixels.
    rows = max(1, min(height, width * p.height // p.width))
    columns = max(1, min(width, height * p.width // p.height))
    top, left = (height - rows) // 2, (width - columns) // 2
    stretch = Preprocessing(
        p.height, p.width, p.color, "stretch", p.interpolation, p.antialias, p.fill, p.mean, p.scale
    )
    box = np.ascontiguousarray(image[top : top + rows, left : left + columns])
    np.testing.assert_array_equal(resize(image, p), resize(box, stretch))


def test_crop_takes_the_middle_of_a_wide_image() -> None:
    image = np.zeros((4, 10, 3), np.uint8)
    image[:, 3:7] = 255
    np.testing.assert_array_equal(resize(image, Preprocessing(4, 4, resize="crop")), np.full((4, 4, 3), 255))


@given(image=pictures(), p=options())
def test_colour_orders_are_the_same_picture(image: NDArray[np.uint8], p: Preprocessing) -> None:
    def as_color(color: ColorOrder) -> NDArray[np.uint8]:
        return resize(image, Preprocessing(*size, color, p.resize, p.interpolation, p.antialias, p.fill, *plain[color]))

    size = (p.height, p.width)
    three, one = ((0.0,) * 3, (1.0,) * 3), ((0.0,), (1.0,))
    plain = {"rgb": three, "bgr": three, "gray": one}
    np.testing.assert_array_equal(as_color("bgr"), as_color("rgb")[:, :, ::-1])
    grey = np.repeat(luma(image), 3, axis=2)
    expected = resize(grey, Preprocessing(*size, "rgb", p.resize, p.interpolation, p.antialias, p.fill))
    np.testing.assert_array_equal(as_color("gray")[:, :, 0], expected[:, :, 0])


@given(image=pictures(), interpolation=st.sampled_from(get_args(Interpolation)), height=sizes, width=sizes)
def test_antialiased_is_pillow(image: NDArray[np.uint8], interpolation: Interpolation, height: int, width: int) -> None:
    method = Image.Resampling[interpolation.upper()]
    expected = np.asarray(Image.fromarray(image).resize((width, height), method))
    np.testing.assert_array_equal(resize(image, Preprocessing(height, width, interpolation=interpolation)), expected)


def plain_bilinear(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float64]:
    """The textbook formula, pixel by pixel."""
    out = np.empty((height, width, 3))
    for y in range(height):
        for x in range(width):
            v = np.clip((y + 0.5) * image.shape[0] / height - 0.5, 0, image.shape[0] - 1)
            u = np.clip((x + 0.5) * image.shape[1] / width - 0.5, 0, image.shape[1] - 1)
            top, left = int(v), int(u)
            bottom, right = min(top + 1, image.shape[0] - 1), min(left + 1, image.shape[1] - 1)
            a, b = v - top, u - left
            upper = (1 - b) * image[top, left] + b * image[top, right]
            lower = (1 - b) * image[bottom, left] + b * image[bottom, right]
            out[y, x] = (1 - a) * upper + a * lower
    return out


@given(image=pictures(), height=st.integers(1, 12), width=st.integers(1, 12))
def test_without_antialias_bilinear_is_the_textbook_formula(image: NDArray[np.uint8], height: int, width: int) -> None:
    pixels = resize(image, Preprocessing(height, width, antialias=False))
    assert np.abs(pixels - plain_bilinear(image, height, width)).max() <= 1.01


@pytest.mark.parametrize("interpolation", get_args(Interpolation))
def test_without_antialias_a_shrink_skips_pixels(interpolation: Interpolation) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[::16] = 255  # lines that an average would show as grey and a sampled kernel misses or hits
    sampled = resize(image, Preprocessing(4, 4, interpolation=interpolation, antialias=False))
    averaged = resize(image, Preprocessing(4, 4, interpolation=interpolation, antialias=True))
    assert sampled.max() == 0
    assert interpolation == "nearest" or 0 < averaged.max() < 40


@given(image=pictures())
def test_the_right_size_is_not_resampled(image: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(resize(image, Preprocessing(image.shape[0], image.shape[1], antialias=False)), image)


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_named_conventions_reach_their_ranges(name: str) -> None:
    p = named_preprocessing(name, 1, 2)
    ends = normalize(np.array([[[0] * 3, [255] * 3]], np.uint8), p)
    ranges: dict[str, tuple[Any, Any]] = {
        "raw": (0, 255),
        "unit": (0, 1),
        "tf": (-1, 1),
        "torch": ((-2.1179, -2.0357, -1.8044), (2.2489, 2.4286, 2.64)),
        "caffe": ((-103.939, -116.779, -123.68), (151.061, 138.221, 131.32)),
    }
    for found, wanted in zip(ends[0], ranges[name]):
        np.testing.assert_allclose(found, np.broadcast_to(wanted, 3), atol=1e-3)


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 1), np.uint8)],
    ids=["float", "no channels", "one channel"],
)
def test_unusable_pixels_are_refused(array: NDArray[Any]) -> None:
    for step in (resize, normalize):
        with pytest.raises(ImageError) as caught:
            step(array, Preprocessing(4, 4))
        assert caught.value.expected
        assert caught.value.got
