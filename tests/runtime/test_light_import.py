"""A device with numpy, Pillow and one engine: what gets loaded, and that nothing else is needed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edgevision
from edgevision.runtime.heads.detection import YoloHead
from tests import tiny
from tests.constant import bundle_of

HEAVY = ["tensorflow", "keras", "onnx", "torch", "cv2", "sklearn", "matplotlib", "click"]
ENGINE_MODULES = {"onnx": "onnxruntime", "tflite": "ai_edge_litert.interpreter", "openvino": "openvino"}

#: What this package may load beyond the standard library, numpy and the engine's own.
ALLOWED = {"edgevision", "PIL"}

#: Parts of edgevision that only machines that convert, train or report need.
UPSTAIRS = ("edgevision.datasets", "edgevision.benchmarks", "edgevision.converters", "edgevision.trainers")

_LIST = """
import json, sys
import numpy
{code}
tops = sorted({{name.partition(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names) - {{"__main__"}})
print(json.dumps({{"tops": tops, "all": sorted(sys.modules)}}))
"""

_ENGINE_ALONE = "sys.modules['openvino_telemetry'] = None\nimport {module}\ndel sys.modules['openvino_telemetry']"

# Without the extra ``fast``, whatever this machine has.
_PREDICT = """
sys.modules["simplejpeg"] = sys.modules["kornia_rs"] = None
import edgevision
with edgevision.load(sys.argv[1], {backend!r}) as predictor:
    result = predictor(sys.argv[2])
assert predictor.describe()["backend"] == {backend!r}
assert len(result.scores) == 4
del sys.modules["simplejpeg"], sys.modules["kornia_rs"]
"""


def loaded(code: str, *arguments: str) -> dict[str, list[str]]:
    root = Path(edgevision.__file__).parents[1]
    command = [sys.executable, "-W", "error", "-c", _LIST.format(code=code), *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    modules: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return modules


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("light") / "photo.jpg"
    stream = io.BytesIO()
    Image.effect_noise((40, 30), 60).convert("RGB").save(stream, "JPEG")
    path.write_bytes(stream.getvalue())
    return path


@pytest.mark.parametrize("backend", ENGINE_MODULES)
def test_predicting_loads_one_engine_and_nothing_heavy(backend: str, tiny_bundle: Path, image: Path) -> None:
    ours = loaded(_PREDICT.format(backend=backend), str(tiny_bundle), str(image))
    bare = loaded(_ENGINE_ALONE.format(module=ENGINE_MODULES[backend]))
    assert not set(HEAVY) & set(ours["tops"])
    assert set(ours["tops"]) - set(bare["tops"]) == ALLOWED
    assert not [name for name in ours["all"] if name.startswith(UPSTAIRS)]
    assert not [name for name in ours["all"] if name.startswith("openvino_telemetry")]
    others = {module.partition(".")[0] for name, module in ENGINE_MODULES.items() if name != backend}
    assert not others & set(ours["tops"])


def test_the_face_alone_loads_nothing_at_all() -> None:
    ours = loaded("import edgevision")
    bare = loaded("")
    assert set(ours["all"]) - set(bare["all"]) <= {"edgevision", "importlib", "__future__"}


def test_arrays_of_the_right_size_need_no_pillow(tiny_bundle: Path) -> None:
    code = """
import edgevision
edgevision.load(sys.argv[1], "onnx")(numpy.zeros((8, 8, 3), numpy.uint8))
"""
    assert "PIL" not in loaded(code, str(tiny_bundle))["tops"]


def test_a_detector_loads_what_detectors_need(tmp_path: Path) -> None:
    rows = np.array([[[4, 4, 2, 2, 0.9, 0.1]]], np.float32)
    path = bundle_of(tmp_path / "a.edge", YoloHead(layout="rows"), (1, 32, 32, 3), rows)
    code = """
import edgevision
assert edgevision.load(sys.argv[1], "onnx")(numpy.zeros((32, 32, 3), numpy.uint8)).names == ["car"]
"""
    found = loaded(code, str(path))
    assert "PIL" not in found["tops"]
    others = ("segmentation", "classification", "masks", "embedding", "drawing", "ssd", "interchange")
    assert not [name for name in found["all"] if name.startswith("edgevision") and name.endswith(others)]


def test_every_engine_has_its_case() -> None:
    assert set(ENGINE_MODULES) == set(tiny.ENGINES)
