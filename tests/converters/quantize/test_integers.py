"""The quantised model on whole numbers: the same model, and bit for bit what engines answer."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters import formats
from edgevision.converters.formats import onnx
from edgevision.converters.formats.exported import Source
from edgevision.converters.quantize.integers import plan
from edgevision.converters.quantize.quantize import Quantized, quantize
from edgevision.converters.source import load_source
from tests.converters.formats.test_any_layer import gated, residual, run
from tests.converters.models import SIZE, as_batch, pictures


def pooled() -> Any:
    """Averages within the network, two products of values, a kernel that is read through a pool."""
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.MaxPooling2D()(kl.Conv2D(8, 3, padding="same", activation="swish")(image))
    gate = kl.Conv2D(8, 1, activation="sigmoid")(kl.GlobalAveragePooling2D(keepdims=True)(x))
    return keras.Model(image, kl.Dense(4)(kl.Flatten()(kl.DepthwiseConv2D(3)(kl.Multiply()([x, gate])))))


def bordered() -> Any:
    """Averages beside the border, of four and of six values, which lie half way often; some of values below zero."""
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.Conv2D(8, 3, padding="same")(image)
    for size in (3, 2, (2, 3)):
        x = kl.Add()([x, kl.AveragePooling2D(size, strides=1, padding="same")(x)])
    parts = [kl.AveragePooling2D(3, strides=1, padding="same")(kl.Conv2D(8, 3, strides=2)(x)) for _ in range(2)]
    parts.append(kl.AveragePooling2D(2, strides=1, padding="same")(kl.MaxPooling2D(3, strides=2)(x)))
    return keras.Model(image, kl.Dense(4)(kl.Flatten()(kl.Concatenate()(parts))))


def joined() -> Any:
    """A part that others read too, far smaller than the whole: on a finer grid."""
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.MaxPooling2D(2)(kl.Conv2D(8, 3, activation="relu")(image))
    large = kl.Conv2D(8, 3, padding="same", kernel_initializer=keras.initializers.RandomNormal(stddev=1))(x)
    whole = kl.Conv2D(8, 1)(kl.Concatenate()([x, large]))
    return keras.Model(
        image, kl.Dense(4)(kl.Concatenate()([kl.Flatten()(whole), kl.Flatten()(kl.DepthwiseConv2D(3)(x))]))
    )


def repeated() -> Any:
    """A map that two readers each take a ReLU of; at the end sums, and the mean, of maps of a single place."""
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.Conv2D(8, 3)(image)
    x = kl.Add()([kl.Conv2D(8, 3, strides=2)(kl.ReLU()(x)), kl.DepthwiseConv2D(3, strides=2)(kl.ReLU()(x))])
    x = kl.Conv2D(16, x.shape[1:3])(x)
    sums = [kl.Add()([kl.Conv2D(16, 1)(kl.ReLU()(x)), kl.Conv2D(16, 1)(kl.ReLU()(x))]) for _ in range(3)]
    return keras.Model(image, kl.Dense(4)(kl.GlobalAveragePooling2D()(kl.ReLU()(kl.Concatenate()(sums)))))


def deep() -> Any:
    """Twenty layers, each of which makes much of one step."""
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.Conv2D(16, 3, padding="same", activation="swish")(image)
    for _ in range(6):
        y = kl.DepthwiseConv2D(3, padding="same", activation="relu6")(kl.Conv2D(24, 1, activation="swish")(x))
        x = kl.Add()([x, kl.Conv2D(16, 1)(y)])
    return keras.Model(image, kl.Dense(4)(kl.Flatten()(x)))


@functools.cache
def found(make: Any, has_classes: bool = True) -> Quantized:
    keras.utils.set_random_seed(0)
    batch = as_batch(pictures(64)[0])
    source = load_source(make(), preprocess="unit")
    scores = source.scores if has_classes else None
    return quantize(source.graph, scores, lambda: iter([batch]), batch, lambda: iter([batch]))


@pytest.mark.parametrize("format_name", formats.SUFFIXES)
@pytest.mark.parametrize("make", [residual, gated, pooled, bordered, joined, repeated, deep])
def test_every_engine_answers_the_very_same(make: Any, format_name: str, tmp_path: Path) -> None:
    model = found(make, has_classes=False)
    path = tmp_path / f"m{formats.SUFFIXES[format_name]}"
    formats.of(format_name).export(Source(model.graph, model.ranges, tmp_path), path)
    pixels = pictures(60, seed=9)[0]
    values = pixels.astype(np.float32)
    whole, usual = np.asarray(model.whole_model()(values)), np.asarray(model.model()(values))
    step = model.ranges[model.graph.output].scale
    np.testing.assert_allclose(run(path, format_name, pixels), whole, rtol=0, atol=0.01 * step)
    assert len(np.unique(np.rint(whole / step))) > 50, "answers differ"
    scale = np.abs(usual).max()
    assert np.abs(whole - usual).max() < 0.2 * scale, "the same model, but for what float32 rounds"


def test_logits_without_a_grid_are_the_very_same(tmp_path: Path) -> None:
    model = found(residual)
    path = tmp_path / "m.onnx"
    onnx.export(Source(model.graph, model.ranges, tmp_path, model.logits), path)
    pixels = pictures(60, seed=9)[0]
    whole = np.asarray(model.whole_model()(pixels.astype(np.float32)))
    np.testing.assert_allclose(run(path, "onnx", pixels), whole, rtol=0, atol=1e-5 * np.abs(whole).max())


def test_what_is_in_float_stays_so() -> None:
    model = found(residual)
    whole = plan(model.graph, model.ranges)
    assert {op.name for op in model.graph if op.has_kernel or op.kind == "Add"} == set(whole)
    first = next(op for op in model.graph if op.has_kernel)
    first.float_reason = "asked for"
    assert set(plan(model.graph, model.ranges)) == set(whole) - {first.name}
