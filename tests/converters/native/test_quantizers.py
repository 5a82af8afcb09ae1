"""Each format's own quantiser on a model that cannot be rebuilt."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from edgevision.converters import native
from edgevision.converters.native.source import network_of, save_float
from edgevision.runtime.backends import open_session
from edgevision.runtime.errors import InputError
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.spec import named_preprocessing

SUFFIXES = {"tflite": ".tflite", "onnx": ".onnx", "openvino": ".xml"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the quantisers
@pytest.mark.parametrize("name", SUFFIXES)
def test_subclassed_model_runs_on_raw_pixels(name: str, tmp_path: Path) -> None:
    class Hidden(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.features = keras.layers.Conv2D(8, 3, activation="relu")
            self.answer = keras.layers.Dense(4)

        def call(self, inputs: object, training: bool = False) -> object:
            return self.answer(keras.ops.mean(self.features(inputs), axis=(1, 2)))

    keras.utils.set_random_seed(0)
    model, p = Hidden(), named_preprocessing("torch", 12, 12)
    pixels = np.random.default_rng(0).integers(0, 256, (48, 12, 12, 3), np.uint8)
    exact = np.asarray(model(normalize(pixels, p)))
    source, out = save_float(network_of(model, "hidden"), p, tmp_path / "float"), tmp_path / f"int8{SUFFIXES[name]}"
    native.of(name).quantize(source, lambda: [{"image": pixels}], out)
    weights = out.with_suffix(".bin").read_bytes() if name == "openvino" else None
    with open_session(name, out.read_bytes(), weights, 1) as session:
        assert [(item.name, item.dtype) for item in session.inputs] == [("image", "uint8")]
        assert [(item.name, item.dtype) for item in session.outputs] == [("output", "float32")]
        found = np.concatenate([session.run({"image": image[None]})["output"] for image in pixels])
    assert np.abs(found - exact).max() < 0.2 * np.ptp(exact)


@pytest.mark.parametrize("name", SUFFIXES)
def test_unknown_method_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "float").touch()
    with pytest.raises(InputError, match="the quantiser is unknown"):
        native.of(name).quantize(tmp_path / "float", list, tmp_path / "out", method="none")
