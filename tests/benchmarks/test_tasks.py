"""Bundles of other tasks than classification are measured and verified; their accuracy is another matter."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edgevision
from edgevision.benchmarks.compare import compare
from edgevision.benchmarks.judges import open_judge
from edgevision.benchmarks.report import Report
from edgevision.benchmarks.verify import verify
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.heads.detection import YoloHead
from edgevision.runtime.heads.embedding import EmbeddingHead
from edgevision.runtime.heads.maps import ImageHead
from tests.benchmarks.test_report import report as report_of
from tests.benchmarks.test_schema import check, documented
from tests.constant import bundle_of


def test_a_detector_is_measured_on_photos_and_verified(tmp_path: Path) -> None:
    rows = np.array([[[16, 16, 16, 8, 0.9, 0.1]]], np.float32)
    bundle = bundle_of(tmp_path / "street.edge", YoloHead(layout="rows"), (1, 32, 32, 3), rows)
    (tmp_path / "photos" / "a").mkdir(parents=True)
    Image.new("RGB", (64, 32)).save(tmp_path / "photos" / "a" / "1.png")
    report = edgevision.benchmark(bundle, tmp_path / "photos", runs=2, min_s=0, quick=True)
    assert report.accuracy is None and not report.figures and "no boxes" in report.remarks[0]
    stages = report.artifacts[0].stages_ns
    assert all(min(stages[name]) > 0 for name in ("decode", "preprocess", "infer", "postprocess"))
    assert verify(bundle).passed
    with pytest.raises(DatasetError, match="no boxes"):
        edgevision.evaluate(bundle, tmp_path / "photos")


@pytest.mark.parametrize("head", [ImageHead(), EmbeddingHead()], ids=["generation", "embedding"])
def test_golden_inputs_are_run_where_there_are_no_photos(head: ImageHead | EmbeddingHead, tmp_path: Path) -> None:
    """The null run's zeros are no direction: that must not end the measurement."""
    shape = (1, 4) if head.task == "generation" else (1, 32, 32, 3)
    answer = np.ones((1, 8, 6, 3) if head.task == "generation" else (1, 16), np.float32)
    report = edgevision.benchmark(bundle_of(tmp_path / "a.edge", head, shape, answer), runs=2, min_s=0, quick=True)
    assert min(report.artifacts[0].stages_ns["postprocess"]) > 0
    assert report.overhead is not None


def test_labelled_boxes_are_in_the_report(tmp_path: Path) -> None:
    rows = np.array([[[16, 16, 16, 8, 0.9, 0.1]]], np.float32)
    bundle = bundle_of(tmp_path / "street.edge", YoloHead(layout="rows"), (1, 32, 32, 3), rows)
    folder = tmp_path / "street"
    folder.mkdir()
    for number in range(4):
        Image.new("RGB", (32, 32)).save(folder / f"{number}.png")
    images = [{"id": n, "file_name": f"{n}.png", "height": 32, "width": 32} for n in range(4)]
    box = [8, 12, 16, 8]
    boxes = [{"id": n + 1, "image_id": n, "category_id": 1, "bbox": box, "area": 128, "iscrowd": 0} for n in range(4)]
    categories = [{"id": 1, "name": "car"}]
    text = json.dumps({"images": images, "annotations": boxes, "categories": categories})
    (folder / "boxes.json").write_text(text)
    report = edgevision.benchmark(bundle, folder, runs=2, min_s=0, quick=True)
    assert (report.figures["metric"], report.figures["artifacts"]["int8.onnx"]["ap50"]) == ("ap50", 1.0)
    assert report.images["distinct"] == 2 and report.summary_rows()[0]["accuracy"].startswith("100.0 %")
    again = Report.from_json(report.to_json())
    assert again.figures == report.figures
    assert set(report.figures) == set(documented("Figures"))
    check("Figures", report.figures)
    judge = open_judge(Bundle.open(bundle).manifest, folder)
    assert report.figures["sha256"] == judge.content_hash()
    assert set(map(tuple, report.figures["resamples"].values())) == {(1.0,) * 1000}
    for row in compare(report, again).rows:
        change = row.accuracy
        assert change is not None and (change.value, change.low, change.high, change.kind) == (0, 0, 0, "paired")


def test_a_change_of_the_tasks_metric_is_said() -> None:
    figures = {
        "metric": "miou",
        "data": "street",
        "split": "test",
        "artifacts": {
            name: {"miou": value, "n": 90, "interval95": [value - 0.01, value + 0.01]}
            for name, value in (("int8.onnx", 0.61), ("float32.onnx", 0.64))
        },
        "comparisons": [{"artifact": "int8.onnx", "difference_points": -3.0, "interval95": [-3.5, -2.5]}],
    }
    report = dataclasses.replace(report_of(), figures=figures, accuracy=None)
    assert "int8.onnx changes miou by \N{MINUS SIGN}3.0 points" in report.headline()
