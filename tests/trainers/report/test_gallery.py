"""Which examples are shown, in which order, and what is drawn on them, for every kind of answer."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from edgevision.runtime.heads import Head
from edgevision.runtime.heads.detection import PostprocessedHead
from edgevision.runtime.heads.maps import SegmentationHead
from edgevision.runtime.spec import named_preprocessing
from edgevision.trainers.examples import Example, Examples
from edgevision.trainers.families import Built
from edgevision.trainers.report.gallery import SHOWN, worst_first
from edgevision.trainers.report.sections import Gallery
from edgevision.trainers.tasks.task import Task
from tests.trainers import small

SIDE = 40


class Few(Examples):
    """Grey images, the more wrong the lighter: what they are labelled with is the caller's."""

    def __init__(self, count: int, **labels: Any) -> None:
        self._count, self._labels = count, labels

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Example:
        return Example(np.full((SIDE, SIDE, 3), index, np.uint8), **self._labels)

    def name(self, index: int) -> str:
        return str(index)

    def content_hash(self) -> str:
        return ""


class Stub(Task):
    """Its loss is how light the image is, which ``predict`` hands through."""

    default, metric = "none", "loss"

    def __init__(self, name: str, head: Head) -> None:
        recipe = small.recipe()
        p = named_preprocessing("unit", SIDE, SIDE)
        type(self).name = name
        super().__init__(recipe, Built(None, head), ("sky", "road"), p)

    @classmethod
    def open(cls, *args: Any) -> Any:
        raise AssertionError

    def encode(self, examples: Sequence[Example]) -> dict[str, NDArray[Any]]:
        return {"light": np.array([example.pixels.mean() for example in examples], np.float32)}

    def loss(self, outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, Any]:
        return {"loss": tf.reduce_mean(targets["light"])}

    def judge(self, *args: Any) -> dict[str, float]:
        raise AssertionError


def pixels(uri: str) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"))


def gallery(found: tuple[Any, ...]) -> Gallery:
    (section,) = found
    assert isinstance(section, Gallery)
    return section


def test_boxes_are_drawn_as_labelled_and_as_found() -> None:
    head = PostprocessedHead(boxes="boxes", classes="classes", scores="scores", order="xyxy")
    task = Stub("detection", head)

    def predict(images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        boxes = np.array([[[0.5, 0.5, 1, 1]]], np.float32)
        return {"boxes": boxes, "classes": np.ones((1, 1), np.float32), "scores": np.full((1, 1), 0.9, np.float32)}

    labelled = {"boxes": np.array([[0, 0, 20, 20]], np.float32), "class_ids": np.array([0])}
    section = gallery(worst_first(task, predict, Few(30, **labelled), True))
    assert len(section.items) == SHOWN and "On the left what is labelled" in section.lead
    assert [line.value for line in section.items[0].lines] == ["1", "1"]
    first = section.items[0].picture
    assert first is not None and "example 29," in first.alt and (first.width, first.height) == (2 * SIDE + 4, SIDE)
    shown = pixels(first.uri)
    left, right = shown[:, :SIDE].astype(int), shown[:, SIDE + 4 :].astype(int)
    assert np.abs(left[0] - 29).max() > 60 and np.abs(left[-1] - 29).max() < 30, "a box above on the left"
    assert np.abs(right[0] - 29).max() < 30 and np.abs(right[-1] - 29).max() > 60, "a box below on the right"


def test_masks_say_which_share_is_right() -> None:
    task = Stub("segmentation", SegmentationHead(output="map"))

    def predict(images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        scores = np.zeros((1, 4, 4, 2), np.float32)
        scores[..., 0] = 1
        return {"map": scores}

    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:10], mask[10:20] = 1, 255
    section = gallery(worst_first(task, predict, Few(3, mask=mask), True))
    assert [line.value for line in section.items[0].lines] == ["66.7 %"]  # of 30 rows that are judged 20 are right
    assert section.items[0].picture is not None and section.items[0].picture.width == 2 * SIDE + 4


@pytest.mark.parametrize("pictures", [True, False])
def test_the_surest_mistakes_come_first(tmp_path: Any, pictures: bool) -> None:
    from edgevision.trainers.step import answering

    task, data = small.task(), small.data(tmp_path)
    predict = answering(task.built.model, task.p)
    section = gallery(worst_first(task, predict, data.validation, pictures))
    right = [item.lines[1].right for item in section.items]
    assert right == sorted(right, key=bool) and {*right} <= {True, False} and len(right) == 8
    assert all((item.picture is None) != pictures for item in section.items)
    assert worst_first(task, predict, None, pictures) == ()
