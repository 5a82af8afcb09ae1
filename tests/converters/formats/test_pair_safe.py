"""Weights on coarser grids come into all three files as they were rounded, and the files say whether they need VNNI."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from keras import layers as kl

from edgevision.converters import formats
from edgevision.converters.formats.exported import Source
from edgevision.converters.formats.onnx_graph import OnnxGraph
from edgevision.converters.quantize.pairs import by_output
from edgevision.converters.quantize.quantize import Quantized, quantize
from edgevision.converters.quantize.weights import LIMIT, to_grid
from edgevision.runtime.backends.openvino import import_openvino
from edgevision.runtime.manifest import Precision, Target
from tests.converters.formats.test_formats import FORMATS, answers
from tests.converters.models import as_batch, folded, pictures, sequential

PIXELS, _ = pictures(32, seed=5)
BATCH = as_batch(PIXELS)


def stored_in(path: Path, format_name: str) -> list[list[int]]:
    """The int8 constants of a file, each sorted."""
    if format_name == "tflite":
        from tensorflow.lite.tools import flatbuffer_utils

        model = flatbuffer_utils.read_model(str(path))
        arrays = [
            model.buffers[tensor.buffer].data.view(np.int8)
            for tensor in model.subgraphs[0].tensors
            if tensor.type == 9 and model.buffers[tensor.buffer].data is not None
        ]
    elif format_name == "onnx":
        graph = OnnxGraph.read(path)
        constants = [np.asarray(graph.constant(item.name)) for item in graph.model.graph.initializer]
        arrays = [item for item in constants if item.dtype == np.int8 and item.any()]
    else:
        nodes = import_openvino().Core().read_model(str(path)).get_ordered_ops()
        constants = [node.data for node in nodes if node.get_type_name() == "Constant"]
        arrays = [item for item in constants if item.dtype == np.int8]
    return sorted(sorted(array.ravel().tolist()) for array in arrays)


@pytest.fixture(scope="module")
def both() -> dict[bool, Quantized]:
    """Safe or not -> the quantised model; every layer has more than 1,024 weights."""
    layers = (
        kl.Conv2D(48, 3, strides=2, activation="relu"),
        kl.DepthwiseConv2D(3, depth_multiplier=3, activation="relu"),
        kl.Conv2DTranspose(12, 2, strides=2, activation="relu"),
        kl.Flatten(),
        kl.Dense(4),
    )
    graph = folded(sequential(*layers))
    found = {}
    targets: tuple[Target, ...] = ("any", "vnni")
    for target in targets:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("edgevision.converters.quantize.quantize.MOST_FOR_SAFETY", 100.0)
            made = quantize(graph, "logits", lambda: [BATCH], BATCH, lambda: [BATCH], target)
        found[made.is_pair_safe] = made
    return found


@pytest.mark.parametrize("precision", ["int8", "dynamic-int8"])
@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("is_safe", [True, False])
def test_the_same_integers_in_every_file(
    both: dict[bool, Quantized], format_name: str, precision: Precision, is_safe: bool, tmp_path: Path
) -> None:
    made = both[is_safe]
    ranges = made.ranges if precision == "int8" else None
    path = tmp_path / f"{precision}{formats.SUFFIXES[format_name]}"
    formats.of(format_name).export(
        Source(made.graph, ranges, tmp_path, made.logits if ranges else None, precision), path
    )
    meant = sorted(sorted(to_grid(by_output(op), (0,))[0].ravel().tolist()) for op in made.graph if op.has_kernel)
    assert is_safe or max(map(max, meant)) == LIMIT
    assert stored_in(path, format_name) == meant
    is_affected = format_name == "onnx" or (format_name, precision) == ("openvino", "int8")
    assert ("vnni" in formats.of(format_name).needs(path)) == (is_affected and not is_safe)
    if precision == "int8":
        expected = np.asarray(made.model()(PIXELS.astype(np.float32)))
        # TFLite's logits are as fine as its windows, elsewhere they are float.
        step = made.logits.grid.scale if made.logits else 0.0
        assert np.abs(answers(path, format_name, PIXELS) - expected).max() < step


def test_sixteen_bit_biases_are_counted_anew(both: dict[bool, Quantized], tmp_path: Path) -> None:
    made = both[True]
    source = Source(made.graph, None, tmp_path, asked="int16x8", batches=lambda: [BATCH])
    formats.of("tflite").export(source, tmp_path / "m.tflite")
    expected = np.asarray(made.weights_model()(PIXELS.astype(np.float32)))
    found = answers(tmp_path / "m.tflite", "tflite", PIXELS)
    assert np.abs(found - expected).max() < 2e-3 * np.ptp(expected)
