from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgevision.runtime.heads.anchors import Anchors, ssd_anchors
from edgevision.runtime.heads.detection import FcosHead, SsdHead
from edgevision.runtime.manifest import Manifest
from edgevision.runtime.spec import TensorSpec, named_preprocessing
from edgevision.runtime.tasks import task_of
from edgevision.trainers.detection.places import IGNORED, NOTHING, AnchorPlaces, joined, places_of

SIZE = (64, 96)
LABELS = ("a", "b", "c")
STRIDES = (8, 16, 32)
NAMES: dict[str, Any] = {
    "boxes": tuple(f"boxes_{stride}" for stride in STRIDES),
    "scores": tuple(f"scores_{stride}" for stride in STRIDES),
}
ANCHORS = ssd_anchors([(8, 12), (4, 6), (2, 3)], smallest=0.15, largest=0.7, ratios=(1.0, 2.0), fewer_on_lowest=False)
HEADS: dict[str, SsdHead | FcosHead] = {
    "ssd": SsdHead(**NAMES, anchors=ANCHORS, background=False, order="xywh"),
    "strides": FcosHead(**NAMES, strides=STRIDES, unit="strides"),
    "pixels": FcosHead(**NAMES, strides=STRIDES),
}
BOXES: NDArray[np.float32] = np.array([[3, 4, 20, 22], [30, 10, 39, 17], [40, 5, 95, 60], [0, 40, 25, 64]], np.float32)
IDS = np.array([0, 1, 2, 1])


@pytest.mark.parametrize("kind", HEADS)
def test_what_places_have_to_answer_is_what_the_device_makes_the_objects_of(kind: str) -> None:
    head = HEADS[kind]
    places = places_of(head, SIZE)
    assigned = places.assign(BOXES, IDS)
    assert set(assigned.boxes[assigned.class_ids >= 0][:, 0]) == set(BOXES[:, 0]), "each object has a place"
    raw = np.asarray(places.encoded(assigned.boxes[None]))
    assert np.asarray(places.decoded(raw))[0] == pytest.approx(assigned.boxes, abs=1e-3)
    scores = np.where(np.eye(3)[np.maximum(assigned.class_ids, 0)] * (assigned.class_ids >= 0)[:, None] > 0, 6.0, -6.0)
    outputs = _as_maps(places.count, raw[0], scores.astype(np.float32))
    assert np.asarray(joined(outputs, head.boxes, 4)) == pytest.approx(raw)
    specs = [TensorSpec(name, values.shape, "float32") for name, values in outputs.items()]
    task = task_of(Manifest("detection", LABELS, None, named_preprocessing("unit", *SIZE), head=head), specs)
    found: Any = task.decode(outputs, SIZE)
    order = np.argsort(found.boxes[:, 0])
    assert found.boxes[order] == pytest.approx(BOXES[np.argsort(BOXES[:, 0])], abs=1e-2)
    assert found.class_ids[order].tolist() == IDS[np.argsort(BOXES[:, 0])].tolist()


def _as_maps(count: int, raw: NDArray[np.float32], scores: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    shapes = [(SIZE[0] // stride, SIZE[1] // stride) for stride in STRIDES]
    each = count // sum(rows * columns for rows, columns in shapes)
    outputs, start = {}, 0
    for stride, (rows, columns) in zip(STRIDES, shapes):
        part = slice(start, start + rows * columns * each)
        outputs[f"boxes_{stride}"] = raw[part].reshape(1, rows, columns, -1)
        outputs[f"scores_{stride}"] = scores[part].reshape(1, rows, columns, -1)
        start = part.stop
    return outputs


@pytest.mark.parametrize("kind", HEADS)
def test_an_image_without_objects(kind: str) -> None:
    found = places_of(HEADS[kind], SIZE).assign(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    assert (found.class_ids == NOTHING).all() and np.isfinite(found.boxes).all()


def test_anchors_that_nearly_fit_are_judged_neither_way_and_the_best_one_always_answers() -> None:
    sizes = ((20, 20), (20, 9), (20, 6), (20, 5))
    stored = Anchors.of(np.array([[10 / 96, height / 2 / 64, width / 96, height / 64] for width, height in sizes]))
    places = AnchorPlaces(SsdHead(boxes=("b",), scores=("s",), anchors=stored), SIZE)
    box = np.array([[0, 0, 20, 20]], np.float32)
    found = places.assign(box, np.array([2]))
    assert found.class_ids.tolist() == [2, IGNORED, NOTHING, NOTHING] and found.nearest.tolist() == [2] * 4
    small = np.array([[0, 0, 2, 4]], np.float32)  # it overlaps the last anchor most, by 8 %
    assert places.assign(small, np.array([1])).class_ids.tolist() == [NOTHING] * 3 + [1]
    assert places.assign(np.concatenate([box, small]), np.array([2, 1])).class_ids.tolist() == [2, IGNORED, NOTHING, 1]
    assert places.assign(np.concatenate([box, box - 1]), np.array([2, 1])).class_ids[0] == 2, "the nearer one"


def test_small_objects_go_to_fine_levels_and_the_smallest_comes_first() -> None:
    places = places_of(HEADS["strides"], SIZE)
    large, small = [[0, 0, 96, 64]], [[41, 25, 55, 39]]
    fine, coarse = slice(0, 96), slice(96, 120)
    found = places.assign(np.array(large + small, np.float32), np.array([0, 1])).class_ids
    assert (found[fine] == 1).any() and not (found[fine] == 0).any() and (found[coarse] == 0).any()
    one = places.assign(np.array([[40, 24, 56, 40], [42, 26, 54, 38]], np.float32), np.array([0, 1])).class_ids
    assert (one == 1).any() and not (one == 0).any()
    tiny = places.assign(np.array([[41, 25, 42, 26]], np.float32), np.array([0])).class_ids
    assert (tiny == 0).sum() == 1, "one cell for what holds no cell's centre"
