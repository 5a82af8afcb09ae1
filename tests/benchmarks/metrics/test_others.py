"""Metrics of boxes, pixels, pairs and made images against pycocotools and scikit-learn."""

from __future__ import annotations

import contextlib
import dataclasses
import io

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn import metrics as sk

from edgevision.benchmarks.judges.detection import BoxFigures
from edgevision.benchmarks.judges.embedding import PairFigures
from edgevision.benchmarks.metrics.detection import Found, Shapes, average_precisions, match
from edgevision.benchmarks.metrics.generation import Distance, distance, mean_absolute, psnr
from edgevision.benchmarks.metrics.outlines import runs_of_mask, runs_of_outline
from edgevision.benchmarks.metrics.segmentation import counts_of, iou, mean_iou, pixel_table
from edgevision.benchmarks.metrics.verification import equal_error, roc, sorted_pairs, supported_rates, true_accepts
from edgevision.datasets import Boxes
from edgevision.datasets.outlines import Outline, _runs

CLASSES = 4  # the last has no objects


def _scene(seed: int, images: int = 25) -> tuple[list[Boxes], list[Found]]:
    """Objects, some of them crowds, and detections near them and elsewhere, with equal scores and too many of them."""
    random, truths, found = np.random.default_rng(seed), [], []
    for index in range(images):
        count = int(random.integers(0, 8))
        corner = random.uniform(0, 80, (count, 2))
        xyxy = np.concatenate([corner, corner + random.uniform(5, 40, (count, 2))], axis=1)
        crowd = random.uniform(size=count) < 0.15
        ids = random.integers(0, CLASSES - 1, count)
        truths.append(Boxes(xyxy, ids, crowd, crowd))
        near = np.repeat(xyxy, 2, axis=0) + random.normal(0, 3, (2 * count, 4))
        others = 130 if index == 3 else 5  # more than 100 of one class: the rest does not count
        corner = random.uniform(0, 80, (others, 2))
        boxes = np.concatenate([near, np.concatenate([corner, corner + random.uniform(5, 40, (others, 2))], axis=1)])
        boxes = np.sort(boxes.reshape(-1, 2, 2), axis=1).reshape(-1, 4)
        classes = np.concatenate([np.repeat(ids, 2), random.integers(0, CLASSES, others)])
        if index == 3:
            classes[-others:] = 1
        found.append(Found(boxes, np.round(random.uniform(0.05, 1, len(boxes)), 2), classes))
    return truths, found


def _reference(truths: list[Boxes], found: list[Found], size: tuple[int, int] | None = None) -> NDArray[np.float64]:
    """pycocotools from end to end: precision (10, 101, classes), -1 without objects; of masks if there is a size."""

    def listed(boxes: NDArray[np.floating]) -> list[list[float]]:
        return [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in boxes.tolist()]

    def made(rows: list[dict[str, object]]) -> COCO:
        coco = COCO()
        categories = [{"id": label, "name": str(label)} for label in range(CLASSES)]
        coco.dataset = {
            "images": [{"id": i, **dict(zip(("height", "width"), size or ()))} for i in range(len(truths))],
            "annotations": rows,
            "categories": categories,
        }
        coco.createIndex()
        return coco

    objects: list[dict[str, object]] = []
    seen: list[dict[str, object]] = []
    for image, (truth, boxes) in enumerate(zip(truths, found)):
        for i, (box, label, crowd) in enumerate(zip(listed(truth.xyxy), truth.class_ids.tolist(), truth.crowd)):
            row = {"id": len(objects) + 1, "image_id": image, "category_id": label, "bbox": box}
            row |= {"segmentation": truth.outlines[i]} if truth.outlines else {}
            objects.append({**row, "area": box[2] * box[3], "iscrowd": int(crowd)})
        for i, (box, label, score) in enumerate(zip(listed(boxes.xyxy), boxes.class_ids.tolist(), boxes.scores)):
            row = {"id": len(seen) + 1, "image_id": image, "category_id": label, "bbox": box}
            row |= boxes.shapes[i] if boxes.shapes else {}
            seen.append({**row, "area": box[2] * box[3], "score": float(score), "iscrowd": 0})
    with contextlib.redirect_stdout(io.StringIO()):
        judge = COCOeval(made(objects), made(seen), "segm" if size else "bbox")
        judge.evaluate()
        judge.accumulate()
    return np.asarray(judge.eval["precision"])[:, :, :, 0, -1]


