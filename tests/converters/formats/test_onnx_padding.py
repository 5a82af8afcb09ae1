"""Zero padding in the ONNX file: part of the convolution that reads it, with the very same answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl
from onnxruntime import InferenceSession

from edgevision.converters import formats
from edgevision.converters.formats.exported import Source
from edgevision.converters.formats.onnx_graph import OnnxGraph
from edgevision.converters.quantize.quantize import quantize
from tests.converters.models import SIZE, as_batch, folded, pictures


def _network() -> Any:
    """Padding before convolutions with and without one of their own, before two readers, and before a pool."""
    image = keras.Input((SIZE, SIZE, 3))
    x = kl.Conv2D(6, 3, activation="relu", padding="same")(kl.Rescaling(1 / 127.5, offset=-1)(image))
    x = kl.DepthwiseConv2D(3, strides=2, activation="relu6")(kl.ZeroPadding2D(((0, 1), (2, 1)))(x))
    x = kl.Conv2D(5, 3, padding="same")(kl.ZeroPadding2D(1)(x))
    both = kl.ZeroPadding2D(1)(x)
    x = kl.Add()([kl.Conv2D(5, 3, padding="same")(both), kl.Conv2D(5, 1)(both)])
    x = kl.AveragePooling2D(3)(kl.ZeroPadding2D(1)(x))
    return keras.Model(image, kl.Dense(4)(kl.Flatten()(x)))


def test_convolutions_pad_themselves_with_the_same_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, _ = pictures(16)
    batch = as_batch(pixels)
    found = quantize(folded(_network()), "logits", lambda: [batch], batch, lambda: [batch])
    source = Source(found.graph, found.ranges, tmp_path)
    onnx = formats.of("onnx")
    onnx.export(source, tmp_path / "merged.onnx")
    monkeypatch.setattr("edgevision.converters.formats.onnx.merge_padding", lambda graph: None)
    onnx.export(source, tmp_path / "plain.onnx")
    names = ("merged.onnx", "plain.onnx")
    merged, plain = (OnnxGraph.read(tmp_path / name) for name in names)
    before, after = (sum(node.op_type == "Pad" for node in graph.nodes) for graph in (plain, merged))
    assert (before, after) == (4, 2), "those of one convolution go; of two readers and of the pool they stay"
    pads = {tuple(item.ints) for node in merged.nodes for item in node.attribute if item.name == "pads"}
    assert {(0, 2, 1, 1), (2, 2, 2, 2)} <= pads
    assert all(kernel.is_int8 for kernel in onnx.kernels(tmp_path / "merged.onnx"))
    for image in pixels:
        answers = [InferenceSession(tmp_path / name).run(None, {"image": image[None]})[0] for name in names]
        assert np.array_equal(*answers)
