"""predict: one line per image, JSON, and bad images beside good ones."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests import tiny
from tests.cli.conftest import Run


def test_one_line_per_image(run: Run, bundle: Path, photos: Path) -> None:
    images = sorted(photos.glob("*/0.png"))
    outcome = run("predict", bundle, *images, "--top", 2)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert len(lines) == 4
    for line, image in zip(lines, images):
        assert re.fullmatch(rf"{re.escape(str(image))}  (cat|dog|bird|fish) [01]\.\d\d  \(\w+ 0\.\d\d\)", line)


def test_json_is_a_list_in_the_order_asked_for(run: Run, bundle: Path, photos: Path) -> None:
    images = sorted(photos.glob("cat/*.png"))
    found = json.loads(run("predict", bundle, *images, "--json", "--top", 1).out)
    assert [item["path"] for item in found] == [str(image) for image in images]
    assert all(item["label"] in tiny.LABELS and len(item["top"]) == 1 for item in found)


def test_a_bad_image_is_named_and_the_others_are_predicted(
    run: Run, bundle: Path, photos: Path, tmp_path: Path
) -> None:
    good, bad = photos / "cat" / "0.png", tmp_path / "bad.png"
    bad.write_bytes(good.read_bytes()[:60])
    outcome = run("predict", bundle, good, bad, tmp_path / "missing.png", good)
    assert outcome.code == 1
    assert [line.split("  ")[0] for line in outcome.out.splitlines()] == [str(good)] * 2
    first, second = outcome.err.splitlines()
    assert first.startswith("edgevision: error:")
    assert "bad.png" in first
    assert "missing.png" in second


def test_bad_images_stand_in_the_json_too(run: Run, bundle: Path, photos: Path, tmp_path: Path) -> None:
    outcome = run("predict", bundle, tmp_path / "missing.png", photos / "cat" / "0.png", "--json")
    assert outcome.code == 1
    bad, good = json.loads(outcome.out)
    assert "missing.png" in bad["error"]
    assert good["label"] in tiny.LABELS


@pytest.mark.parametrize("backend", tiny.ENGINES)
def test_every_engine_and_its_lone_file(run: Run, bundle: Path, photos: Path, backend: str) -> None:
    image = photos / "dog" / "1.png"
    whole = run("predict", bundle, image, "--backend", backend)
    alone = run("predict", bundle / f"int8.{tiny.SUFFIX[backend]}", image)
    assert whole.code == alone.code == 0
    assert whole.out == alone.out


def test_one_artifact_by_name(run: Run, bundle: Path, photos: Path) -> None:
    assert run("predict", bundle, photos / "dog" / "1.png", "--artifact", "float32.onnx").code == 0
    outcome = run("predict", bundle, photos / "dog" / "1.png", "--artifact", "int4.onnx")
    assert outcome.code == 1
    assert "int4.onnx" in outcome.err


def test_an_unknown_backend_is_answered_with_the_known_ones(run: Run, bundle: Path, photos: Path) -> None:
    outcome = run("predict", bundle, photos / "cat" / "0.png", "--backend", "tensorrt")
    assert outcome.code == 1
    assert "tflite or onnx or openvino" in outcome.err


@pytest.mark.parametrize("name", ["manifest.json", "golden.npz", "README.md", "int8.tflite", "float32.bin"])
def test_one_flipped_byte_is_one_line(run: Run, bundle: Path, photos: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy.edge"
    shutil.copytree(bundle, copy)
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    outcome = run("predict", copy, photos / "cat" / "0.png")
    assert (outcome.code, outcome.out) == (1, "")
    assert len(outcome.err.splitlines()) == 1
    assert name in outcome.err
