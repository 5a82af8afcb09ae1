"""What stands in a model file, read by hand: right for whole files, an error of ours for any other bytes."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from edgevision.runtime.errors import BundleError
from edgevision.runtime.foreign.operators import file_facts
from edgevision.runtime.spec import QuantParams
from tests import foreign_models, tiny


def test_ends_precision_and_quantisation() -> None:
    unit = QuantParams(1 / 255, -128)
    assert file_facts(foreign_models.quantised_tflite("int8", unit), "tflite").writers == {"scores": "softmax"}
    found = file_facts(foreign_models.integer_onnx(unit, QuantParams(0.25, -3)), "onnx")
    assert found.precision == "int8"
    assert found.writers == {"scores": "Gemm"}
    assert found.quant["pixels"].zero_point == -128
    assert found.quant["pixels"].scale == pytest.approx(1 / 255)
    assert found.quant["scores"] == QuantParams(0.25, -3)
    assert file_facts(foreign_models.planar_onnx(end="Sigmoid"), "onnx").writers == {"scores": "sigmoid"}
    assert file_facts(tiny.model("openvino").model, "openvino").writers == {"scores": "Add"}


@pytest.mark.parametrize("format", ["tflite", "onnx", "openvino"])
def test_damaged_files_raise_nothing_else(format: str) -> None:
    data = {
        "tflite": foreign_models.quantised_tflite("int8", QuantParams(1 / 255, -128)),
        "onnx": foreign_models.integer_onnx(QuantParams(1 / 255, -128), QuantParams(0.25, -3)),
        "openvino": tiny.model("openvino").model,
    }[format]
    random, refused = np.random.default_rng(0), 0
    for _ in range(400):
        damaged = bytearray(data)
        for place in random.integers(0, min(len(data), 3000), 3):
            damaged[place] = random.integers(0, 256)
        with contextlib.suppress(BundleError):
            file_facts(bytes(damaged[: random.integers(1, 2 * len(data))]), format)
            refused -= 1
        refused += 1
    assert refused > 0
