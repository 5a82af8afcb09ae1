from __future__ import annotations

import numpy as np

from edgevision.converters import formats
from edgevision.converters.answers import answer, run_each, top1
from edgevision.converters.source import SourceModel
from edgevision.runtime.backends import open_session
from edgevision.runtime.preprocess import normalize
from tests.converters.conftest import Exported
from tests.converters.models import as_batch


def test_top1_is_that_of_the_device() -> None:
    np.testing.assert_array_equal(top1(np.array([[0.1, 0.9], [3, 2]], np.float32), "logits", 2), [1, 0])
    np.testing.assert_array_equal(top1(np.array([[0.4], [0.6]], np.float32), "sigmoid", 2), [0, 1])
    np.testing.assert_array_equal(top1(np.array([[-1.0], [1.0]], np.float32), "sigmoid_logits", 2), [0, 1])


def test_everything_answers_the_same_images_in_the_same_order(exported: Exported) -> None:
    source = SourceModel(
        exported.trained.model,
        exported.graph,
        "m",
        "",
        None,
        exported.preprocessing,
        exported.trained.scores,
        None,
        None,
    )
    pixels = exported.trained.images[:11]
    path = exported.path("onnx", "int8")
    with open_session("onnx", path.read_bytes(), None, 1) as session:
        batches = [as_batch(each) for each in (pixels[:4], pixels[4:8], pixels[8:])]
        found = answer(source, exported.quantized.model(), {"int8.onnx": session}, batches)
        single = run_each(session, as_batch(pixels[7:8]))["output"]
    float_input = normalize(pixels, exported.preprocessing)
    expected = np.asarray(exported.trained.model(float_input, training=False))
    np.testing.assert_allclose(found.source["output"], expected, atol=1e-5)
    rounded = np.asarray(exported.quantized.model()(pixels.astype(np.float32)))
    assert found.quantized is not None
    np.testing.assert_allclose(found.quantized["output"], rounded, atol=1e-5)
    int8 = found.artifacts["int8.onnx"]["output"]
    assert int8.shape == expected.shape == rounded.shape
    np.testing.assert_array_equal(int8[7:8], single)
    assert set(formats.SUFFIXES) == {"tflite", "onnx", "openvino"}
