"""The quantised model on whole numbers: the same model, and bit for bit what ONNX Runtime answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

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


def found(make: Any) -> Quantized:
    keras.utils.set_random_seed(0)
    batch = as_batch(pictures(64)[0])
    source = load_source(make(), preprocess="unit")
    return quantize(source.graph, source.scores, lambda: iter([batch]), batch, lambda: iter([batch]))


@pytest.mark.parametrize("make", [residual, gated, pooled])
def test_onnx_runtime_answers_the_very_same(make: Any, tmp_path: Path) -> None:
    model = found(make)
    path = tmp_path / "m.onnx"
    onnx.export(Source(model.graph, model.ranges, tmp_path, model.logits), path)
    pixels = pictures(60, seed=9)[0]
    values = pixels.astype(np.float32)
    whole, usual = np.asarray(model.whole_model()(values)), np.asarray(model.model()(values))
    scale = float(np.abs(usual).max())
    np.testing.assert_allclose(run(path, "onnx", pixels), whole, rtol=0, atol=1e-5 * scale)
    assert 0 < np.abs(whole - usual).max() < 0.2 * scale, "the same model, but for what float32 rounds"


def test_what_is_in_float_stays_so() -> None:
    model = found(residual)
    whole = plan(model.graph, model.ranges)
    assert {op.name for op in model.graph if op.has_kernel or op.kind == "Add"} == set(whole)
    first = next(op for op in model.graph if op.has_kernel)
    first.float_reason = "asked for"
    assert set(plan(model.graph, model.ranges)) == set(whole) - {first.name}
