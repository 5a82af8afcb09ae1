"""layers.json from real files: what it says of sound ones, and that it points at the layer that was damaged."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from edgevision.benchmarks.report.layers import Layers, weakest
from edgevision.converters import formats
from edgevision.converters.answers import run_each
from edgevision.converters.convert import convert
from edgevision.converters.formats.exported import Source
from edgevision.converters.layers.measure import IMAGES, layers_bytes
from edgevision.converters.quantize.build import build_model
from edgevision.converters.quantize.fake_quant import Range
from edgevision.converters.quantize.quantize import Quantized
from edgevision.converters.sqnr import sqnr_db
from edgevision.runtime.backends import open_session
from edgevision.runtime.manifest import Artifact, ModelFormat, from_plain
from tests.converters.conftest import Exported
from tests.converters.layers.damage import change_onnx, shaken
from tests.converters.models import scrambled

SHAPES = {"map": (6, 6, 4), "row": (5,)}
FORMATS: tuple[ModelFormat, ...] = ("tflite", "onnx", "openvino")
FILES = tuple(f"int8{formats.SUFFIXES[name]}" for name in FORMATS)


def measure(exported: Exported, quantized: Quantized | None = None, folder: Path | None = None) -> Layers:
    artifacts = [Artifact(file, name, "int8", (), (), (), 1.0, 1.0) for file, name in zip(FILES, FORMATS)]
    batch = {"image": exported.trained.images[-IMAGES:]}
    data = layers_bytes(
        exported.quantized.exact, quantized or exported.quantized, artifacts, folder or exported.folder, batch
    )
    return from_plain(Layers, json.loads(data))


#: Padding that the kernel behind it does itself.
GONE = {"branched": [("ZeroPadding2D", "int8.onnx")]}


def test_every_layer_is_found_in_every_file(exported: Exported) -> None:
    found = measure(exported)
    gone = [(layer, name) for layer in found.layers for name in FILES if layer.ratios(name) is None]
    assert [(layer.kind, name) for layer, name in gone] == GONE.get(exported.trained.name, [])
    assert all(f"{file} shows no output of {layer.name}" in found.to_text() for layer, file in gone)
    assert found.artifacts == FILES and found.images == IMAGES
    kernels = {op.name for op in exported.quantized.exact if op.has_kernel}
    assert kernels <= {layer.name for layer in found.layers}
    assert sum(layer.macs for layer in found.layers) == pytest.approx(1, abs=1e-3)
    for layer in found.layers:
        assert (layer.weights is not None) == (layer.name in kernels)
        for name in FILES:
            ratios = layer.ratios(name)
            if ratios is not None:
                assert min(ratios.own, ratios.to_float, ratios.to_quantized) > 15, f"{layer.name} in {name}"


def test_the_last_layer_is_the_whole_model(exported: Exported) -> None:
    """The same images through sessions and models, as ``parity`` compares them."""
    found, pixels = measure(exported), exported.trained.images[-IMAGES:]
    models = build_model(exported.graph), exported.quantized.model()
    exact, rounded = (np.asarray(model(pixels.astype(np.float32), training=False)) for model in models)
    for name in FORMATS:
        path = exported.path(name, "int8")
        weights = path.with_suffix(".bin").read_bytes() if name == "openvino" else None
        with open_session(name, path.read_bytes(), weights, 1) as session:
            outputs = run_each(session, {"image": pixels})["output"]
        ratios = found.layers[-1].ratios(path.name)
        assert ratios is not None
        assert ratios.to_float == pytest.approx(sqnr_db(exact, outputs), abs=0.02)
        # Of differences in the last bit of a float nothing can be said but that they are small.
        assert min(ratios.to_quantized, 90) == pytest.approx(min(sqnr_db(rounded, outputs), 90), abs=0.02)


def test_counts(exported: Exported) -> None:
    """Each histogram counts every value once."""
    for layer in measure(exported).layers:
        if layer.weights is not None:
            op = exported.quantized.exact.ops[layer.name]
            assert sum(layer.weights.counts) == op.weights[0].size and layer.weights.channels >= 1
        if layer.activations is not None:
            low, high = layer.activations.grid
            assert low <= 0 <= high and sum(layer.activations.counts) % IMAGES == 0
            assert layer.activations.clipped < 0.2


@pytest.mark.parametrize("exported", ["plain", "branched"], indirect=True)
def test_a_grid_far_too_narrow_is_the_worst_layer(exported: Exported, tmp_path: Path) -> None:
    victim = [op.name for op in exported.graph if op.name in exported.quantized.ranges and op.kind == "ReLU"][1]
    grid = exported.quantized.ranges[victim]
    ranges = {**exported.quantized.ranges, victim: Range(grid.scale / 8, grid.zero_point)}
    damaged = dataclasses.replace(exported.quantized, ranges=ranges)
    for name in FORMATS:
        formats.of(name).export(Source(damaged.graph, ranges, tmp_path), tmp_path / f"int8{formats.SUFFIXES[name]}")
    found = measure(exported, damaged, tmp_path)
    worst = found.ranked[0]
    assert worst.name == exported.graph.ops[victim].inputs[0]
    for file in FILES:
        ratios = worst.ratios(file)
        assert ratios is not None and ratios.own < 10 and ratios.to_quantized > 20, "the file computes what it should"
    assert worst.activations is not None and worst.activations.clipped > 0.05


@pytest.mark.parametrize("exported", ["plain"], indirect=True)
def test_weights_changed_in_a_file_are_its_worst_layer_and_no_other_file_s(exported: Exported, tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes((exported.folder / name).read_bytes())
    (tmp_path / "int8.bin").write_bytes((exported.folder / "int8.bin").read_bytes())
    change_onnx(tmp_path / "int8.onnx", 1, shaken)
    found = measure(exported, folder=tmp_path)
    kernels = [op.name for op in exported.graph if op.has_kernel]
    worst = weakest(found.layers, found.artifacts)
    assert worst is not None and (worst[0].name, worst[1]) == (kernels[1], "int8.onnx")
    assert worst[2].own < 12 and worst[2].to_quantized < 12
    sound = worst[0].ratios("int8.tflite")
    assert sound is not None and sound.own > 20 and sound.to_quantized > 25
    after = next(layer for layer in found.layers if layer.name == kernels[2]).ratios("int8.onnx")
    assert after is not None and after.own > 20 > after.to_quantized, "layers behind it suffer and are not to blame"


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    """Inputs are rounded too, and are layers of their own then; one of the outputs is used inside as well."""
    first, second = keras.Input((6, 6, 4), name="map"), keras.Input((5,), name="row")
    shared = kl.Conv2D(8, 3, activation="relu", name="conv")(first)
    joined = kl.Concatenate()([kl.Flatten()(shared), kl.Dense(7, activation="relu", name="side")(second)])
    model = scrambled(keras.Model([first, second], [kl.Dense(3, name="answer")(joined), shared]))
    random = np.random.default_rng(0)
    batch = {name: random.uniform(-1, 1, (90, *shape)).astype(np.float32) for name, shape in SHAPES.items()}
    np.savez(tmp_path / "calibration.npz", map=batch["map"], row=batch["row"])
    bundle = convert(model, tmp_path / "calibration.npz", tmp_path / "two.edge", precisions=("int8",))
    found = Layers.read(bundle)
    assert {"map", "row", "conv", "side", "answer"} <= {layer.name for layer in found.layers}
    for layer in found.layers:
        for name in FILES:
            ratios = layer.ratios(name)
            assert ratios is None or (ratios.own > 20 and ratios.to_quantized > 20), f"{layer.name} in {name}"
    assert all(layer.worst is not None for layer in found.layers if layer.weights is not None)


def test_operations_that_a_file_does_once_for_all(tmp_path: Path) -> None:
    """As NASNet has them: several ReLUs of one tensor; behind each a pool, of the second moved by a place."""
    image = keras.Input((8, 8, 3))
    shared = kl.Conv2D(4, 3, padding="same")(image)
    one, other, third = (kl.ReLU(name=name)(shared) for name in ("one", "other", "third"))
    moved = kl.Cropping2D(((1, 0), (1, 0)))(kl.ZeroPadding2D(((0, 1), (0, 1)))(other))
    still, shifted = kl.AveragePooling2D(1, 2, name="still")(one), kl.AveragePooling2D(1, 2, name="shifted")(moved)
    ends = [kl.Conv2D(4, 1, strides=2)(kl.Add()([third, shared])), kl.Conv2D(4, 1)(still), kl.Conv2D(4, 1)(shifted)]
    model = scrambled(keras.Model(image, kl.Dense(3)(kl.Flatten()(kl.Concatenate()(ends)))))
    random = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", images=random.integers(0, 256, (40, 8, 8, 3), np.uint8))
    options: dict[str, Any] = {"precisions": ("int8",), "preprocess": "unit", "labels": list("abc"), "budget": 0}
    found = Layers.read(convert(model, tmp_path / "data.npz", tmp_path / "m.edge", **options))
    names = ("one", "other", "third", "still", "shifted")
    ratios = [layer.ratios(file) for layer in found.layers if layer.name in names for file in FILES]
    assert len(ratios) == 9 and all(each is not None and each.own > 20 for each in ratios)
