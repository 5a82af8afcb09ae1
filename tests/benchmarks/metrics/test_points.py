"""Object keypoint similarity and what follows from it, against pycocotools from end to end."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from edgevision.benchmarks.metrics.detection import Found, Shapes, average_precisions, match
from edgevision.benchmarks.metrics.points import OTHER, fields_of, sigmas_of, true_fields
from edgevision.datasets import Boxes

SIDED = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
PERSON = ("nose", *(f"{side}_{joint}" for joint in SIDED for side in ("left", "right")))


def _people(seed: int, images: int = 14) -> tuple[list[Boxes], list[Found]]:
    """Crowds, people without points, detections near and elsewhere, and more of them in an image than are judged."""
    random, truths, found = np.random.default_rng(seed), [], []
    for index in range(images):
        count = int(random.integers(0, 5))
        corner, extent = random.uniform(0, 200, (count, 2)), random.uniform(30, 90, (count, 2))
        marks = np.zeros((count, 17, 3))
        marks[..., :2] = corner[:, None] + random.uniform(0, 1, (count, 17, 2)) * extent[:, None]
        marks[..., 2] = random.integers(0, 3, (count, 17)) * (random.uniform(size=(count, 1)) > 0.2)
        crowd = random.uniform(size=count) < 0.1
        areas = 0.6 * extent.prod(axis=1)
        xyxy, ignored = np.concatenate([corner, corner + extent], axis=1), crowd | ~(marks[..., 2] > 0).any(axis=1)
        ids = np.zeros(count, np.int64)
        truths.append(Boxes(xyxy, ids, ignored, crowd, points=marks, areas=areas))
        near = np.repeat(marks[..., :2], 2, axis=0)
        near = near + random.normal(0, 1, near.shape) * random.uniform(0.5, 8, (2 * count, 1, 1))
        others = random.uniform(0, 250, (30 if index == 3 else 2, 17, 2))
        xy = np.concatenate([near, others])
        scores = np.round(random.uniform(0.05, 1, len(xy)), 2)
        boxes = np.concatenate([xy.min(axis=1), xy.max(axis=1)], axis=1)
        fields = fields_of(xy, np.ones((len(xy), 17)))
        found.append(Found(boxes, scores, np.zeros(len(xy), np.int64), fields))
    return truths, found


def _reference(truths: list[Boxes], found: list[Found]) -> NDArray[np.float64]:
    """pycocotools' precision, float64 (10, 101)."""
    objects: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []
    for image, (truth, some) in enumerate(zip(truths, found)):
        assert truth.points is not None and truth.areas is not None and some.shapes is not None
        for box, marks, area, crowd in zip(truth.xyxy, truth.points, truth.areas, truth.crowd):
            row = {"id": len(objects) + 1, "image_id": image, "category_id": 1, "area": area, "iscrowd": int(crowd)}
            row |= {"bbox": [*box[:2], *(box[2:] - box[:2])], "keypoints": marks.ravel().tolist()}
            objects.append(row | {"num_keypoints": int((marks[:, 2] > 0).sum())})
        for fields, score in zip(some.shapes, some.scores):
            seen.append({"image_id": image, "category_id": 1, "score": float(score), **fields})
    truth_file = COCO()
    truth_file.dataset = {
        "images": [{"id": index} for index in range(len(truths))],
        "annotations": objects,
        "categories": [{"id": 1, "name": "person"}],
        "info": {},
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth_file.createIndex()
        judge = COCOeval(truth_file, truth_file.loadRes(seen), "keypoints")
        judge.evaluate()
        judge.accumulate()
    return np.asarray(judge.eval["precision"])[:, :, 0, 0, -1]


@pytest.mark.parametrize("seed", [0, 1])
def test_average_precision_of_points_is_that_of_pycocotools(seed: int) -> None:
    truths, found = _people(seed)
    assert sum(t.crowd.sum() for t in truths) and sum((t.ignored & ~t.crowd).sum() for t in truths)
    shapes = Shapes("keypoints", [true_fields(truth) for truth in truths], sigmas_of(PERSON))
    (matches,) = match(truths, found, 1, shapes)
    expected = _reference(truths, found).mean(axis=1)
    assert 0.2 < expected[0] < 0.95 and expected[0] > expected[-1]
    assert np.abs(average_precisions(matches) - expected).max() < 1e-12


def test_points_of_no_person_are_equally_sure() -> None:
    assert sigmas_of(["Left eye", "right-hip"]).tolist() == [0.025, 0.107]
    assert sigmas_of(["nose", "tail"]).tolist() == [OTHER, OTHER]
