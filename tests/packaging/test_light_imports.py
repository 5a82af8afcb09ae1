"""What importing our modules loads: the packages that only some machines have are imported where they are used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import edgevision

ROOT = Path(edgevision.__file__).parent
HEAVY = {"tensorflow", "keras", "onnx", "torch", "cv2", "sklearn", "matplotlib", "scipy", "nncf", "tf2onnx", "jinja2"}
ENGINES = {"ai_edge_litert", "tflite_runtime", "onnxruntime", "openvino"}

_LOAD = """
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def _modules(part: str) -> list[str]:
    paths = sorted((ROOT / part).rglob("*.py"))
    return [".".join(path.relative_to(ROOT.parent).with_suffix("").parts) for path in paths]


def _loaded(names: list[str]) -> set[str]:
    words = [sys.executable, "-W", "error", "-c", _LOAD, json.dumps(names)]
    done = subprocess.run(words, cwd=ROOT.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("part", ["runtime", "datasets", "benchmarks"])
def test_a_device_loads_no_heavy_package(part: str) -> None:
    assert not _loaded(_modules(part)) & (HEAVY | ENGINES | {"click"})


@pytest.mark.parametrize("part", ["converters", "trainers", "cli"])
def test_elsewhere_heavy_packages_are_imported_where_they_are_used(part: str) -> None:
    assert not _loaded(_modules(part)) & (HEAVY | ENGINES)


def test_importing_edgevision_loads_not_even_numpy() -> None:
    assert not _loaded(["edgevision"]) & {"numpy", "PIL", "click", *HEAVY, *ENGINES}


def test_every_name_of_the_face_resolves() -> None:
    for name in edgevision.__all__:
        assert getattr(edgevision, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        edgevision.no_such_name  # noqa: B018
