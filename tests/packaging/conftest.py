"""The wheel, built once, and fresh environments to install it in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "demo", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")

Environment = Callable[..., Path]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a clean copy of this tree; a build folder left in the checkout must not show."""
    source = tmp_path_factory.mktemp("source") / "edgevision"
    shutil.copytree(ROOT, source, symlinks=True, ignore=_LEFT_OUT)
    out = source.parent / "dist"
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """Makes a virtual environment with the given packages and returns its Python."""

    def make(*packages: str, python: str = sys.executable, options: tuple[str, ...] = ()) -> Path:
        folder = tmp_path / "environment"
        uv("venv", "--quiet", "--python", python, str(folder))
        wanted = ("pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *options, *packages)
        try:
            uv(*wanted, "--offline")  # nothing is asked of the network that an earlier run has fetched
        except AssertionError:
            uv(*wanted)
        return folder / "bin" / "python"

    return make


def uv(*words: str) -> str:
    """Runs uv and returns what it printed."""
    beside = Path(sys.executable).with_name("uv")
    program = str(beside) if beside.exists() else shutil.which("uv")
    assert program, "uv is needed: it comes with the dev extra"
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False, env=_env())
    assert done.returncode == 0, done.stderr
    return done.stdout


def _env() -> dict[str, str]:
    """Without what would make a fresh environment see this one."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")}
