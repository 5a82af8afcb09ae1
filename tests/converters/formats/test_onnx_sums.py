"""Two kernels of one place that are added: TensorFlow's optimiser takes one of them for the other's bias."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from keras import layers as kl

from edgevision.converters import formats
from edgevision.converters.formats.exported import Source
from edgevision.converters.quantize.build import build_model
from edgevision.runtime.backends import open_session
from tests.converters.models import SIZE, folded, pictures, scrambled


@pytest.mark.parametrize("use_bias", [True, False])
def test_kernels_of_one_place_are_added(use_bias: bool, tmp_path: Path) -> None:
    image = keras.Input((SIZE, SIZE, 3))
    place = kl.Conv2D(8, SIZE, activation="relu")(kl.Rescaling(1 / 127.5, -1)(image))
    one, other = (kl.Conv2D(8, size, padding="same", use_bias=use_bias)(place) for size in (3, 5))
    both = kl.Concatenate()([kl.Add()([one, other]), place])
    graph, path = folded(scrambled(keras.Model(image, kl.Dense(4)(kl.Flatten()(both))))), tmp_path / "float32.onnx"
    formats.of("onnx").export(Source(graph, None, tmp_path), path)
    assert [node.op_type for node in onnx.load(path).graph.node].count("Add") == 1
    pixels, _ = pictures(4, seed=3)
    with open_session("onnx", path.read_bytes(), None, 1) as session:
        found = np.concatenate([session.run({"image": each[None]})["output"] for each in pixels])
    np.testing.assert_allclose(found, build_model(graph)(pixels.astype(np.float32)), rtol=1e-4, atol=1e-4)
