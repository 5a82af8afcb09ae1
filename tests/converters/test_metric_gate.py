"""The gate by a task's own metric, on labelled data."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import edgevision
from edgevision.benchmarks.figures import Comparison
from edgevision.benchmarks.statistics import Estimate
from edgevision.cli.convert import summary
from edgevision.converters import metric_gate
from edgevision.converters.convert import convert
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.manifest import Agreement, Artifact, Parity
from tests.converters.models import pictures, scrambled, write_folder
from tests.converters.test_heads import CASES, LABELS, detector, segmenter

ASKED: dict[str, Any] = {"formats": ["onnx"], "preprocess": "unit", "labels": LABELS}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("images"), pictures(60, seed=5)[0])


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Path]:
    """A segmenter, and masks that are its own float answers but for a corner."""
    folder = tmp_path_factory.mktemp("masked")
    model = scrambled(segmenter())
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    photos = pictures(40, seed=11)[0]
    answers = np.asarray(model(photos.astype(np.float32) / 255)).argmax(-1).astype(np.uint8)
    for index, (photo, answer) in enumerate(zip(photos, answers)):
        Image.fromarray(photo).save(folder / f"images/{index:02d}.png")
        answer[:4, :4] = 0
        Image.fromarray(answer).save(folder / f"masks/{index:02d}.png")
    (folder / "classes.json").write_text(json.dumps(list(LABELS)))
    calibration = write_folder(folder.parent / "calibration", pictures(60, seed=5)[0])
    bundle = convert(model, calibration, folder / "a.edge", evaluate=folder, head=CASES["segmenter"][1], **ASKED)
    return bundle, folder


def test_masks_are_judged_by_mean_iou(masked: tuple[Bundle, Path]) -> None:
    bundle, folder = masked
    gate = bundle.manifest.gate
    assert gate is not None and (gate.basis, gate.images, gate.least_sqnr_db, gate.passed) == ("miou", 40, None, True)
    measured = edgevision.evaluate(bundle.path, folder, all=True).artifacts
    for item in bundle.manifest.artifacts:
        found = item.agreement
        assert found is not None and found.metric == "miou" and found.signals
        assert found.value == pytest.approx(measured[item.name].value, abs=1e-9)
        assert found.value is not None and found.float_value is not None and 0.5 < found.float_value < 1
        assert found.difference == pytest.approx(100 * (found.value - found.float_value))
        assert found.interval[0] <= found.difference <= found.interval[1]
    assert "| int8.onnx | miou | " in bundle.read("README.md").decode()
    assert "miou" in summary(bundle) and "at most 1 point lost in miou on 40 images" in summary(bundle)


def test_boxes_and_a_shortfall(images: Path, tmp_path: Path) -> None:
    """Objects are what float finds; nothing may be lost, which int8 cannot keep, and the bundle says so."""
    model = scrambled(detector())
    head = CASES["detector"][1]
    plain = convert(model, images, tmp_path / "plain.edge", head=head, precisions=["float32"], **ASKED)
    folder = tmp_path / "boxes"
    write_folder(folder, pictures(20, seed=13)[0])
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg"))
    entries: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    with edgevision.load(plain.path, artifact="float32.onnx") as predictor:
        for number, path in enumerate(files):
            found = predictor(path)
            entries.append({"id": number, "file_name": str(path.relative_to(folder)), "height": 16, "width": 16})
            for box, kind in zip(found.boxes, found.class_ids):
                x, y, right, bottom = map(float, box)
                box_ = [x, y, right - x, bottom - y]
                area = box_[2] * box_[3]
                each = {"id": len(boxes) + 1, "image_id": number, "category_id": int(kind), "bbox": box_}
                boxes.append({**each, "area": area, "iscrowd": 0})
    assert boxes
    categories = [{"id": number, "name": label} for number, label in enumerate(LABELS)]
    text = json.dumps({"images": entries, "annotations": boxes, "categories": categories})
    (folder / "annotations.json").write_text(text)
    bundle = convert(model, images, tmp_path / "a.edge", evaluate=folder, head=head, max_drop=0.0, **ASKED)
    gate, found = bundle.manifest.gate, {item.name: item.agreement for item in bundle.manifest.artifacts}
    assert gate is not None and gate.basis == "ap50"
    exact = found["float32.onnx"]
    assert exact is not None and exact.value == exact.float_value and exact.verdict == "pass"
    int8 = found["int8.onnx"]
    assert int8 is not None and int8.value is not None and int8.float_value is not None
    assert int8.passed is (int8.value >= int8.float_value) is gate.passed


def test_data_without_usable_labels_is_judged_by_signals_and_said(images: Path, tmp_path: Path) -> None:
    bundle = convert(scrambled(segmenter()), images, tmp_path / "a.edge", evaluate=images, head="segmentation", **ASKED)
    gate = bundle.manifest.gate
    assert gate is not None and gate.basis == "signal" and any("judged by signals" in text for text in gate.warnings)


@pytest.mark.parametrize(
    ("difference", "is_better", "verdict"),
    [
        (Estimate(-0.2, -0.6, 0.1), 1, "pass"),
        (Estimate(-0.2, -1.6, 0.1), 1, "undecided"),
        (Estimate(-1.2, -1.6, 0.1), 1, "fail"),
        (Estimate(1.2, -0.1, 1.6), -1, "fail"),  # of an error rate more is worse
        (Estimate(-1.2, -1.6, 0.5), -1, "pass"),
    ],
)
def test_verdicts(difference: Estimate, is_better: int, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Some:
        value = 0.5

    def compare(figures: Any, artifact: str, reference: str) -> Comparison:
        return Comparison(artifact, reference, difference, "some", is_better=is_better)

    monkeypatch.setattr(metric_gate, "compare", compare)
    checked = Parity(10, 40.0, 0.1, None, True), Agreement(10, None, None, None, 30.0, (29.0, 31.0), True)
    item = Artifact("int8.onnx", "onnx", "int8", (), (), (), parity=checked[0], agreement=checked[1])
    figures: Any = {"int8.onnx": Some(), "float model": Some()}
    found = metric_gate.judged_by_metric(item, figures, 1.0).agreement
    assert found is not None and (found.verdict, found.passed) == (verdict, verdict != "fail")
    exact = dataclasses.replace(item, name="float32.onnx", precision="float32")
    if verdict == "undecided":
        found = metric_gate.judged_by_metric(exact, figures | {"float32.onnx": Some()}, 1.0).agreement
        assert found is not None and found.verdict == "pass"
