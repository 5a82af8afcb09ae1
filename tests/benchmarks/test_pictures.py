"""What the report's pictures are drawn from: Pareto front, confusion, flips, curves, values to sort by."""

from __future__ import annotations

import base64
import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgevision.benchmarks.accuracy import Accuracy
from edgevision.benchmarks.benchmark import benchmark
from edgevision.benchmarks.flips import thumbnail, worst_flips
from edgevision.benchmarks.report import AccuracyRecord, Report
from edgevision.benchmarks.report.bars import footprint_picture
from edgevision.benchmarks.report.confusion import confusion_picture
from edgevision.benchmarks.report.curves import sustained_picture
from edgevision.benchmarks.report.flips import flip_picture
from edgevision.benchmarks.report.scatter import accuracy_picture, pareto_front
from edgevision.benchmarks.report.sorting import sort_values
from edgevision.datasets import open_images
from tests.benchmarks.test_report import measured, report


def point(x: float, y: float, passed: bool = True) -> dict[str, Any]:
    return {"x": x, "y": y, "passed": passed}


def test_the_front_holds_what_nothing_beats() -> None:
    quick, slow_but_better, beaten, as_good_but_slower = point(1, 9), point(4, 2), point(3, 9.5), point(5, 2)
    failed = point(0, 0, passed=False)
    points = [slow_but_better, beaten, quick, failed, as_good_but_slower]
    assert pareto_front(points) == [quick, slow_but_better]
    assert pareto_front([failed]) == []
    found = accuracy_picture(report())
    assert found is not None and found["front_names"] == "int8.tflite, float32.tflite"
    assert [line["y2"] - line["y1"] < 0 for line in found["front"]] == [False, True]


def with_answers(truth: list[int], int8: list[int], labels: tuple[str, ...]) -> Report:
    answers = {"float32.tflite": truth, "int8.tflite": int8}
    return report(accuracy=AccuracyRecord("p", "test", "", tuple(truth), answers, labels))


def test_confusion_is_counted_by_right_class_and_answer() -> None:
    found = confusion_picture(with_answers([0, 0, 0, 0, 1, 2], [0, 0, 1, 1, 1, 0], ("a", "b", "c")))
    assert found is not None and found["wrong"] == 3 and found["map"] is None
    assert [[cell["count"] for cell in row["cells"]] for row in found["table"]] == [[2, 2, 0], [0, 1, 0], [1, 0, 0]]
    assert [(cell["shade"], cell["right"]) for cell in found["table"][0]["cells"]] == [
        (3, True),
        (3, False),
        (0, False),
    ]
    first, second = found["most"]
    assert list(first.values()) == ["a \N{RIGHTWARDS ARROW} b", "2 of 4", "50.0 %"] and "c" in next(
        iter(second.values())
    )
    rows = {row.pop("class"): tuple(row.values()) for row in found["classes"]}
    assert rows["a"] == ("4", "66.7 %", "50.0 %", "57.1 %") and rows["c"] == ("1", "\N{EN DASH}", "0.0 %", "0.0 %")


@pytest.mark.parametrize(
    ("classes", "table", "drawn"),
    [(2, True, False), (20, True, False), (21, False, True), (100, False, True), (101, False, False)],
)
def test_few_classes_are_a_table_many_a_map(classes: int, table: bool, drawn: bool) -> None:
    truth = list(range(classes))
    made = with_answers(truth, [*truth[:-1], 0], tuple(f"c{i}" for i in truth))
    found = confusion_picture(made)
    assert found is not None and (bool(found["table"]), bool(found["map"])) == (table, drawn)
    if drawn:
        paths = {path["kind"]: path["path"] for path in found["map"]["paths"]}
        assert paths["right"].count("M") == classes - 1 and paths["wrong"] == f"M0 {classes - 1}h1v1h-1z"
    assert f"c{classes - 1} \N{RIGHTWARDS ARROW} c0" in (
        made.to_html() if not table else "".join(found["most"][0].values())
    )


def test_confusion_of_a_report_without_labels_or_answers() -> None:
    found = confusion_picture(with_answers([0, 1], [0, 3], ()))
    assert found is not None and found["labels"] == ("class 0", "class 1", "class 2", "class 3")
    assert confusion_picture(report(accuracy=None)) is None


