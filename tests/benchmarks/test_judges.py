"""evaluate() of every task but plain classification: small models, int8 against float32, data made on the spot."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

import edgevision
from edgevision.benchmarks.judges import open_judge
from edgevision.cli.evaluate import command
from edgevision.runtime.errors import BundleError, DatasetError, MissingPackageError
from edgevision.runtime.heads import Head
from edgevision.runtime.heads.classes import MultiLabelHead, SequenceHead
from edgevision.runtime.heads.detection import PostprocessedHead, YoloHead
from edgevision.runtime.heads.embedding import EmbeddingHead
from edgevision.runtime.heads.keypoints import DirectKeypointsHead, InstanceKeypointsHead
from edgevision.runtime.heads.maps import ImageHead, SegmentationHead
from edgevision.runtime.heads.masks import BoxMasksHead
from edgevision.runtime.manifest import Precision
from edgevision.runtime.results.detections import Detections
from tests.clips import planes, write
from tests.constant import bundle_with, colour_model, pair_of

RGB = ("red", "green", "blue")
Colour = tuple[int, int, int]


def _paint(path: Path, colour: Colour, size: tuple[int, int] = (40, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def _coloured(
    path: Path, head: Head, biases: dict[Precision, Sequence[float]], scores: Any = None, shape: Any = ()
) -> Path:
    """A bundle whose outputs are ten times the share of each colour, plus a bias."""
    weights, shape = 10 * np.eye(3, dtype=np.float32), shape or (1, 8, 8, 3)
    rows = {precision: np.array(bias, np.float32) for precision, bias in biases.items()}
    models = {precision: colour_model(shape, weights, bias) for precision, bias in rows.items()}
    answers = {precision: bias[None] + np.float32(10 / 255) for precision, bias in rows.items()}
    return bundle_with(path, head, shape, models, answers, scores, RGB)


def _boxes(folder: Path, *, size: int = 40) -> Path:
    """Two images of which the second holds the one object."""
    for name in "ab":
        _paint(folder / f"{name}.png", (9, 9, 9))
    images = [{"id": i, "file_name": f"{name}.png", "width": size, "height": 30} for i, name in enumerate("ab")]
    objects = [{"id": 1, "image_id": 1, "category_id": 5, "bbox": [10, 5, 20, 20]}]
    plain = {"images": images, "annotations": objects, "categories": [{"id": 5, "name": "dog"}]}
    (folder / "boxes.json").write_text(json.dumps(plain), encoding="utf-8")
    return folder


def _row(score: float) -> NDArray[np.float32]:
    # 40x30 in 32x32 with borders: 0.8 pixels of the model for one of the source, 4 rows of border.
    return np.array([[[16, 16, 16, 16, 0.02, score], [16, 16, 16, 16, 0.5, 0.1]]], np.float32)


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Finds a dog and a car (which the data does not know) in every image; int8 is less sure."""
    answers: dict[Precision, NDArray[np.float32]] = {"int8": _row(0.2), "float32": _row(0.6)}
    return pair_of(tmp_path / "street.edge", YoloHead(layout="rows", every_class=True), (1, 32, 32, 3), answers)


def test_boxes_are_judged_by_average_precision_below_the_bundles_threshold(street: Path, tmp_path: Path) -> None:
    found = edgevision.evaluate(street, _boxes(tmp_path / "data"), all=True)
    plain = json.loads(json.dumps(found.to_dict()))
    floats, ints = plain["artifacts"]["float32.onnx"], plain["artifacts"]["int8.onnx"]
    # The same box in both images, first in the one without an object: every recall at precision 1/2.
    assert floats["ap50"] == ints["ap50"] == pytest.approx(0.5)
    assert (floats["objects"], floats["n"], floats["per_class"]["car"]["ap50"]) == (1, 2, None)
    assert floats["at_threshold"]["recall"] == 1 and floats["at_threshold"]["precision"] == 0.5
    assert ints["at_threshold"]["recall"] == 0
    (comparison,) = plain["comparisons"]
    assert (comparison["metric"], comparison["difference_points"]) == ("ap50", 0)
    assert comparison["threshold_shift"]["reference_precision"] == 0.5
    assert comparison["threshold_shift"]["shift"] == pytest.approx(0.2 - 0.25)


