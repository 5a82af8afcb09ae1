"""The wheel with ONE engine in a fresh environment opens a bundle, predicts and verifies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import tiny
from tests.packaging.conftest import Environment

_PREDICT = """
import json, sys
import edgevision
with edgevision.load(sys.argv[1]) as predictor:
    result = predictor(sys.argv[2])
    backend = predictor.describe()["artifact"]
heavy = {"tensorflow", "keras", "onnx", "torch", "cv2", "sklearn", "matplotlib", "click"}
print(json.dumps({
    "artifact": backend,
    "scores": [float(score) for score in result.scores],
    "heavy": sorted(heavy & {name.partition(".")[0] for name in sys.modules}),
}))
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tiny.write(tmp_path / "tiny.edge")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
    return path


def _run(python: Path, *words: str) -> str:
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env, cwd=python.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _check(python: Path, bundle: Path, image: Path, engines: tuple[str, ...]) -> None:
    found = json.loads(_run(python, str(python), "-c", _PREDICT, str(bundle), str(image)))
    assert found["heavy"] == []
    assert found["artifact"] == f"int8.{tiny.SUFFIX[engines[0]]}"
    assert sum(found["scores"]) == pytest.approx(1, abs=1e-5)
    script = str(python.with_name("edgevision"))
    verified = json.loads(_run(python, script, "verify", str(bundle), "--json"))
    assert verified["passed"]
    assert len(verified["checks"]) == 2 * len(engines)
    assert json.loads(_run(python, script, "predict", str(bundle), str(image), "--json"))[0]["label"] in tiny.LABELS
    works = {
        name: engine["works"]
        for name, engine in json.loads(_run(python, script, "doctor", "--json"))["engines"].items()
    }
    assert works == {name: name in engines for name in tiny.ENGINES}


@pytest.mark.parametrize(
    "engine",
    ["onnx", pytest.param("tflite", marks=pytest.mark.slow), pytest.param("openvino", marks=pytest.mark.slow)],
)
def test_one_engine_is_enough(wheel: Path, environment: Environment, bundle: Path, image: Path, engine: str) -> None:
    _check(environment(f"{wheel}[{engine}]"), bundle, image, (engine,))


@pytest.mark.slow
def test_the_oldest_versions_allowed_on_the_oldest_python(
    wheel: Path, environment: Environment, bundle: Path, image: Path
) -> None:
    python = environment(f"{wheel}[runtime]", python=_python("3.10"), options=("--resolution", "lowest-direct"))
    _check(python, bundle, image, tiny.ENGINES)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_the_newest_versions_allowed(
    wheel: Path, environment: Environment, bundle: Path, image: Path, version: str
) -> None:
    python = environment(f"{wheel}[runtime]", python=_python(version))
    _check(python, bundle, image, tiny.ENGINES)


@pytest.mark.slow
def test_the_oldest_versions_allowed_make_a_bundle(wheel: Path, environment: Environment, tmp_path: Path) -> None:
    python = environment(f"{wheel}[all]", python=_python("3.11"), options=("--resolution", "lowest-direct"))
    script = str(python.with_name("edgevision"))
    _run(python, script, "demo", "--out", str(tmp_path / "demo"))
    assert json.loads(_run(python, script, "verify", str(tmp_path / "demo" / "digits.edge"), "--json"))["passed"]


def _python(version: str) -> str:
    """An interpreter of that version: this one, one on the path, or one of pyenv."""
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [
        *filter(None, [shutil.which(f"python{version}")]),
        *map(str, pyenv.glob(f"versions/{version}.*/bin/python")),
    ]
    for candidate in found:
        if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    pytest.skip(f"Python {version} is not installed")
