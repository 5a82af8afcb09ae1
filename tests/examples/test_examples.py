"""The examples run as they are, as programs of their own."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import tiny

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("examples") / "tiny.edge")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    return folder


def _run(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / name), *map(str, words)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def test_every_example_is_run_by_a_test() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert all(f'_run("{path.name}"' in here for path in (ROOT / "examples").glob("*.py"))


def test_classify(bundle: Path, photos: Path, tmp_path: Path) -> None:
    done = _run("classify.py", bundle, photos, "--csv", tmp_path / "answers.csv")
    assert done.returncode == 0, done.stderr
    assert len([line for line in done.stdout.splitlines() if ".png  " in line]) == 4
    with (tmp_path / "answers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["photo"]).name for row in rows] == [f"{i}.png" for i in range(4)]
    assert all(row["label"] in tiny.LABELS for row in rows)


def test_classify_goes_on_after_a_damaged_photo(bundle: Path, photos: Path) -> None:
    (photos / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = _run("classify.py", bundle, photos)
    assert done.returncode == 1
    assert "1.png" in done.stderr
    assert done.stdout.count(".png  ") == 3


def test_compare_artifacts(bundle: Path, photos: Path) -> None:
    done = _run("compare_artifacts.py", bundle, photos)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        f"{precision}.{tiny.SUFFIX[engine]}" for precision in ("int8", "float32") for engine in tiny.ENGINES
    ]
    assert "ms, 100.0% as the first" in done.stdout
    assert "compare_artifacts.py NAME.edge FOLDER" in _run("compare_artifacts.py").stderr
