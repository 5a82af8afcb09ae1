from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from edgevision.datasets import Dataset, open_dataset
from edgevision.runtime.spec import named_preprocessing
from edgevision.trainers import twins
from edgevision.trainers.data_report import data_report
from edgevision.trainers.examples import Example
from edgevision.trainers.images import LabelledImages
from tests.shared_data import shared_path
from tests.trainers.augment.test_sheet import Few

P = named_preprocessing("unit", 32, 32, 3)


def example(seed: int, label: int = 0) -> Example:
    """Smooth noise: every seed another picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC))
    return Example(pixels, np.eye(2, dtype=np.float32)[label])


def as_jpeg(pixels: NDArray[np.uint8], brightness: float) -> NDArray[np.uint8]:
    file = io.BytesIO()
    ImageEnhance.Brightness(Image.fromarray(pixels)).enhance(brightness).save(file, "JPEG", quality=70)
    return np.asarray(Image.open(file))


def test_doubles_leaks_and_contradictions() -> None:
    copy = Example(as_jpeg(example(1).pixels, 0.9), example(1, label=1).label)
    train = Few(example(0), example(1), example(2), example(0), example(3))
    held = Few(example(4), copy, example(2, label=1))
    report = data_report({"train": train, "validation": held, "test": None})
    assert (report.doubles, report.near_doubles, report.leaks, report.contradictions) == (2, 1, 2, 1)
    assert [group.names for group in report.twins] == [
        ("train: 2", "validation: 2"),
        ("train: 1", "validation: 1"),
        ("train: 0", "train: 3"),
    ]
    assert [group.is_same for group in report.twins] == [True, False, True]
    assert report.warnings[0].endswith("different labels, first: train: 2 and validation: 2")
    assert report.warnings[1] == (
        "2 times the same image, or nearly, is in two splits, first: train: 2 and validation: 2"
    )
    assert json.loads(json.dumps(report.to_dict()))["warnings"] == list(report.warnings)


def test_real_images_that_differ_are_no_twins(few: Dataset) -> None:
    images = LabelledImages(few, P)
    report = data_report({"train": images})
    assert (report.doubles, report.near_doubles, report.warnings) == (0, 0, ())
    assert report.rows()[0] == ["images", "train"] and report.rows()[1] == ["airplane", "20"]
    assert report.rows()[-1] == ["all images", "200"]
    assert "images of 32x32 to 32x32" in report.text()


def test_near_twins_are_found_among_many(few: Dataset) -> None:
    images = LabelledImages(few, P)
    changed = [Example(as_jpeg(images.pixels[place], 1.1)) for place in range(0, 200, 10)]
    pairs = twins.near(twins.joined([twins.prints_of(images), twins.prints_of(Few(*changed))]))
    wanted = [(place, 200 + number) for number, place in enumerate(range(0, 200, 10))]
    found = [tuple(pair) for pair in pairs.tolist()]
    assert set(found) <= set(wanted) and len(found) >= 17


def test_digits_are_not_taken_for_each_other() -> None:
    for data in ("digits", shared_path("mnist_t10k.zip")):
        digits = LabelledImages(open_dataset(data).subset(range(300)), P)
        assert data_report({"train": digits}).near_doubles == 0


def test_classes_are_counted_in_boxes_and_pixels() -> None:
    def boxed(*ids: int) -> Example:
        return Example(example(0).pixels, boxes=np.zeros((len(ids), 4), np.float32), class_ids=np.array(ids, np.int64))

    assert data_report({"train": Few(boxed(0, 0, 1), boxed())}).splits[0].classes == {"one": 2, "two": 1}
    mask = np.full((32, 32), 255, np.uint8)
    mask[:2], mask[2] = 0, 1
    report = data_report({"train": Few(Example(example(0).pixels, mask=mask))})
    assert report.unit == "pixels" and report.splits[0].classes == {"one": 64, "two": 32}


def test_unbalanced_and_missing_classes() -> None:
    report = data_report({"train": Few(*(example(seed) for seed in range(12)), example(12, label=1))})
    assert report.warnings == ("train has 12 images of one and 1 of two",)
    assert data_report({"train": Few(example(1))}).warnings == ("train has nothing of two",)


def test_frames_that_follow_each_other_are_no_twins() -> None:
    window = np.stack([example(0).pixels] * 3)
    later = window.copy()
    later[2] += 1
    assert data_report({"train": Few(Example(window), Example(later))}).near_doubles == 0
    assert data_report({"train": Few(Example(window), Example(window))}).doubles == 1


@pytest.mark.parametrize("damaged", [1, 2])
def test_what_was_left_out_is_named(few: Dataset, tmp_path: Path, damaged: int) -> None:
    for name in range(4):
        content = few[name].image
        assert isinstance(content, bytes)
        (tmp_path / "cat").mkdir(exist_ok=True)
        (tmp_path / "cat" / f"{name}.png").write_bytes(content[:50] if name < damaged else content)
    images = LabelledImages(open_dataset(tmp_path), P, strict=False)
    (warning,) = data_report({"train": images}).warnings
    assert warning.startswith(f"{damaged} image{'s' * (damaged > 1)} of train left out, first: ") and "0.png" in warning
