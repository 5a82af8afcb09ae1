from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgevision.datasets import open_boxes
from edgevision.runtime.errors import DatasetError, ImageError
from edgevision.runtime.preprocess import geometry
from edgevision.runtime.spec import ResizePolicy, named_preprocessing
from edgevision.trainers.detection.images import BoxedImages, open_boxed
from edgevision.trainers.recipe import Recipe
from tests.trainers.squares import LABELS, write_squares

P = named_preprocessing("unit", 32, 48)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_squares(tmp_path_factory.mktemp("squares") / "d", {"train": 10, "val": 3}, (60, 80))


@pytest.mark.parametrize("resize", ["stretch", "crop", "letterbox"])
def test_boxes_go_where_their_pixels_go(squares: Path, resize: ResizePolicy) -> None:
    p = dataclasses.replace(P, resize=resize)
    data = open_boxes(squares, "train")
    images = BoxedImages(data, p)
    place = geometry((60, 80), p)
    for index in range(len(images)):
        example, truth = images[index], data.truths[index]
        assert example.boxes is not None and example.class_ids is not None
        back = place.to_source(example.boxes)
        near = np.abs(back[:, None] - truth.xyxy).max(axis=2).min(axis=1)
        inside = (example.boxes[:, :2] > 0).all(1) & (example.boxes[:, 2:] < [48, 32]).all(1)
        assert near[inside] == pytest.approx(0, abs=1e-3)
        for (x1, y1, x2, y2), kind in zip(example.boxes, example.class_ids):
            middle = example.pixels[int((y1 + y2) / 2), int((x1 + x2) / 2)]
            assert middle.max() > 150 and LABELS[kind] in ("green", "red")
    if resize == "crop":
        kept = sum(len(image.class_ids) for image in (images[i] for i in range(10)) if image.class_ids is not None)
        assert kept <= sum(map(len, data.truths))


def test_what_is_ignored_or_cut_off_is_not_learned(squares: Path) -> None:
    data = open_boxes(squares, "train")
    truth = data.truths[0]
    outside = np.array([[-30.0, 0, 2, 20], [1, 1, 1, 9], [4, 4, 20, 20], [6, 6, 30, 30]])
    truth = dataclasses.replace(
        truth,
        xyxy=outside,
        class_ids=np.array([0, 0, 1, 1]),
        ignored=np.array([False, False, False, True]),
        crowd=np.zeros(4, np.bool_),
    )
    one = dataclasses.replace(data, images=data.images.subset([0]), truths=(truth,))
    example = BoxedImages(one, named_preprocessing("unit", 60, 80))[0]
    assert example.boxes is not None and example.boxes.tolist() == [[4, 4, 20, 20]]
    assert example.class_ids is not None and example.class_ids.tolist() == [1]


def recipe(share: float, seed: int = 0) -> Recipe:
    return Recipe(task="detection", model="m", input_size=(32, 48), validation_split=share, seed=seed)


def test_the_val_split_or_a_share_is_held_out(squares: Path) -> None:
    data = open_boxed(squares, recipe(0.3), P, None)
    assert data.validation is not None and (len(data.train), len(data.validation)) == (10, 3)
    train = open_boxes(squares, "train")
    parts = [open_boxed(train, recipe(0.3, seed), P, None) for seed in (0, 0, 1)]
    assert all(part.validation is not None and (len(part.train), len(part.validation)) == (7, 3) for part in parts)
    hashes = [part.provenance()["data_sha256"] for part in parts]
    assert hashes[0] == hashes[1] != hashes[2]
    assert open_boxed(train, recipe(0.0), P, None).validation is None


def test_an_image_that_cannot_be_read_goes_with_its_boxes(tmp_path: Path) -> None:
    data = open_boxes(write_squares(tmp_path / "d", {"train": 4}), "train")
    (tmp_path / "d" / "train" / "001.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"001\.png"):
        BoxedImages(data, P)
    left = BoxedImages(data, P, strict=False)
    assert len(left) == len(left.truths) == len(left.sizes) == 3 and "001.png" in left.unreadable[0]
    assert [left.name(index)[-7:] for index in range(3)] == ["000.png", "002.png", "003.png"]
    assert left.truths[1] is data.truths[2]


def test_the_hash_knows_the_boxes(squares: Path) -> None:
    data = open_boxes(squares, "train")
    moved = dataclasses.replace(data.truths[0], xyxy=data.truths[0].xyxy + 1)
    other = dataclasses.replace(data, truths=(moved, *data.truths[1:]))
    assert BoxedImages(data, P).content_hash() != BoxedImages(other, P).content_hash()


def test_nothing_to_learn(squares: Path) -> None:
    data = open_boxes(squares, "train")
    none = dataclasses.replace(data.truths[0], ignored=np.ones(len(data.truths[0]), np.bool_))
    bare = dataclasses.replace(data, images=data.images.subset([0]), truths=(none,))
    with pytest.raises(DatasetError, match="no objects to learn"):
        open_boxed(bare, recipe(0.0), P, None)
