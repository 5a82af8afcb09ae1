"""Each kind of detector's head against its formula, and the way back to the source."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgevision.runtime.errors import BundleError, InputError, TensorError
from edgevision.runtime.heads.anchors import AnchorLevel, Anchors, ssd_anchors
from edgevision.runtime.heads.detection import (
    CenterNetHead,
    DetectionHead,
    FcosHead,
    PostprocessedHead,
    SsdHead,
    YoloHead,
)
from edgevision.runtime.spec import Preprocessing, QuantParams
from edgevision.runtime.tasks.centernet import peaks
from tests.runtime.tasks.answers import Arrays, answer, floats, logit, predictor_of

ROWS = [[64, 48, 32, 24, 0.1, 0.9, 0.2], [20, 20, 10, 10, 0.6, 0.1, 0.1], [64, 49, 32, 24, 0.1, 0.8, 0.1]]
YOLO = YoloHead(output="rows", layout="rows", score_threshold=0.5)


def test_yolo_rows_are_boxes_in_source_pixels() -> None:
    found = answer(YOLO, {"rows": floats(*ROWS)}, (192, 128))
    np.testing.assert_allclose(found.boxes, [[48, 72, 80, 120], [15, 30, 25, 50]])
    np.testing.assert_allclose(found.scores, [0.9, 0.6])
    assert found.names == ["dog", "cat"] and found.size == (192, 128)


@pytest.mark.parametrize("layout", ["rows", "columns"])
@pytest.mark.parametrize("order", ["xywh", "xyxy"])
@pytest.mark.parametrize("unit", ["pixels", "unit"])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("kind", ["probabilities", "sigmoid_logits"])
def test_every_form_of_yolo_is_the_same_objects(layout: Any, order: Any, unit: Any, apart: bool, kind: Any) -> None:
    rows = np.array([ROWS], np.float64)
    if order == "xyxy":
        center, half = rows[..., :2].copy(), rows[..., 2:4] / 2
        rows[..., :2], rows[..., 2:4] = center - half, center + half
    rows[..., :4] /= [128, 96, 128, 96] if unit == "unit" else 1
    rows[..., 4:] = logit(rows[..., 4:]) if kind == "sigmoid_logits" else rows[..., 4:]
    outputs = {"rows": rows[..., :4], "scores": rows[..., 4:]} if apart else {"rows": rows}
    outputs = {k: (v if layout == "rows" else v.transpose(0, 2, 1)).astype(np.float32) for k, v in outputs.items()}
    head = YoloHead(
        output="rows", scores="scores" if apart else None, layout=layout, order=order, unit=unit, score_kind=kind
    )
    found, expected = answer(head, outputs), answer(YOLO, {"rows": floats(*ROWS)})
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
    assert found.names == expected.names


def test_objectness_is_multiplied_and_every_class_may_be_asked_for() -> None:
    row = floats([64, 48, 32, 24, 0.8, 0.5, 0.9, 0.75])
    head = YoloHead(layout="rows", objectness=True, score_threshold=0.6, every_class=True)
    found = answer(head, {"rows": row})
    assert found.names == ["dog", "bird"]
    np.testing.assert_allclose(found.scores, [0.72, 0.6], rtol=1e-6)
    best = answer(YoloHead(layout="rows", objectness=True, score_threshold=0.6), {"rows": row})
    assert best.names == ["dog"]


def ssd_by_hand(deltas: Any, anchor: Any, variances: Any, size: tuple[int, int]) -> list[float]:
    y, x, h, w = (float(d) for d in deltas)
    cx, cy, aw, ah = (float(a) for a in anchor)
    cx, cy = cx + x * variances[0] * aw, cy + y * variances[1] * ah
    w, h = aw * math.exp(w * variances[2]), ah * math.exp(h * variances[3])
    box = [(cx - w / 2) * size[1], (cy - h / 2) * size[0], (cx + w / 2) * size[1], (cy + h / 2) * size[0]]
    return [min(max(value, 0), limit) for value, limit in zip(box, (size[1], size[0]) * 2)]


@pytest.mark.parametrize("kind", ["sigmoid_logits", "logits", "probabilities"])
@pytest.mark.parametrize("stored", [False, True])
def test_ssd_is_its_formula(kind: Any, stored: bool) -> None:
    random = np.random.default_rng(1)
    anchors = ssd_anchors([(4, 4), (2, 2)], ratios=(1.0, 2.0, 0.5))
    boxes = anchors.boxes()
    assert boxes.shape == (4 * 4 * 3 + 2 * 2 * 4, 4)
    deltas, scores = random.normal(size=(1, 64, 4)), random.normal(0, 2, (1, 64, 4))
    powers = np.exp(scores - scores.max(axis=2, keepdims=True))
    shares = {"sigmoid_logits": 1 / (1 + np.exp(-scores)), "logits": powers / powers.sum(axis=2, keepdims=True)}
    if kind == "probabilities":
        scores = shares["logits"]
    share = shares.get(kind, scores)[0, :, 1:]
    head = SsdHead(
        boxes=("deltas",),
        scores=("scores",),
        anchors=Anchors.of(boxes) if stored else anchors,
        score_kind=kind,
        score_threshold=0.5,
        iou_threshold=None,
    )
    found = answer(head, {"deltas": deltas.astype(np.float32), "scores": scores.astype(np.float32)})
    wanted: list[Any] = [(share[i, c], c, i) for i in range(64) for c in range(3) if share[i, c] >= 0.5]
    wanted = sorted(wanted, key=lambda item: -item[0])
    assert len(wanted) > 5
    np.testing.assert_allclose(found.scores, [item[0] for item in wanted], atol=1e-6)
    assert found.class_ids.tolist() == [item[1] for item in wanted]
    expected: Any = [ssd_by_hand(deltas[0, i], boxes[i], (0.1, 0.1, 0.2, 0.2), (96, 128)) for _, _, i in wanted]
    np.testing.assert_allclose(found.boxes, expected, atol=1e-3)


def test_ssd_anchors_are_the_papers() -> None:
    """Liu et al.: scales evenly from smallest to largest, width s * sqrt(ratio), centres in the middle of cells."""
    anchors = ssd_anchors([(3, 3), (1, 2)], smallest=0.2, largest=0.9, ratios=(1.0, 2.0), fewer_on_lowest=False).boxes()
    assert anchors.shape == (3 * 3 * 3 + 2 * 3, 4)
    root = math.sqrt(2)
    np.testing.assert_allclose(anchors[0], [1 / 6, 1 / 6, 0.2, 0.2], rtol=1e-6)
    np.testing.assert_allclose(anchors[1], [1 / 6, 1 / 6, 0.2 * root, 0.2 / root], rtol=1e-6)
    np.testing.assert_allclose(anchors[2, 2:], [math.sqrt(0.2 * 0.9)] * 2, rtol=1e-6)
    np.testing.assert_allclose(anchors[-3], [0.75, 0.5, 0.9, 0.9], rtol=1e-6)


def test_ssd_outputs_of_several_maps_follow_the_anchors() -> None:
    levels = (AnchorLevel(rows=2, columns=2, sizes=((0.5, 0.5),)), AnchorLevel(rows=1, columns=1, sizes=((0.9, 0.9),)))
    scores = {"s0": np.full((1, 2, 2, 3), -9, np.float32), "s1": np.full((1, 1, 1, 3), -9, np.float32)}
    scores["s0"][0, 1, 0, 1], scores["s1"][0, 0, 0, 2] = 3, 2
    outputs = {"b0": np.zeros((1, 2, 2, 4), np.float32), "b1": np.zeros((1, 1, 1, 4), np.float32), **scores}
    head = SsdHead(boxes=("b0", "b1"), scores=("s0", "s1"), anchors=Anchors(levels=levels), background=False)
    found = answer(head, outputs)
    np.testing.assert_allclose(found.boxes, [[0.0, 48, 64, 96], [6.4, 4.8, 121.6, 91.2]], rtol=1e-5)
    assert found.names == ["dog", "bird"]


def test_fcos_is_distances_from_cell_centres() -> None:
    sides, scores = np.zeros((1, 3, 4, 4), np.float32), np.full((1, 3, 4, 3), -9, np.float32)
    sides[0, 1, 2], scores[0, 1, 2, 1] = [10, 20, 30, 5], logit(0.81)
    center = np.full((1, 3, 4, 1), logit(0.64), np.float32)
    fine = {"b1": np.zeros((1, 6, 8, 4), np.float32), "s1": np.full((1, 6, 8, 3), -9, np.float32)}
    outputs = {"b0": sides, "s0": scores, "c0": center, **fine, "c1": np.zeros((1, 6, 8, 1), np.float32)}
    names: dict[str, Any] = {"boxes": ("b0", "b1"), "scores": ("s0", "s1"), "centerness": ("c0", "c1")}
    found = answer(FcosHead(strides=(32, 16), **names), outputs)
    np.testing.assert_allclose(found.boxes, [[80 - 10, 48 - 20, 80 + 30, 48 + 5]])
    np.testing.assert_allclose(found.scores, [0.72], rtol=1e-5)  # the root of 0.81 * 0.64
    moved = {name: np.ascontiguousarray(value.transpose(0, 3, 1, 2)) for name, value in outputs.items()}
    moved["b0"] /= 32
    other = answer(FcosHead(strides=(32, 16), layout="nchw", unit="strides", **names), moved)
    np.testing.assert_allclose(other.boxes, found.boxes, rtol=1e-6)


def test_centernet_boxes_stand_on_peaks() -> None:
    heat = np.full((1, 12, 16, 3), 0.05, np.float32)
    heat[0, 4, 5], heat[0, 4, 6], heat[0, 11, 15] = [0.1, 0.9, 0.8], [0.1, 0.7, 0.2], [0.6, 0.1, 0.1]
    sizes, offsets = np.zeros((1, 12, 16, 2), np.float32), np.zeros((1, 12, 16, 2), np.float32)
    sizes[0, 4, 5], offsets[0, 4, 5] = [4, 2], [0.25, 0.75]
    sizes[0, 11, 15], offsets[0, 11, 15] = [2, 2], [0.5, 0.5]
    outputs = {"heat": heat, "sizes": sizes, "offsets": offsets}
    head = CenterNetHead(heatmap="heat", sizes="sizes", offsets="offsets", score_kind="sigmoid", score_threshold=0.3)
    found = answer(head, outputs)
    # Cells are 8 pixels; dog at (5, 4) hides (6, 4), and bird at the same cell is a peak of its own.
    assert found.names == ["dog", "bird", "cat"]
    np.testing.assert_allclose(found.boxes[0], [42 - 16, 38 - 8, 42 + 16, 38 + 8])
    np.testing.assert_allclose(found.boxes[2], [124 - 8, 92 - 8, 128, 96])
    raw = CenterNetHead(heatmap="heat", sizes="sizes", offsets="offsets", score_threshold=0.3)
    same = answer(raw, {**outputs, "heat": logit(heat)})
    np.testing.assert_allclose(same.scores, found.scores, rtol=1e-5)
    np.testing.assert_array_equal(same.boxes, found.boxes)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 6)])
def test_peaks_are_equal_to_a_3x3_maximum(shape: tuple[int, int]) -> None:
    heat = (np.random.default_rng(3).integers(0, 5, (*shape, 2)) / 4).astype(np.float32)  # plateaus too
    expected = []
    for y, x, c in np.ndindex(*heat.shape):
        near = heat[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2, c]
        if heat[y, x, c] >= 0.5 and heat[y, x, c] == near.max():
            expected.append((y, x, c))
    assert list(zip(*(part.tolist() for part in peaks(heat, 0.5)))) == expected


def test_postprocessed_boxes_are_taken_as_they_are() -> None:
    outputs = {
        "boxes": floats([0.25, 0.5, 0.75, 1.1], [0.0, 0.0, 0.5, 0.25], [0.0, 0.0, 1.0, 1.0]),
        "classes": floats(1, 2, 0),
        "scores": floats(0.9, 0.5, 0.8),
        "count": np.array([2], np.float32),
    }
    head = PostprocessedHead(boxes="boxes", classes="classes", scores="scores", count="count")
    found = answer(head, outputs, (100, 200))
    np.testing.assert_allclose(found.boxes, [[100, 25, 200, 75], [0, 0, 50, 50]])
    assert found.names == ["dog", "bird"]  # the third row is not filled
    shifted = PostprocessedHead(boxes="boxes", classes="classes", scores="scores", first_class=1)
    with pytest.raises(TensorError, match="no label"):
        answer(shifted, outputs)


def test_end_to_end_rows_hold_score_and_class() -> None:
    rows = floats([10, 20, 30, 40, 0.9, 2], [10, 20, 31, 41, 0.8, 2], [0, 0, 0, 0, 0, 0])
    head = PostprocessedHead(boxes="rows", order="xyxy", unit="pixels")
    found = answer(head, {"rows": rows})
    assert found.names == ["bird", "bird"] and found.boxes[0].tolist() == [10, 20, 30, 40]


def test_quantised_outputs_are_made_real_first() -> None:
    stored = np.array([[[64, 48, 32, 24], [20, 20, 10, 10]]], np.uint8)
    scores = np.array([[[-128, 127, -128], [26, -128, -128]]], np.int8)
    head = YoloHead(output="boxes", scores="scores", layout="rows")
    quant = {"boxes": QuantParams(0.5, 0), "scores": QuantParams(1 / 255, -128)}
    found = answer(head, {"boxes": stored, "scores": scores}, quant=quant)
    np.testing.assert_allclose(found.boxes, [[24.0, 18, 40, 30], [7.5, 7.5, 12.5, 12.5]])
    np.testing.assert_allclose(found.scores, [1, 154 / 255])


# --- the way back --------------------------------------------------------------------------------------------------


def forward(box: NDArray[Any], size: tuple[int, int], p: Preprocessing) -> Any:
    """Source pixels to the model's input, from what the policies mean."""
    (rows, columns), out = size, box.copy()
    if p.resize == "stretch":
        return out * ([p.width / columns, p.height / rows] * 2)
    if p.resize == "letterbox":
        scale = min(p.height / rows, p.width / columns)
        height, width = max(1, round(rows * scale)), max(1, round(columns * scale))
        left, top = (p.width - width) // 2, (p.height - height) // 2
        return out * ([width / columns, height / rows] * 2) + ([left, top] * 2)
    height, width = max(1, min(rows, columns * p.height // p.width)), max(1, min(columns, rows * p.width // p.height))
    return (out - ([(columns - width) // 2, (rows - height) // 2] * 2)) * ([p.width / width, p.height / height] * 2)


@pytest.mark.parametrize("policy", ["stretch", "letterbox", "crop"])
def test_boxes_come_back_to_where_they_were(policy: Any) -> None:
    random = np.random.default_rng(5)
    for _ in range(60):
        size = (int(random.integers(1, 2000)), int(random.integers(1, 2000)))
        p = Preprocessing(int(random.integers(16, 700)), int(random.integers(16, 700)), resize=policy)
        corner = random.uniform(0, 0.9, (5, 2))
        box = np.concatenate([corner, corner + random.uniform(0.05, 0.1, (5, 2))], axis=1) * ([size[1], size[0]] * 2)
        rows = np.concatenate([forward(box, size, p), np.tile([0.9, 0.1, 0.1], (5, 1))], axis=1)
        head = YoloHead(layout="rows", order="xyxy", iou_threshold=None)
        found = answer(head, {"rows": rows[None].astype(np.float32)}, size, preprocessing=p)
        np.testing.assert_allclose(found.boxes, box, atol=1e-3)


def test_geometry_is_that_of_the_pixels() -> None:
    """A white rectangle in a photo of odd size: its edges on the model's input lead back to where it is."""
    image = np.zeros((333, 517, 3), np.uint8)
    image[100:200, 50:300] = 255
    p = Preprocessing(160, 160, resize="letterbox", fill=0)
    predictor = predictor_of(YOLO, {"rows": floats(*ROWS)}, preprocessing=p)
    (feed,) = predictor.preprocess(image).values()
    shares = feed[0, :, :, 0] / 255.0
    row, column = shares[int(150 * 160 / 517) + 28], shares[:, 50]
    left, top = column_start(row), column_start(column)
    box = floats([left, top, left + row.sum(), top + column.sum(), 0.9, 0.1, 0.1])
    head = YoloHead(layout="rows", order="xyxy")
    found = answer(head, {"rows": box}, (333, 517), preprocessing=p)
    np.testing.assert_allclose(found.boxes[0], [50, 100, 300, 200], atol=0.5)


def column_start(line: NDArray[Any]) -> float:
    """Where a bar with soft edges begins: its centre of mass less half its mass."""
    return float(((np.arange(len(line)) + 0.5) * line).sum() / line.sum() - line.sum() / 2)


def test_boxes_are_clipped_and_what_lies_outside_is_left_out() -> None:
    rows = floats([0, 48, 40, 24, 0.9, 0.1, 0.1], [128, 90, 40, 40, 0.8, 0.1, 0.1], [60, 5, 20, 9, 0.7, 0.1, 0.1])
    p = Preprocessing(96, 128, resize="letterbox")
    found = answer(YOLO, {"rows": rows}, (50, 100), preprocessing=p)  # 16 rows of border above and below
    assert len(found) == 2 and (found.boxes[:, 2] <= 100).all() and (found.boxes[:, 3] <= 50).all()
    assert found.boxes[0, 0] == 0 and found.boxes[1, 2] == 100


# --- thresholds, empty and malformed --------------------------------------------------------------------------------


def test_thresholds_of_the_call_replace_the_heads() -> None:
    outputs = {"rows": floats(*ROWS)}
    assert len(answer(YOLO, outputs)) == 2
    assert len(answer(YOLO, outputs, score_threshold=0.85)) == 1
    assert len(answer(YOLO, outputs, iou_threshold=0.99)) == 3
    wrong: list[Any] = [{"score_threshold": 1.5}, {"iou_threshold": -0.1}]
    for options in wrong:
        with pytest.raises(InputError, match="threshold"):
            answer(YOLO, outputs, **options)
    with pytest.raises(InputError, match="no iou_threshold"):
        answer(None, {"scores": floats(1, 2, 3)}, scores="logits", iou_threshold=0.5)


def test_only_the_best_are_kept() -> None:
    head = YoloHead(layout="rows", max_detections=2, max_candidates=3, iou_threshold=None, score_threshold=0.1)
    rows = np.concatenate([np.full((9, 4), 20), np.linspace(0.1, 0.9, 9)[:, None], np.zeros((9, 2))], axis=1)
    found = answer(head, {"rows": rows[None].astype(np.float32)})
    np.testing.assert_allclose(found.scores, [0.9, 0.8], rtol=1e-5)


HEADS: list[tuple[DetectionHead, Arrays]] = [
    (YOLO, {"rows": np.zeros((1, 5, 7), np.float32)}),
    (
        SsdHead(boxes=("b",), scores=("s",), anchors=Anchors.of(np.full((6, 4), 0.5))),
        {"b": np.zeros((1, 6, 4), np.float32), "s": np.full((1, 6, 4), -9, np.float32)},
    ),
    (
        FcosHead(strides=(32,), boxes=("b",), scores=("s",)),
        {"b": np.zeros((1, 3, 4, 4), np.float32), "s": np.full((1, 3, 4, 3), -9, np.float32)},
    ),
    (
        CenterNetHead(heatmap="h", sizes="z"),
        {"h": np.full((1, 6, 8, 3), -9, np.float32), "z": np.zeros((1, 6, 8, 2), np.float32)},
    ),
    (
        PostprocessedHead(boxes="b", classes="c", scores="s", count="n"),
        {
            "b": np.zeros((1, 6, 4), np.float32),
            "c": np.full((1, 6), 77, np.float32),
            "s": np.zeros((1, 6), np.float32),
            "n": np.zeros(1, np.float32),
        },
    ),
]


@pytest.mark.parametrize(("head", "outputs"), HEADS, ids=[head.kind for head, _ in HEADS])
def test_nothing_found_is_no_error_and_malformed_outputs_are(head: DetectionHead, outputs: Arrays) -> None:
    predictor = predictor_of(head, outputs)
    found = predictor.postprocess(outputs, (96, 128))
    assert len(found) == 0 and found.boxes.shape == (0, 4) and found.line() == "nothing"
    assert found.to_dict() == {"size": [96, 128], "objects": []}
    for name, value in outputs.items():
        for bad in (np.full_like(value, np.nan), value[..., None], value.astype(np.float64)):
            with pytest.raises(TensorError, match=name):
                predictor.postprocess({**outputs, name: bad}, (96, 128))
        with pytest.raises(BundleError) as caught:
            predictor_of(head, {**outputs, name: np.zeros((1, 2, 5, 11), np.float32)})
        assert caught.value.expected and caught.value.got
        with pytest.raises(BundleError):
            predictor_of(head, {"other": value, **{k: v for k, v in outputs.items() if k != name}})