def test_boxes_for_an_image_of_another_size_are_refused(street: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\.png is not of the size.*80x30.*40x30"):
        edgevision.evaluate(street, _boxes(tmp_path / "data", size=80))


def test_without_pycocotools_the_install_line_is_shown(
    street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.cocoeval", None)
    with pytest.raises(MissingPackageError, match=r"edgevision\[metrics\]"):
        edgevision.evaluate(street, _boxes(tmp_path / "data"))


def test_masks_of_objects_are_judged_as_masks_where_the_data_has_outlines(tmp_path: Path) -> None:
    data = _boxes(tmp_path / "data")
    head = BoxMasksHead(detector=PostprocessedHead(boxes="b"), masks="m")
    manifest: Any = SimpleNamespace(task="instance_segmentation", head=head, labels=("car", "dog"))
    half = np.ones((20, 20), np.bool_)
    half[:, 10:] = False

    def judged() -> tuple[dict[str, Any], ...]:
        judge = open_judge(manifest, data)
        for index in range(2):  # the same box in both images, of which the second has an object
            box, score = np.array([[10, 5, 30, 25]], np.float32), np.ones(1, np.float32)
            found = Detections(box, score, np.ones(1, np.int64), ("car", "dog"), judge.read(index).shape[:2])
            masks = {"whole": (np.ones((20, 20), np.bool_),), "half": (half,)}
            judge.add(index, {name: dataclasses.replace(found, masks=mask) for name, mask in masks.items()})
        return tuple(figures.to_dict() for figures in judge.figures().values())

    assert [(found["judged_by"], found["ap"]) for found in judged()] == [("boxes", 0.5)] * 2
    plain = json.loads((data / "boxes.json").read_text())
    plain["annotations"][0]["segmentation"] = [[10, 5, 30, 5, 30, 25, 10, 25]]
    (data / "boxes.json").write_text(json.dumps(plain))
    whole, part = judged()
    assert whole["judged_by"] == part["judged_by"] == "masks"
    assert whole["ap"] == whole["boxes"]["ap"] == part["boxes"]["ap"] == 0.5
    assert (part["ap50"], part["ap75"], part["ap"]) == (0.5, 0, 0.05)  # half of its pixels: IoU 0.5 alone


def test_masks_are_judged_by_intersection_over_union(tmp_path: Path) -> None:
    maps = np.zeros((2, 1, 4, 4, 2), np.float32)
    maps[0, :, :, 2:, 1] = maps[1, :, :, 1:, 1] = 1  # float: the right half is a dog; int8: three quarters
    answers: dict[Precision, NDArray[np.float32]] = {"int8": maps[1], "float32": maps[0]}
    bundle = pair_of(tmp_path / "a.edge", SegmentationHead(), (1, 32, 32, 3), answers)
    _paint(tmp_path / "data/images/1.png", (1, 1, 1), (40, 40))
    mask = np.zeros((40, 40), np.uint8)
    mask[:, 20:], mask[:10] = 2, 255
    (tmp_path / "data/masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "data/masks/1.png")
    (tmp_path / "data/classes.txt").write_text("car\nvoid\ndog\n")
    found = edgevision.evaluate(bundle, tmp_path / "data", all=True).to_dict()
    assert found["artifacts"]["float32.onnx"]["miou"] == 1
    ints = found["artifacts"]["int8.onnx"]
    assert (ints["per_class"]["car"]["iou"], ints["per_class"]["dog"]["iou"]) == (1 / 2, 2 / 3)
    assert ints["pixel_accuracy"] == 0.75 and ints["miou"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["comparisons"][0]["difference_points"] == pytest.approx(100 * (ints["miou"] - 1))


def test_pairs_are_judged_by_the_equal_error_rate(tmp_path: Path) -> None:
    biases: dict[Precision, Sequence[float]] = {"int8": (0.1, 0.1, 0.1), "float32": (-2.0, -2.0, -2.0)}
    bundle = _coloured(tmp_path / "faces.edge", EmbeddingHead(threshold=0.9), biases)
    colours: dict[str, list[Colour]] = {"ann": [(255, 0, 0), (200, 20, 0)], "bea": [(0, 255, 0), (0, 210, 30)]}
    for name, tones in colours.items():
        for number, tone in enumerate(tones):
            _paint(tmp_path / "data" / name / f"{number}.png", tone)
    found = edgevision.evaluate(bundle, tmp_path / "data", all=True).to_dict()
    ints = found["artifacts"]["int8.onnx"]
    assert (ints["eer"], ints["accuracy"], ints["same"], ints["different"], ints["images"]) == (0, 1, 2, 4, 4)
    assert ints["threshold_from"] == "the bundle" and ints["tar_at_far"] == {}
    limits = [found["artifacts"][f"{precision}.onnx"]["eer_threshold"] for precision in ("int8", "float32")]
    assert found["comparisons"][0]["eer_threshold_shift"] == limits[0] - limits[1] != 0
    assert found["comparisons"][0]["metric"] == "eer" and not found["comparisons"][0]["higher_is_better"]
    (tmp_path / "data/ann/1.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"1 of 4 images.*ann/1\.png"):
        edgevision.evaluate(bundle, tmp_path / "data")
    left = edgevision.evaluate(bundle, tmp_path / "data", skip_unreadable=True)
    assert left.artifacts["int8.onnx"].n == 3 and left.unreadable == ("ann/1.png",)


def test_tables_of_labels_are_judged_by_mean_average_precision(tmp_path: Path) -> None:
    biases: dict[Precision, Sequence[float]] = {"int8": (-5, -9, -5), "float32": (-5, -5, -5)}
    bundle = _coloured(tmp_path / "a.edge", MultiLabelHead(), biases, "sigmoid_logits")
    tones: list[Colour] = [(255, 0, 0), (255, 200, 0), (0, 180, 255), (0, 0, 0)]
    rows = ["image,blue,red,green", "0.png,0,1,0", "1.png,0,1,1", "2.png,1,0,1", "3.png,0,0,0"]
    for number, tone in enumerate(tones):
        _paint(tmp_path / f"data/{number}.png", tone)
    (tmp_path / "data/labels.csv").write_text("\n".join(rows))
    found = edgevision.evaluate(bundle, tmp_path / "data", all=True).to_dict()
    floats, ints = found["artifacts"]["float32.onnx"], found["artifacts"]["int8.onnx"]
    assert floats["map"] == ints["map"] == 1 and floats["f1_macro"] == 1
    assert ints["per_class"]["green"]["recall"] == 0 and ints["f1_macro"] == pytest.approx(2 / 3)
    assert found["comparisons"][0]["same_classes"] == 0.5
    assert found["comparisons"][0]["threshold_shift"]["precision"] == 1


def test_windows_are_judged_like_images(tmp_path: Path) -> None:
    biases: dict[Precision, Sequence[float]] = {"int8": (0, 20, 0), "float32": (0, 0, 0)}
    bundle = _coloured(tmp_path / "a.edge", SequenceHead(), biases, "logits", (1, 2, 8, 8, 3))
    tones: dict[str, Colour] = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
    for name, tone in tones.items():
        for frame in range(5):  # the fifth fills no window
            _paint(tmp_path / "data" / name / "clip" / f"frame{frame}.png", tone)
    found = edgevision.evaluate(bundle, tmp_path / "data", all=True).to_dict()
    assert found["task"] == "sequence" and found["artifacts"]["float32.onnx"]["n"] == 6
    assert found["artifacts"]["float32.onnx"]["top1"] == 1
    assert found["artifacts"]["int8.onnx"]["top1"] == pytest.approx(1 / 3)
    assert found["comparisons"][0]["flips"]["lost"] == 4


def test_windows_of_videos_are_judged_like_those_of_folders(tmp_path: Path) -> None:
    biases: dict[Precision, Sequence[float]] = {"int8": (0, 20, 0), "float32": (0, 0, 0)}
    bundle = _coloured(tmp_path / "a.edge", SequenceHead(), biases, "logits", (1, 2, 8, 8, 3))
    for name, tone in zip(RGB, ((250, 5, 5), (5, 250, 5), (5, 5, 250))):
        (tmp_path / "data" / name).mkdir(parents=True)
        write(tmp_path / "data" / name / "clip.mp4", [planes(tone, "ITU601") for _ in range(5)])
    found = edgevision.evaluate(bundle, tmp_path / "data", all=True).to_dict()
    assert (found["artifacts"]["float32.onnx"]["n"], found["artifacts"]["float32.onnx"]["top1"]) == (6, 1)
    assert found["comparisons"][0]["flips"]["lost"] == 4


def test_made_images_are_compared_with_the_float_models(tmp_path: Path) -> None:
    black = np.full((1, 8, 6, 3), -1, np.float32)
    answers: dict[Precision, NDArray[np.float32]] = {"int8": black + np.float32(10 / 127.5), "float32": black}
    bundle = pair_of(tmp_path / "gan.edge", ImageHead(), (1, 4), answers)
    found = edgevision.evaluate(bundle, "5", "int8.onnx").to_dict()
    ints = found["artifacts"]["int8.onnx"]
    assert (ints["mean_absolute"], ints["n"], ints["reference"]) == (10, 5, "float32.onnx")
    assert ints["mean_absolute_foreground"] is None  # nothing but background
    assert found["comparisons"][0]["difference_grey_levels"] == 10
    np.savez(tmp_path / "latents.npz", given=np.ones((3, 4), np.float32))
    assert edgevision.evaluate(bundle, tmp_path / "latents.npz").artifacts["int8.onnx"].n == 3
    with pytest.raises(DatasetError, match="a whole number"):
        edgevision.evaluate(bundle, tmp_path / "nothing")
    lone = pair_of(tmp_path / "lone.edge", ImageHead(), (1, 4), {"int8": black})
    with pytest.raises(BundleError, match="float32"):
        edgevision.evaluate(lone, "2")


def _points(folder: Path, names: Sequence[str]) -> Path:
    """The one object of ``_boxes`` with a nose at its middle and no tail."""
    data = _boxes(folder)
    plain = json.loads((data / "boxes.json").read_text())
    marks = {"nose": [20, 15, 2], "tail": [0, 0, 0]}
    plain["annotations"][0]["keypoints"] = [value for name in names for value in marks[name]]
    plain["categories"][0]["keypoints"] = list(names)
    (data / "boxes.json").write_text(json.dumps(plain))
    return data


def test_points_are_judged_by_their_similarity(tmp_path: Path) -> None:
    # 40x30 in 32x32 with borders: 0.8 pixels of the model for one of the source, 4 rows of border.
    rows: dict[Precision, NDArray[np.float32]] = {
        "float32": np.array([[0.5, 0.5, 0.9, 0.1, 0.1, 0.9]], np.float32),
        "int8": np.array([[0.6, 0.5, 0.9, 0.1, 0.1, 0.9]], np.float32),  # 4 pixels beside it
    }
    head = DirectKeypointsHead(names=("nose", "tail"), output="rows")
    bundle = pair_of(tmp_path / "a.edge", head, (1, 32, 32, 3), rows)
    data = _points(tmp_path / "data", ("tail", "nose"))  # in another order than the model's
    found = edgevision.evaluate(bundle, data, all=True).to_dict()
    floats, ints = (found["artifacts"][f"{name}.onnx"] for name in ("float32", "int8"))
    # The same points in both images, of which the first has no object.
    assert (floats["judged_by"], floats["ap"], floats["objects"]) == ("points", 0.5, 1)
    similarity = np.exp(-(4**2) / (2 * 400 * (2 * 0.05) ** 2))
    assert ints["ap50"] == (0.5 if similarity >= 0.5 else 0) and ints["ap"] == 0
    assert floats["at_threshold"]["oks"] == 0.5
    with pytest.raises(DatasetError, match=r"points are not the model's.*nose, tail.*"):
        edgevision.evaluate(bundle, _points(tmp_path / "other", ("nose",)))
    with pytest.raises(DatasetError, match="no lists of keypoints' names"):
        edgevision.evaluate(bundle, _boxes(tmp_path / "bare"))


def test_points_of_objects_are_judged_with_their_boxes_scores(tmp_path: Path) -> None:
    head = InstanceKeypointsHead(names=("nose", "tail"), detector=YoloHead(output="rows", layout="rows"), values=2)
    row = np.array([[[16, 16, 16, 16, 0.02, 0.6, 16, 16, 1, 1], [9, 9, 4, 4, 0, 0.9, 9, 9, 9, 9]]], np.float32)
    bundle = pair_of(tmp_path / "a.edge", head, (1, 32, 32, 3), {"float32": row})
    found = edgevision.evaluate(bundle, _points(tmp_path / "data", ("nose", "tail"))).to_dict()
    # Both images have both: wrong, wrong, right, wrong by score.
    assert found["artifacts"]["float32.onnx"]["ap50"] == pytest.approx(1 / 4)


def test_a_task_without_a_measure_says_so(tmp_path: Path) -> None:
    manifest: Any = SimpleNamespace(task="tensors", head=None)
    with pytest.raises(BundleError, match="the task tensors"):
        open_judge(manifest, tmp_path)


def test_the_command_prints_a_table_and_json(street: Path, tmp_path: Path) -> None:
    words = [str(street), str(_boxes(tmp_path / "data")), "--all"]
    text = CliRunner().invoke(command, words, catch_exceptions=False).output
    assert "AP50" in text and "points against float32" in text and "-0.050" in text
    plain = json.loads(CliRunner().invoke(command, [*words, "--json"], catch_exceptions=False).stdout)
    assert plain["artifacts"]["int8.onnx"]["ap50"] == pytest.approx(0.5)
