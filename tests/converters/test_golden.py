from __future__ import annotations

import numpy as np
import pytest

from edgevision.converters.golden import COUNT, make_golden, synthetic
from edgevision.converters.quantize.graph import Op
from edgevision.runtime.backends import open_session
from edgevision.runtime.bundle import golden_bytes
from edgevision.runtime.session import Session
from edgevision.runtime.synthetic import synthetic_pixels
from tests.converters.conftest import Exported


@pytest.mark.parametrize("shape", [(16, 16, 3), (32, 20, 1), (7, 3, 3)])
def test_synthetic_images_are_smooth_distinct_and_the_same_everywhere(shape: tuple[int, int, int]) -> None:
    images = synthetic_pixels(shape, COUNT)
    assert images.shape == (COUNT, *shape) and images.dtype == np.uint8 and images.flags.c_contiguous
    np.testing.assert_array_equal(images, synthetic_pixels(shape, COUNT))
    assert len({image.tobytes() for image in images}) == COUNT
    assert images.min() < 60 and images.max() > 195, "engines are to be tried over the whole range"
    if min(shape[:2]) >= 16:
        steps = np.abs(np.diff(images.astype(int), axis=1))
        assert steps.mean() < 40, "white noise would be nothing like an image"


def test_synthetic_windows_have_frames() -> None:
    film = Op("film", "Input", [], (3, 16, 20, 1), dtype="uint8")
    made = synthetic([film], {"film": np.zeros((2, *film.shape), np.uint8)})["film"]
    assert made.shape == (COUNT, 3, 16, 20, 1) and made.dtype == np.uint8
    assert len({frame.tobytes() for window in made for frame in window}) == COUNT * 3


def test_golden_outputs_are_what_each_artifact_answered(exported: Exported) -> None:
    pixels = exported.trained.images[:3]
    sessions: dict[str, Session] = {}
    for precision in ("int8", "float32"):
        data = exported.path("onnx", precision).read_bytes()
        sessions[f"{precision}.onnx"] = open_session("onnx", data, None, 1)
    golden = make_golden({"image": pixels}, sessions)
    np.testing.assert_array_equal(golden.inputs["image"], pixels)
    assert set(golden.outputs) == set(sessions)
    for name, session in sessions.items():
        rows = golden.outputs[name]["output"]
        assert rows.dtype == np.float32 and len(rows) == 3
        for image, row in zip(pixels, rows):
            np.testing.assert_array_equal(session.run({"image": image[None]})["output"][0], row)
        session.close()
    assert golden_bytes(golden) == golden_bytes(golden)