@pytest.mark.parametrize("seed", [0, 1])
def test_average_precision_is_that_of_pycocotools(seed: int) -> None:
    truths, found = _scene(seed)
    expected = _reference(truths, found)
    assert (expected[:, :, 3] == -1).all() and 0.1 < expected[0, :, 0].mean() < 0.9
    figures = BoxFigures(match(truths, found, CLASSES), ("a", "b", "c", "d"), 0.5, len(truths))
    assert np.abs(figures.per_class[:3].T - expected[:, :, :3].mean(axis=1)).max() < 1e-12
    facts, known = figures.to_dict(), expected[:, :, :3]
    reference = (known.mean(), known[0].mean(), known[5].mean())
    assert (facts["ap"], facts["ap50"], facts["ap75"]) == pytest.approx(reference, abs=1e-12)
    assert facts["per_class"]["d"] == {"ap50": None, "ap": None, "objects": 0}
    assert facts["interval95"][0] < facts["ap50"] < facts["interval95"][1]


def _masked(truths: list[Boxes], found: list[Found], size: tuple[int, int]) -> tuple[list[Boxes], list[Found]]:
    """The scene with outlines: polygons of two parts, runs of crowds in both notations; ellipses as detections."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5

    def ellipse(box: NDArray[np.floating]) -> NDArray[np.bool_]:
        middle, half = (box[:2] + box[2:]) / 2, np.maximum(box[2:] - box[:2], 1) / 2
        inside: NDArray[np.bool_] = ((x - middle[0]) / half[0]) ** 2 + ((y - middle[1]) / half[1]) ** 2 <= 1
        return inside

    def outline(box: NDArray[np.floating], number: int, crowd: bool) -> Outline:
        x1, y1, x2, y2 = (float(value) for value in box)
        middle = (x1 + x2) / 2
        if not crowd:
            left, right = (
                [x1, y1, middle - 1, y1, middle - 1, y2, x1, y2],
                [middle + 1, y1, x2, (y1 + y2) / 2, middle, y2],
            )
            return [left, right]
        runs = runs_of_mask(ellipse(box))
        counts = runs["counts"].decode()
        return {"size": list(size), "counts": counts if number % 2 else _runs(counts)}

    outlined = [
        dataclasses.replace(t, outlines=tuple(outline(b, i, bool(c)) for i, (b, c) in enumerate(zip(t.xyxy, t.crowd))))
        for t in truths
    ]
    return outlined, [
        f._replace(shapes=[{"segmentation": runs_of_mask(ellipse(box))} for box in f.xyxy]) for f in found
    ]


def test_average_precision_of_masks_is_that_of_pycocotools() -> None:
    size = (110, 130)
    truths, found = _masked(*_scene(3), size)
    assert sum(t.crowd.sum() for t in truths) > 4
    masks = [[{"segmentation": runs_of_outline(each, size)} for each in truth.outlines or ()] for truth in truths]
    expected = _reference(truths, found, size)[:, :, :3].mean(axis=1)
    mine = np.stack([average_precisions(each) for each in match(truths, found, CLASSES, Shapes("segm", masks))[:3]])
    assert np.abs(mine.T - expected).max() < 1e-12
    boxes = np.stack([average_precisions(each) for each in match(truths, found, CLASSES)[:3]])
    assert np.abs(mine - boxes).max() > 0.05, "masks and boxes are judged apart"


def test_a_resample_is_as_if_images_were_there_so_often() -> None:
    truths, found = _scene(5, 12)
    counts = np.random.default_rng(0).integers(0, 3, 12)
    again = np.repeat(np.arange(12), counts)
    whole, repeated = match(truths, found, CLASSES), _reference([truths[i] for i in again], [found[i] for i in again])
    for label in range(3):
        mine = average_precisions(whole[label], counts)
        assert mine == pytest.approx(repeated[:, :, label].mean(axis=1), abs=1e-9)


def test_a_difficult_object_counts_neither_way() -> None:
    box, nothing = np.array([[0.0, 0, 10, 10]]), np.zeros(1, np.bool_)
    truth = [
        Boxes(np.concatenate([box, box + 50]), np.zeros(2, np.int64), np.array([True, False]), np.repeat(nothing, 2))
    ]
    inside = Found(np.concatenate([box, box + 50, box * 0.1]), np.array([0.9, 0.8, 0.7]), np.zeros(3, np.int64))
    (matches,) = match(truth, [inside], 1)
    # The small box inside the difficult one is wrong, as it would not be inside a crowd.
    assert matches.ignored[0].tolist() == [True, False, False]
    assert average_precisions(matches)[0] == pytest.approx(1)


def test_intersection_over_union_is_scikit_learns_jaccard_score() -> None:
    random = np.random.default_rng(2)
    truth, found = random.integers(0, 4, (2, 40, 50)).astype(np.uint8)
    found[:20] = truth[:20]
    truth[5:9], found[30:32, :7] = 255, 255  # not judged; not looked at
    counts = counts_of(pixel_table(truth, found, 6, 255))
    kept = truth != 255
    expected = sk.jaccard_score(truth[kept], found[kept], average=None, labels=range(4))
    assert iou(counts)[:4] == pytest.approx(expected, abs=1e-12) and np.isnan(iou(counts)[4:]).all()
    assert mean_iou(counts, np.arange(6)) == pytest.approx(expected.mean(), abs=1e-12)
    assert counts.hits.sum() / counts.there.sum() == pytest.approx(sk.accuracy_score(truth[kept], found[kept]))


def test_verification_is_read_from_scikit_learns_curve() -> None:
    random = np.random.default_rng(4)
    same = random.uniform(size=3000) < 0.2
    cosines = np.round(np.clip(random.normal(same * 0.4, 0.25), -1, 1), 2)  # with ties
    points = roc(sorted_pairs(cosines, same))
    fpr, tpr, _ = sk.roc_curve(same, cosines, drop_intermediate=False)
    assert points.false_accepts == pytest.approx(fpr, abs=1e-12)
    assert points.true_accepts == pytest.approx(tpr, abs=1e-12)
    grid = np.linspace(0, 1, 2_000_001)
    gap = np.abs(grid - (1 - np.interp(grid, fpr, tpr)))
    assert equal_error(points)[0] == pytest.approx(grid[gap.argmin()], abs=1e-6)
    assert true_accepts(points, 0.01) == tpr[fpr <= 0.01].max()
    assert supported_rates(999) == (0.1,) and supported_rates(1000) == (0.1, 0.01)
    counts = random.integers(0, 3, 3000)
    again = roc(sorted_pairs(np.repeat(cosines, counts), np.repeat(same, counts)))
    assert equal_error(roc(sorted_pairs(cosines, same), counts))[0] == pytest.approx(equal_error(again)[0], abs=1e-12)


def test_pairs_are_judged_at_the_bundles_threshold() -> None:
    cosines, same = np.array([0.9, 0.6, 0.55, 0.1]), np.array([True, False, True, False])
    pairs = np.array([[0, 1], [1, 2], [2, 3], [0, 3]])
    facts = PairFigures(cosines, same, pairs, 4, 0.5).to_dict()
    assert (facts["accuracy"], facts["balanced_accuracy"], facts["threshold_from"]) == (0.75, 0.75, "the bundle")
    assert facts["eer"] == 0.5 and facts["tar_at_far"] == {}
    assert PairFigures(cosines, same, pairs, 4, None).to_dict()["threshold_from"] == "this data"


def test_distance_of_images_is_in_grey_levels() -> None:
    reference = np.zeros((4, 5, 3), np.uint8)
    reference[0] = 200
    found = reference.copy()
    found[0] -= 4
    found[1, 0] += 2
    sums = distance(found, reference)
    assert mean_absolute(sums) == pytest.approx((15 * 4 + 3 * 2) / 60)
    assert sums.foreground / sums.foreground_values == 4
    assert psnr(sums) == pytest.approx(10 * np.log10(255**2 / ((15 * 16 + 3 * 4) / 60)))
    assert psnr(Distance(0, 0, 60, 0, 0)) == 999.0
