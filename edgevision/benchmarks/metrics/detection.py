"""COCO's mean average precision. Objects are matched by pycocotools; its sum over images is repeated here with weights.

Lin, T.-Y. et al. (2014), Microsoft COCO: common objects in context. The weights are what a bootstrap over images needs;
with all of them 1 the figures are those of pycocotools to the last digits, which a test holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import Boxes
from edgevision.runtime.errors import MissingPackageError

#: Intersections over union that count as found, 0.5 to 0.95.
IOUS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
#: Most detections per image and class.
MOST = 100
_RECALLS: NDArray[np.float64] = np.linspace(0.0, 1.0, 101)
_ANY_AREA = (0.0, 1e10)


class Found(NamedTuple):
    """What a model found in one image.

    Attributes:
        xyxy: float (n, 4), pixels of the image.
        scores: float (n,), 0..1.
        class_ids: int (n,).
    """

    xyxy: NDArray[np.floating]
    scores: NDArray[np.floating]
    class_ids: NDArray[np.integer]


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


def match(truths: Sequence[Boxes], found: Sequence[Found], classes: int) -> tuple[Matches, ...]:
    """Which detections are which objects, per class.

    Args:
        truths: The objects of each image.
        found: The detections in each image, in the same order.
        classes: How many classes there are.

    Raises:
        MissingPackageError: pycocotools is not installed.
    """
    try:
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise MissingPackageError("pycocotools", "to match boxes", "metrics") from error
    judge = COCOeval(iouType="bbox")
    judge.params.iouThrs, judge.params.maxDets = IOUS, [MOST]
    cells: list[list[tuple[int, Any]]] = [[] for _ in range(classes)]
    for image, (truth, seen) in enumerate(zip(truths, found)):
        for label in np.union1d(truth.class_ids, seen.class_ids).tolist():
            cells[label].append((image, _matched(judge, (image, label), truth, seen)))
    return tuple(_joined(rows, len(truths)) for rows in cells)


def _matched(judge: Any, key: tuple[int, int], truth: Boxes, seen: Found) -> Any:
    """pycocotools' answer for one image and class."""
    objects = np.flatnonzero(truth.class_ids == key[1])
    named = np.flatnonzero(seen.class_ids == key[1])
    judge._gts[key] = [
        {"id": number, "iscrowd": int(truth.crowd[i]), "ignore": int(truth.ignored[i]), **_box(truth.xyxy[i])}
        for number, i in enumerate(objects, 1)  # 0 would mean "no match"
    ]
    judge._dts[key] = [
        {"id": number, "score": float(seen.scores[i]), **_box(seen.xyxy[i])} for number, i in enumerate(named, 1)
    ]
    judge.ious[key] = judge.computeIoU(*key)
    return judge.evaluateImg(*key, _ANY_AREA, MOST)


def _box(xyxy: NDArray[np.floating]) -> dict[str, Any]:
    left, top, right, bottom = map(float, xyxy)
    return {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}


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
