"""Detectors at toy size, from boxes to a bundle that finds them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevision
from edgevision.converters.convert import convert
from edgevision.converters.metadata import read_metadata
from edgevision.datasets import open_boxes
from edgevision.runtime.errors import InputError
from edgevision.runtime.heads.detection import FcosHead
from edgevision.runtime.spec import named_preprocessing
from edgevision.trainers.detection.images import BoxedImages
from edgevision.trainers.examples import TrainingData
from edgevision.trainers.families import named_family
from edgevision.trainers.families.detection import fcos, rcnn, ssd
from edgevision.trainers.families.family import Built
from edgevision.trainers.recipe import Recipe
from edgevision.trainers.tasks import guessed_task
from edgevision.trainers.tasks.detection import Detection
from edgevision.trainers.train import train
from tests.trainers.squares import LABELS, write_squares

NAMES = [family.name for module in (fcos, rcnn, ssd) for family in module.FAMILIES]
TOY: dict[str, Any] = {
    "input_size": (64, 64),
    "epochs": 2,
    "batch_size": 4,
    "options": {"width": 0.125, "channels": 16},
}
SMALLEST: dict[str, Any] = {**TOY, "options": {**TOY["options"], "depth": 1}}


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_squares(tmp_path_factory.mktemp("squares") / "d", {"train": 24, "val": 8, "test": 8})


def test_a_detector_is_trained_and_saved_with_all_that_decoding_needs(squares: Path, tmp_path: Path) -> None:
    result = train(squares, tmp_path / "m.keras", **TOY)
    assert result.recipe.task == "detection" and result.recipe.model == "ssd-mobilenet"
    assert result.labels == LABELS and (result.images, result.val_images) == (24, 8)
    first, last = (epoch.figures for epoch in result.history)
    assert last["loss"] < first["loss"] and last["loss"] == pytest.approx(last["score_loss"] + last["box_loss"])
    assert {"val_ap50", "val_ap"} <= last.keys() and result.metric == "ap50"
    metadata = read_metadata(tmp_path / "m.keras")
    assert metadata is not None and metadata["task"] == "detection" and metadata["head"]["kind"] == "ssd"
    assert metadata["head"]["boxes"] == ["boxes_8", "boxes_16", "boxes_32", "boxes_64"] and metadata["scores"] is None


def test_data_with_boxes_is_for_detectors(squares: Path, tmp_path: Path) -> None:
    assert guessed_task(squares) is Detection and guessed_task(str(squares)) is Detection
    assert guessed_task(tmp_path) is not Detection and guessed_task("digits") is not Detection


@pytest.mark.parametrize("field", ["loss", "box_loss"])
def test_losses_of_other_tasks(field: str, squares: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"the {field} is unknown"):
        train(squares, tmp_path / "m.keras", **{**TOY, field: "mse"})


@pytest.mark.parametrize("name", ["fcos-mobilenet", "rcnn-light"])
def test_inputs_whose_levels_would_not_meet(name: str) -> None:
    family = named_family(name)
    with pytest.raises(InputError, match="expected multiples of 32, got 240x320"):
        family.build((240, 320, 3), LABELS, family.options)


@pytest.mark.parametrize("name", ["ssd-mobilenet", "rcnn-light"])
def test_anchors_out_of_order(name: str) -> None:
    family = named_family(name)
    with pytest.raises(InputError, match="anchors of"):
        family.build((64, 64, 3), LABELS, {**family.options, "smallest": 0.7})


@pytest.fixture(scope="module")
def judged(squares: Path) -> tuple[Detection, BoxedImages]:
    """A detector without a network: tests say what its outputs are."""
    p = named_preprocessing("unit", 64, 64)
    names: dict[str, Any] = {"boxes": ("boxes",), "scores": ("scores",)}
    head = FcosHead(strides=(8,), **names, unit="strides")
    recipe = Recipe(task="detection", model="fcos-mobilenet", input_size=(64, 64))
    task = Detection(recipe, Built(model=None, head=head), LABELS, p)
    return task, BoxedImages(open_boxes(squares, "val"), p)


def answered(task: Detection, images: BoxedImages, shift: float = 0.0) -> Any:
    """The outputs of a network that is right: of its places each has another score, and every second one is off."""

    def predict(pixels: Any) -> dict[str, Any]:
        found: dict[str, list[Any]] = {"boxes": [], "scores": []}
        for one in pixels:
            index = next(i for i in range(len(images)) if (images[i].pixels == one).all())
            targets = task.encode([images[index]])
            ids, boxes = targets["class_ids"][0], targets["boxes"][0]
            y, x = (np.mgrid[:8, :8].reshape(2, -1) + 0.5) * 8
            sides = np.stack([x - boxes[:, 0], y - boxes[:, 1], boxes[:, 2] - x, boxes[:, 3] - y], 1) / 8
            sides[::2] += np.array([-shift, 0, shift, 0])
            scores = np.full((64, 2), -9.0)
            scores[ids >= 0, ids[ids >= 0]] = 3.0 - 0.01 * np.arange(64)[ids >= 0] - (np.arange(64) % 2 == 0)[ids >= 0]
            found["boxes"].append(sides.reshape(8, 8, 4))
            found["scores"].append(scores.reshape(8, 8, 2))
        return {name: np.stack(parts).astype(np.float32) for name, parts in found.items()}

    return predict


def test_right_answers_are_judged_right(judged: tuple[Detection, BoxedImages]) -> None:
    task, images = judged
    figures = task.judge(answered(task, images), images)
    assert figures["ap50"] > 0.95
    assert task.judge(answered(task, images, 3.0), images)["ap50"] < figures["ap50"]


def test_thresholds_are_chosen_on_validation_images(judged: tuple[Detection, BoxedImages]) -> None:
    task, images = judged
    before: Any = task.head()
    task.finish(answered(task, images, 0.6), TrainingData(images, None))
    assert task.head() is before, "nothing to choose by"
    task.finish(answered(task, images, 0.6), TrainingData(images, images))
    head: Any = task.head()
    assert head.iou_threshold in (0.3, 0.4, 0.5, 0.6) and 0.5 < head.score_threshold < 0.96
    assert dataclasses.replace(head, iou_threshold=0.5, score_threshold=0.25) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:.*failed the checks of its conversion")
def test_every_family_from_boxes_to_a_bundle(name: str, squares: Path, tmp_path: Path) -> None:
    """Nothing is said of accuracy: eight channels that saw a dozen steps of training do not survive 8 bits."""
    result = train(squares, tmp_path / "m.keras", model=name, **(TOY if name == "ssd-mobilenet" else SMALLEST))
    assert result.history[-1].figures["loss"] < result.history[0].figures["loss"]
    bundle = convert(tmp_path / "m.keras", squares, tmp_path / "m.edge", evaluate=squares, precisions=["int8"])
    gate = bundle.manifest.gate
    assert gate is not None and gate.basis == "ap50" and gate.images == 8
    assert not any(item.float_ops for item in bundle.manifest.artifacts), "all in 8 bits"
    measured = edgevision.evaluate(bundle.path, squares, all=True)
    assert {"int8.tflite", "int8.onnx", "int8.xml"} == measured.artifacts.keys()
    image = next(iter((squares / "test").iterdir()))
    for artifact in measured.artifacts:
        with edgevision.load(bundle.path, artifact=artifact, score_threshold=0.0) as predictor:
            found: Any = predictor(image)
            assert len(found.boxes) and found.labels == LABELS
