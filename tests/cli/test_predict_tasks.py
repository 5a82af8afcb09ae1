"""predict on a detector, a window of frames and a generator: lines, JSON and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevision.runtime.heads.classes import SequenceHead
from edgevision.runtime.heads.detection import YoloHead
from edgevision.runtime.heads.maps import ImageHead
from tests.cli.conftest import Run
from tests.constant import bundle_of

ROWS = np.array([[[16, 16, 16, 8, 0.9, 0.1], [16, 17, 16, 8, 0.8, 0.1], [4, 12, 4, 4, 0.1, 0.6]]], np.float32)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detector")
    return bundle_of(folder / "street.edge", YoloHead(layout="rows"), (1, 32, 32, 3), ROWS)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "wide.png"
    Image.new("RGB", (640, 320), (90, 90, 90)).save(path)
    return path


def test_objects_in_a_line_and_in_values(run: Run, detector: Path, photo: Path) -> None:
    outcome = run("predict", detector, photo)
    assert (outcome.code, outcome.out) == (0, f"{photo}  1 car, 1 dog  (car 0.90, dog 0.60)\n")
    (found,) = json.loads(run("predict", detector, photo, "--json").out)
    # 32 pixels are 640, and 8 rows of border lie above.
    assert found["size"] == [320, 640] and found["objects"][0]["box"] == [160.0, 80.0, 480.0, 240.0]
    assert run("predict", detector, photo, "--score-threshold", 0.7).out.endswith("1 car  (car 0.90)\n")
    assert "2 car" in run("predict", detector, photo, "--iou-threshold", 0.99).out
    assert run("inspect", detector).out.splitlines()[1].startswith("head: yolo, score_threshold 0.25")


def test_pictures_go_to_a_file_or_a_folder(run: Run, detector: Path, photo: Path, tmp_path: Path) -> None:
    one = tmp_path / "new" / "one.png"
    assert run("predict", detector, photo, "--draw", one).code == 0
    pixels = np.asarray(Image.open(one))
    assert pixels.shape == (320, 640, 3) and (pixels[160, 160] != 90).any() and (pixels[200, 300] == 90).all()
    again = run("predict", detector, photo, "--draw", one)
    assert again.code == 1 and "--force" in again.err
    assert run("predict", detector, photo, "--draw", one, "--force").code == 0
    assert run("predict", detector, photo, photo, "--draw", tmp_path / "many").code == 0
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == ["wide-2.png", "wide.png"]
    assert run("predict", detector, photo, "--draw", tmp_path / "one.tga").code == 2


def test_a_window_is_one_line(run: Run, photo: Path, tmp_path: Path) -> None:
    scores = np.array([[[0, 2], [3, 0]]], np.float32)
    bundle = bundle_of(tmp_path / "a.edge", SequenceHead(), (1, 2, 32, 32, 3), scores, "logits")
    outcome = run("predict", bundle, photo, photo)
    assert outcome.out == f"{photo} .. {photo}  car 0.95  (dog 0.05)\n"
    assert run("predict", bundle, photo).code == 1


def test_a_generator_takes_seeds(run: Run, tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "a.edge", ImageHead(), (1, 4), np.ones((1, 8, 6, 3), np.float32))
    outcome = run("predict", bundle, "7", "--draw", tmp_path / "made.png")
    assert (outcome.code, outcome.out) == (0, "7  6x8 pixels\n")
    assert np.asarray(Image.open(tmp_path / "made.png")).min() == 255
