from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters.formats import tflite
from edgevision.converters.formats.exported import Source
from edgevision.converters.formats.tflite_graph import TFLiteGraph
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.logits import Logits
from edgevision.converters.quantize.quantize import Quantized, quantize
from edgevision.runtime.backends import open_session
from tests.converters.models import Floats, as_batch, folded, pictures, sequential

PIXELS, _ = pictures(40)
BATCH = as_batch(PIXELS)


@pytest.fixture(scope="module")
def made() -> Quantized:
    layers = kl.Rescaling(1 / 255.0), kl.Conv2D(8, 3, strides=2, activation="relu"), kl.Flatten(), kl.Dense(5)
    return quantize(folded(sequential(*layers)), "logits", lambda: [BATCH], BATCH, lambda: [BATCH])


def exported(made: Quantized, path: Path, logits: Logits | None) -> Any:
    file = path / "m.tflite"
    tflite.export(Source(made.graph, made.ranges, path, logits), file)
    return file


def answers(file: Path) -> Floats:
    with open_session("tflite", file.read_bytes(), None, 1) as session:
        return np.concatenate([session.run({"image": image[None]})["output"] for image in PIXELS])


def exact(made: Quantized) -> Floats:
    return np.asarray(made.model()(PIXELS.astype(np.float32)))


@pytest.mark.parametrize("windows", [1, 2, 3, 8])
def test_each_window_makes_the_steps_finer(made: Quantized, windows: int, tmp_path: Path) -> None:
    assert made.logits is not None
    file = exported(made, tmp_path, Logits(made.logits.name, made.logits.grid, windows))
    off = np.abs(answers(file) - exact(made)) / made.logits.grid.scale * windows
    # half a step of rounding, and what the convolution rounds elsewhere than Keras does
    assert np.quantile(off, 0.95) <= 0.51 and off.max() < windows
    assert off.max() > 0.3
    kinds = [kernel.kind for kernel in tflite.kernels(file)]
    assert kinds == ["CONV_2D"] + ["FULLY_CONNECTED"] * windows
    assert all(is_int8 for _, is_int8 in tflite.executed(file))


def test_weights_are_stored_once(made: Quantized, tmp_path: Path) -> None:
    assert made.logits is not None
    file = exported(made, tmp_path, Logits(made.logits.name, made.logits.grid, 8))
    graph = TFLiteGraph(tflite._read(file))
    dense = [op for op in graph.operators if graph.kind(op) == "FULLY_CONNECTED"]
    assert len(dense) == 8 and len({op.inputs[1] for op in dense}) == 1
    weights = made.graph.ops[made.logits.name].weights[0].size
    assert sum(kernel.weight_bytes for kernel in tflite.kernels(file)[1:]) == weights


def test_logits_beyond_the_grid_end_there(made: Quantized, tmp_path: Path) -> None:
    assert made.logits is not None
    real = exact(made)
    grid = Range.covering(float(np.quantile(real, 0.2)), float(np.quantile(real, 0.8)))
    found = answers(exported(made, tmp_path, Logits(made.logits.name, grid, 8)))
    np.testing.assert_allclose(found, np.clip(real, grid.low, grid.high), atol=0.6 * grid.scale)
    assert (real < grid.low - grid.scale).any() and (real > grid.high + grid.scale).any()


def test_a_layer_without_bias_gets_one(tmp_path: Path) -> None:
    model = sequential(kl.Rescaling(1 / 255.0), kl.Conv2D(4, 3, activation="relu"), kl.Flatten(), kl.Dense(5))
    made = quantize(folded(model), "logits", lambda: [BATCH], BATCH, lambda: [BATCH])
    assert made.logits is not None
    made.graph.ops[made.logits.name].weights[1][:] = 0
    found = answers(exported(made, tmp_path, Logits(made.logits.name, made.logits.grid, 8)))
    assert np.quantile(np.abs(found - exact(made)), 0.95) <= 0.51 * made.logits.grid.scale / 8
