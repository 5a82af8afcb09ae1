"""COCO's mean average precision of boxes, masks or points: pycocotools matches, its sum over images has weights here.

Lin, T.-Y. et al. (2014), Microsoft COCO: common objects in context. The weights are what a bootstrap over images needs;
with all of them 1 the figures are those of pycocotools to the last digits, which a test holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import Boxes
from edgevision.runtime.errors import MissingPackageError

#: Intersections over union that count as found, 0.5 to 0.95.
IOUS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
#: Most detections per image and class; of objects with points.
MOST, MOST_WITH_POINTS = 100, 20
_RECALLS: NDArray[np.float64] = np.linspace(0.0, 1.0, 101)
_ANY_AREA = (0.0, 1e10)


#: Of one object what pycocotools compares: "segmentation" (runs of pixels), or "keypoints" (x, y and visibility or
#: score of each in one list) and of a true object its "area".
Fields = dict[str, Any]


class Shapes(NamedTuple):
    """What is compared instead of boxes.

    Attributes:
        kind: Masks by intersection over union, or points by object keypoint similarity (OKS).
        objects: Of each image's objects their fields.
        sigmas: Of points float64 (points,): how far annotators differ, in shares of the object's size.
    """

    kind: Literal["segm", "keypoints"]
    objects: Sequence[Sequence[Fields]]
    sigmas: NDArray[np.float64] | None = None


class Found(NamedTuple):
    """What a model found in one image.

    Attributes:
        xyxy: float (n, 4), pixels of the image.
        scores: float (n,), 0..1.
        class_ids: int (n,).
        shapes: As those of ``Shapes``, of each object; None of boxes alone.
    """

    xyxy: NDArray[np.floating]
    scores: NDArray[np.floating]
    class_ids: NDArray[np.integer]
    shapes: Sequence[Fields] | None = None


class Matches(NamedTuple):
    """Detections of one class in all images, best first.

    Attributes:
        scores: float64 (d,), falling.
        images: int64 (d,), which image each is in.
        hits: bool (10, d), whether it is an object, at each of ``IOUS``.
        ignored: bool (10, d), whether it counts neither way.
        objects: int64 (images,), how many objects there are to find.
    """

    scores: NDArray[np.float64]
    images: NDArray[np.int64]
    hits: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    objects: NDArray[np.int64]


def match(
    truths: Sequence[Boxes], found: Sequence[Found], classes: int, shapes: Shapes | None = None
) -> tuple[Matches, ...]:
    """Which detections are which objects, per class.

    Args:
        truths: The objects of each image.
        found: The detections in each image, in the same order.
        classes: How many classes there are.
        shapes: What is compared instead of boxes; ``found`` has them, too.

    Raises:
        MissingPackageError: pycocotools is not installed.
    """
    try:
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise MissingPackageError("pycocotools", "to match boxes", "metrics") from error
    judge = COCOeval(iouType="bbox" if shapes is None else shapes.kind)
    has_points = shapes is not None and shapes.kind == "keypoints"
    compare, most = (judge.computeOks, MOST_WITH_POINTS) if has_points else (judge.computeIoU, MOST)
    judge.params.iouThrs, judge.params.maxDets = IOUS, [most]
    judge.params.kpt_oks_sigmas = None if shapes is None else shapes.sigmas
    cells: list[list[tuple[int, Any]]] = [[] for _ in range(classes)]
    for image, (truth, seen) in enumerate(zip(truths, found)):
        objects = _rows(truth.xyxy, None if shapes is None else shapes.objects[image])
        named = _rows(seen.xyxy, None if shapes is None else seen.shapes)
        for row, crowd, ignored in zip(objects, truth.crowd, truth.ignored):
            row |= {"iscrowd": int(crowd), "ignore": int(ignored)}
        for row, score in zip(named, seen.scores):
            row["score"] = float(score)
        for label in np.union1d(truth.class_ids, seen.class_ids).tolist():
            key = (image, label)
            judge._gts[key] = _of(label, truth.class_ids, objects)
            judge._dts[key] = _of(label, seen.class_ids, named)
            judge.ious[key] = compare(*key)
            cells[label].append((image, judge.evaluateImg(*key, _ANY_AREA, most)))
    return tuple(_joined(rows, len(truths)) for rows in cells)


def _rows(xyxy: NDArray[np.floating], shapes: Sequence[Fields] | None) -> list[dict[str, Any]]:
    """Objects as pycocotools has them."""
    boxes = [[left, top, right - left, bottom - top] for left, top, right, bottom in xyxy.tolist()]
    rows = [{"bbox": box, "area": box[2] * box[3]} for box in boxes]
    return rows if shapes is None else [row | shape for row, shape in zip(rows, shapes)]


def _of(label: int, class_ids: NDArray[np.integer], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of one class, numbered from 1: 0 would mean "no match"."""
    return [rows[i] | {"id": number} for number, i in enumerate(np.flatnonzero(class_ids == label), 1)]


def _joined(rows: list[tuple[int, Any]], images: int) -> Matches:
    objects = np.zeros(images, np.int64)
    for image, row in rows:
        objects[image] = np.count_nonzero(np.asarray(row["gtIgnore"]) == 0)
    counts = [len(row["dtScores"]) for _, row in rows]
    where = np.repeat(np.array([image for image, _ in rows], np.int64), counts)
    scores = np.array([score for _, row in rows for score in row["dtScores"]], np.float64)
    empty = np.zeros((len(IOUS), 0), np.bool_)
    hits = np.concatenate([empty, *(row["dtMatches"] > 0 for _, row in rows)], axis=1)
    ignored = np.concatenate([empty, *(np.asarray(row["dtIgnore"], np.bool_) for _, row in rows)], axis=1)
    order = np.argsort(-scores, kind="mergesort")
    return Matches(scores[order], where[order], hits[:, order], ignored[:, order], objects)


def average_precisions(
    found: Matches, counts: NDArray[np.integer] | None = None, levels: int = len(IOUS)
) -> NDArray[np.float64]:
    """Average precision of one class at the first ``levels`` of ``IOUS``, float64 (levels,); NaN without objects.

    Args:
        found: The class' matches.
        counts: Integers (images,): how often each image is taken; None is once.
        levels: 1 is IoU 0.5 alone.
    """
    weights = np.ones(len(found.objects)) if counts is None else counts.astype(np.float64)
    objects, each = float(weights @ found.objects), weights[found.images]
    if not objects > 0:
        return np.full(levels, np.nan)
    hits = np.cumsum(each * (found.hits & ~found.ignored)[:levels], axis=1)
    misses = np.cumsum(each * (~found.hits & ~found.ignored)[:levels], axis=1)
    precision = hits / (hits + misses + np.spacing(1))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # The precision at each recall asked for; 0 where it is not reached.
    precision = np.concatenate([precision, np.zeros((levels, 1))], axis=1)
    reached = [np.searchsorted(row, _RECALLS, side="left") for row in hits / objects]
    return np.array([row[places].mean() for row, places in zip(precision, reached)])
