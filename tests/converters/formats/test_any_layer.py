"""Layers beyond the plain ones in the three files: what is counted there, and what the engines run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl
from numpy.typing import NDArray

from edgevision.converters import formats
from edgevision.converters.formats.exported import Source
from edgevision.converters.quantize.mixed import mix
from edgevision.converters.quantize.quantize import Quantized, quantize
from edgevision.converters.source import load_source
from edgevision.converters.sqnr import sqnr_db
from edgevision.runtime.backends import open_session
from tests.converters.models import SIZE, as_batch, pictures

FORMATS = tuple(formats.SUFFIXES)


def attention() -> Any:
    image = keras.Input((SIZE, SIZE, 3))
    steps = kl.Reshape((16, 8))(kl.Conv2D(8, 4, strides=4)(image))
    mixed = kl.Add()([steps, kl.MultiHeadAttention(2, 5)(steps, steps)])
    return keras.Model(image, kl.Dense(4)(kl.GlobalAveragePooling1D()(mixed)))


def gated() -> Any:
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.Conv2D(8, 3, strides=2, activation="hard_silu")(image)
    gate = kl.Conv2D(2, 1, activation="relu")(kl.GlobalAveragePooling2D(keepdims=True)(x))
    x = kl.Multiply()([x, kl.Conv2D(8, 1, activation="hard_sigmoid")(gate)])
    x = kl.Conv2D(8, 3, groups=2, activation="swish")(x)
    return keras.Model(image, kl.Dense(4)(kl.Flatten()(x)))


#: multiply-accumulates: what the networks above do for one image
MACS = {
    # patches; query, key, value and output; two products per head; dense
    attention: 16 * 8 * 48 + 3 * 16 * 8 * 10 + 16 * 10 * 8 + 2 * 2 * 16 * 16 * 5 + 8 * 4,
    # the line of a hard swish is one a value
    gated: 49 * 8 * 27 + 49 * 8 + 16 + 16 + 25 * 8 * 36 + 200 * 4,
}


def quantized(make: Any) -> Quantized:
    keras.utils.set_random_seed(0)
    batch = as_batch(pictures(64)[0])
    source = load_source(make(), preprocess="unit")
    return quantize(source.graph, source.scores, lambda: iter([batch]), batch, lambda: iter([batch]))


def run(path: Path, format_name: str, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    weights = path.with_suffix(".bin").read_bytes() if format_name == "openvino" else None
    with open_session(format_name, path.read_bytes(), weights) as session:
        return np.concatenate([session.run({"image": image[None]})["output"] for image in pixels])


def volume() -> Any:
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.Conv3D(4, 3, strides=(1, 1, 2))(kl.Reshape((4, SIZE // 4, SIZE, 3))(kl.Conv2D(3, 1)(image)))
    return keras.Model(image, kl.Dense(4)(kl.Flatten()(kl.MaxPooling3D((1, 2, 2))(x))))


@pytest.mark.parametrize("format_name", FORMATS)
def test_float_work_in_three_dimensions_is_counted(format_name: str, tmp_path: Path) -> None:
    found = quantized(volume)
    path = tmp_path / f"m{formats.SUFFIXES[format_name]}"
    formats.of(format_name).export(Source(found.graph, found.ranges, tmp_path, found.logits), path)
    wide = [kernel for kernel in formats.of(format_name).kernels(path) if not kernel.is_int8]
    assert [kernel.macs for kernel in wide] == [2 * 2 * 7 * 4 * 27 * 3]


def residual() -> Any:
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.Conv2D(8, 3, padding="same", activation="relu")(image)
    for number in range(3):
        y = kl.Conv2D(8, 3, padding="same", activation="relu", name=f"first_{number}")(x)
        x = kl.Add(name=f"add_{number}")([x, kl.Conv2D(8, 3, padding="same")(y)])
    return keras.Model(image, kl.Dense(4)(kl.Flatten()(x)))


@pytest.mark.parametrize("in_float", [(), ("add_0", "first_1", "add_1")])
def test_openvino_rounds_before_a_residual_addition(in_float: tuple[str, ...], tmp_path: Path) -> None:
    found = mix(quantized(residual), dict.fromkeys(in_float, "why"))
    pixels = pictures(24, seed=9)[0]
    expected = np.asarray(found.model()(pixels.astype(np.float32)))
    ratios = {}
    for format_name in ("onnx", "openvino"):
        path = tmp_path / f"m{formats.SUFFIXES[format_name]}"
        formats.of(format_name).export(Source(found.graph, found.ranges, tmp_path, found.logits), path)
        ratios[format_name] = sqnr_db(expected, run(path, format_name, pixels))
    assert ratios["openvino"] >= ratios["onnx"] - 3, ratios


@pytest.mark.parametrize("make", [attention, gated])
@pytest.mark.parametrize("format_name", FORMATS)
def test_all_of_it_is_int8(make: Any, format_name: str, tmp_path: Path) -> None:
    assert SIZE == 16
    found = quantized(make)
    path = tmp_path / f"m{formats.SUFFIXES[format_name]}"
    exporter = formats.of(format_name)
    exporter.export(Source(found.graph, found.ranges, tmp_path, found.logits), path)
    kernels = exporter.kernels(path)
    assert found.logits is not None
    last = found.graph.ops[found.logits.name].weights[0].size
    again = (found.logits.windows - 1) * last if format_name == "tflite" else 0
    assert sum(kernel.macs for kernel in kernels) == MACS[make] + again
    assert [kernel.name for kernel in kernels if not kernel.is_int8] == []
    executed = exporter.executed(path)
    assert executed and all(is_int8 for _, is_int8 in executed)
    pixels = pictures(24, seed=9)[0]
    expected = np.asarray(found.model()(pixels.astype(np.float32)))
    outputs = run(path, format_name, pixels)
    step = found.logits.grid.scale
    assert np.abs(outputs - expected).max() <= 4.01 * step and np.abs(outputs - expected).mean() <= step / 2