def test_the_worst_flips_are_those_of_which_both_were_surest() -> None:
    truth = np.zeros(5, np.int64)
    sure = np.array([0.9, 0.8, 0.99, 0.7, 0.6], np.float32)
    base = Accuracy(truth, truth, None, np.array([0.9, 0.85, 0.5, 0.9, 0.9], np.float32))
    int8 = Accuracy(np.array([0, 1, 1, 1, 1]), truth, None, sure)
    flips = worst_flips("int8.onnx", "float32.onnx", {"int8.onnx": int8, "float32.onnx": base})
    assert [flip.image for flip in flips] == [1, 3, 4, 2]
    assert flips[-1].confidence == pytest.approx(0.99) and flips[-1].reference_confidence == 0.5
    many = {
        name: Accuracy(np.full(50, i), np.zeros(50, np.int64), None, np.ones(50, np.float32))
        for i, name in enumerate("ab")
    }
    assert [flip.image for flip in worst_flips("a", "b", many)] == list(range(24))


def test_flips_are_measured_and_shown_without_names(bundle: Path, photos: Path) -> None:
    made = benchmark(bundle, photos, runs=1, min_s=0, quick=True)
    assert made.accuracy is not None and made.accuracy.labels == ("dark", "light")
    assert [flip.image for flip in made.accuracy.flips] == [12, 13]  # grey levels 132 and 136
    assert all(flip.artifact == "int8.onnx" and flip.confidence > 0.5 for flip in made.accuracy.flips)
    image = Image.open(io.BytesIO(base64.b64decode(made.accuracy.flips[0].jpeg)))
    assert image.size == (12, 9) and image.getpixel((5, 5)) == (132, 132, 132)
    assert Report.from_json(made.to_json()) == made and "secret" not in made.to_json()
    page = made.to_html()
    assert page.count("data:image/jpeg;base64,") == 2 and "int8 is wrong where float was right on 2" in page


def test_images_may_be_left_out(bundle: Path, photos: Path) -> None:
    made = benchmark(bundle, photos, runs=1, min_s=0, quick=True, no_images=True)
    assert "no_images=True" in made.command
    page = made.to_html()
    assert made.accuracy is not None and len(made.accuracy.flips) == 2 and "data:image" not in page + made.to_json()
    assert "Images were left out." in page


def test_thumbnails_are_small_and_know_nothing_of_the_camera(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[271] = "maker of cameras"
    Image.new("RGB", (400, 200)).save(tmp_path / "a.jpg", exif=exif)
    data = base64.b64decode(thumbnail(open_images(tmp_path), 0))
    assert Image.open(io.BytesIO(data)).size == (96, 48) and b"maker" not in data


def test_nothing_is_shown_where_nothing_flipped() -> None:
    assert flip_picture(report()) is None and flip_picture(report(accuracy=None)) is None


def test_the_curve_shows_a_rise_and_no_spike_flattens_it() -> None:
    times = np.linspace(100_000, 120_000, 2000)
    times[[500, 501, 502, 503]] = 10_000_000
    stages = {"decode": [0] * 2000, "preprocess": [0] * 2000, "infer": times.tolist(), "postprocess": [0] * 2000}
    found = sustained_picture(report(artifacts=(measured("int8.tflite", 1, stages_ns=stages),)))
    assert found is not None
    (row,) = found["rows"]
    heights = [float(pair.split()[1]) for pair in row["line"][1:].split("L")]
    assert heights[0] > 50 and heights[-1] < 22 and heights == sorted(heights, reverse=True)
    assert row["text"] == "first tenth 0.101 ms, last tenth 0.119 ms (+17.8 %)"
    assert len(found["ticks"]) >= 2 and row["band"].endswith("z")


def test_too_few_runs_are_no_curve() -> None:
    short = {stage: values[:30] for stage, values in measured("int8.tflite", 0.1).stages_ns.items()}
    few = report(artifacts=(measured("int8.tflite", 0.1, stages_ns=short),), accuracy=None)
    assert sustained_picture(few) is None and "Over time" not in few.to_html()


def test_bars_are_in_proportion() -> None:
    size, memory = footprint_picture(report())
    widths = {row["name"]: row["width"] for row in size["rows"]}
    assert widths["int8.tflite"] / widths["float32.tflite"] == pytest.approx(134 / 496, rel=0.01)
    assert {row["width"] for row in memory["rows"]} == {72.0} and memory["rows"][0]["text"] == "56.0 MB"


def test_columns_are_sorted_by_numbers_in_the_order_of_the_table() -> None:
    values = sort_values(report())
    assert [values[row["artifact"]]["here"] for row in report().summary_rows()] == [0, 1, 2]
    assert values["float32.tflite"]["int8 - float32"] is None and values["int8.onnx"]["int8 - float32"] == -3.0
    assert set(values["int8.onnx"]) == set(report().summary_rows()[0])
    nothing = dataclasses.replace(report(), accuracy=None)
    assert sort_values(nothing)["int8.onnx"]["accuracy"] is None
