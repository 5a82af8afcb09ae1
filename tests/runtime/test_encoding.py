"""Pixels to what inputs take: every dtype and layout against the formula."""

from __future__ import annotations

import numpy as np
import pytest

from edgevision.runtime.encoding import PixelEncoding, stored_table
from edgevision.runtime.errors import BundleError
from edgevision.runtime.spec import Preprocessing, QuantParams, TensorSpec, named_preprocessing

TORCH = named_preprocessing("torch", 5, 7)
PIXELS = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
REAL = (PIXELS - np.array(TORCH.mean)) * np.array(TORCH.scale)


@pytest.mark.parametrize("layout", ["nhwc", "nchw", "flat"])
@pytest.mark.parametrize(
    ("dtype", "quant"),
    [
        ("float32", None),
        ("float16", None),
        ("uint8", QuantParams(0.0187, 113)),
        ("int8", QuantParams(0.0187, -15)),
        ("int16", QuantParams(0.001, 0)),
    ],
)
def test_every_value_is_the_formula_s(layout: str, dtype: str, quant: QuantParams | None) -> None:
    shape = {"nhwc": (1, 5, 7, 3), "nchw": (1, 3, 5, 7), "flat": (1, 105)}[layout]
    encoded = PixelEncoding(TensorSpec("in", shape, dtype, quant), TORCH)(PIXELS)
    wanted = REAL.transpose(2, 0, 1) if layout == "nchw" else REAL
    if quant is not None:
        limits = np.iinfo(dtype)
        wanted = np.clip(np.rint(wanted / quant.scale + quant.zero_point), limits.min, limits.max)
    assert encoded.dtype == dtype
    assert encoded.shape == shape[1:]
    assert encoded.flags.c_contiguous
    np.testing.assert_array_equal(encoded, wanted.astype(dtype).reshape(shape[1:]))


def test_raw_pixels_are_not_touched() -> None:
    for quant in (None, QuantParams(1.0, 0)):
        encoding = PixelEncoding(TensorSpec("in", (1, 5, 7, 3), "uint8", quant), TORCH)
        assert encoding.is_raw
        assert encoding(PIXELS) is PIXELS


def test_one_step_more_or_less_is_raw_and_two_are_not() -> None:
    p = Preprocessing(5, 7)
    assert stored_table(TensorSpec("in", (1, 5, 7, 3), "uint8", QuantParams(255 / 254.4, 0)), p) is None
    assert stored_table(TensorSpec("in", (1, 5, 7, 3), "uint8", QuantParams(255 / 253.4, 0)), p) is not None
    shifted = stored_table(TensorSpec("in", (1, 5, 7, 3), "int8", QuantParams(255 / 254.4, -128)), p)
    np.testing.assert_array_equal(shifted, [np.arange(-128, 128)])


def test_grey_images_without_channels_and_windows() -> None:
    p = named_preprocessing("unit", 5, 7, 1)
    grey = PIXELS[:, :, :1]
    np.testing.assert_array_equal(
        PixelEncoding(TensorSpec("in", (1, 5, 7), "float32"), p)(grey), (grey[:, :, 0] / 255).astype(np.float32)
    )
    frames = np.stack([PIXELS, PIXELS[::-1]])
    window = PixelEncoding(TensorSpec("in", (1, 2, 3, 5, 7), "float32"), TORCH, leading=2).batch(frames[None])
    np.testing.assert_array_equal(window[0], REAL.transpose(2, 0, 1).astype(np.float32))
    assert window.shape == (2, 3, 5, 7)


@pytest.mark.parametrize(
    "spec",
    [
        TensorSpec("in", (1, 7, 5, 3), "float32"),
        TensorSpec("in", (1, 5, 7, 4), "float32"),
        TensorSpec("in", (1, 5, 7, 3), "bool"),
        TensorSpec("in", (1, 5, 7, 3), "int8"),
    ],
)
def test_what_holds_no_such_images_is_refused(spec: TensorSpec) -> None:
    with pytest.raises(BundleError):
        PixelEncoding(spec, TORCH)
