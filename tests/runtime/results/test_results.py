"""Results: arrays checked at birth, pictures, and the exchange with supervision."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgevision.runtime.drawing import color_of, ink_on
from edgevision.runtime.errors import ImageError, InputError, MissingPackageError, TensorError
from edgevision.runtime.results import Classification, Detections, GeneratedImage, Keypoints, SegmentationMap

BOXES = np.array([[2, 3, 8.5, 9], [10, 0, 30, 20]], np.float32)
SCORES, IDS = np.array([0.9, 0.5], np.float32), np.array([1, 0], np.int64)
MASKS = (np.eye(6, 7, dtype=bool), np.ones((20, 20), bool))
FOUND = Detections(BOXES, SCORES, IDS, ("cat", "dog"), (20, 30), MASKS)


@pytest.mark.parametrize(
    "change",
    [
        {"boxes": BOXES.astype(np.float64)},
        {"boxes": BOXES[:, :3]},
        {"boxes": BOXES.tolist()},
        {"scores": SCORES[:1]},
        {"class_ids": IDS.astype(np.int32)},
        {"class_ids": IDS + 1},
        {"class_ids": IDS - 1},
        {"masks": MASKS[:1]},
        {"masks": (MASKS[0], MASKS[1][1:])},
        {"masks": (MASKS[0].astype(np.uint8), MASKS[1])},
        {"keypoints": Keypoints(np.zeros((1, 1, 2), np.float32), np.zeros((1, 1), np.float32), ("a",), (20, 30))},
    ],
)
def test_detections_are_checked_at_birth(change: dict[str, Any]) -> None:
    values = {"boxes": BOXES, "scores": SCORES, "class_ids": IDS, "masks": MASKS, "keypoints": None, **change}
    with pytest.raises(TensorError) as caught:
        Detections(labels=("cat", "dog"), size=(20, 30), **values)
    assert caught.value.expected and caught.value.got


@pytest.mark.parametrize(
    "make",
    [
        lambda: SegmentationMap(np.full((2, 2), 2, np.uint8), ("a", "b")),
        lambda: SegmentationMap(np.zeros((2, 2), np.int64), ("a", "b")),
        lambda: SegmentationMap(np.zeros((2, 2), np.uint8), ("a", "b"), np.zeros((2, 3), np.float32)),
        lambda: Keypoints(np.zeros((1, 2, 2), np.float32), np.zeros((1, 2), np.float32), ("a",), (2, 2)),
        lambda: GeneratedImage(np.zeros((2, 2, 3), np.float32)),
        lambda: GeneratedImage(np.zeros((2, 2, 4), np.uint8)),
    ],
)
def test_other_results_are_too(make: Any) -> None:
    with pytest.raises(TensorError):
        make()


def test_detections_as_values_and_words() -> None:
    assert FOUND.line() == "1 dog, 1 cat  (dog 0.90, cat 0.50)" and FOUND.names == ["dog", "cat"] and len(FOUND) == 2
    first = FOUND.to_dict()["objects"][0]
    assert first == {"label": "dog", "class_id": 1, "score": 0.9, "box": [2.0, 3.0, 8.5, 9.0], "mask_pixels": 6}
    assert FOUND.mask(0).sum() == 6 and FOUND.mask(0)[3, 2] and FOUND.mask(0)[4, 3]


def test_a_picture_shows_what_was_found_and_the_image_stays() -> None:
    image = np.full((20, 30, 3), 128, np.uint8)
    large = Detections(BOXES * 20, SCORES, IDS, ("cat", "dog"), (400, 600))
    picture = np.asarray(large.draw(np.full((400, 600, 3), 128, np.uint8)))
    assert tuple(picture[170, 170 - 1]) == color_of(1) and tuple(picture[399, 500]) == color_of(0)
    assert tuple(picture[110, 100]) == (128, 128, 128)
    tinted = np.asarray(FOUND.draw(image))
    assert image.min() == image.max() == 128 and tinted.shape == image.shape
    shares = SegmentationMap(np.repeat([0, 1], 10).astype(np.uint8)[:, None].repeat(30, axis=1), ("a", "b"))
    rows = np.asarray(shares.draw(image))[:, 29].astype(int)
    assert (rows[5] == rows[6]).all() and (np.abs(rows[5] - rows[15]) > 20).any()
    with pytest.raises(ImageError, match="another size"):
        FOUND.draw(np.zeros((21, 30, 3), np.uint8))


def test_points_are_drawn_where_they_are_seen() -> None:
    xy = np.array([[[50, 50], [150, 50], [150, 150]]], np.float32)
    points = Keypoints(xy, np.array([[0.9, 0.8, 0.1]], np.float32), ("a", "b", "c"), (200, 200), ((0, 1), (1, 2)))
    picture = np.asarray(points.draw(np.zeros((200, 200, 3), np.uint8)))
    assert picture[50, 100].any() and not picture[100, 150].any() and not picture[150, 150].any()
    assert points.line() == "2 of 3 points"


def test_colours_are_told_apart_and_letters_are_legible() -> None:
    colors = [np.array(color_of(index), int) for index in range(20)]
    for index, color in enumerate(colors):
        assert all(np.abs(color - other).sum() > 40 for other in colors[:index])
        luma = [np.dot([0.299, 0.587, 0.114], each) for each in (color, ink_on(tuple(color)))]
        assert abs(luma[0] - luma[1]) > 90


def test_letters_of_any_script_are_drawn() -> None:
    found = Classification(np.array([0.9, 0.1], np.float32), ("Straße 犬", "b"))
    assert found.draw(np.zeros((60, 200, 3), np.uint8)).getpixel((2, 3)) != (0, 0, 0)


def test_there_and_back_by_supervisions_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", SimpleNamespace(Detections=SimpleNamespace))
    theirs = FOUND.to_supervision()
    assert theirs.xyxy.shape == (2, 4) and theirs.mask.shape == (2, 20, 30) and theirs.mask.dtype == bool
    assert theirs.data["class_name"].tolist() == ["dog", "cat"] and theirs.confidence.dtype == np.float32
    back = Detections.from_supervision(theirs, FOUND.labels, FOUND.size)
    assert back.to_dict() == FOUND.to_dict()
    np.testing.assert_array_equal(back.mask(0), FOUND.mask(0))
    bare = SimpleNamespace(xyxy=BOXES.astype(np.float64) + 5, mask=None, confidence=None, class_id=None)
    assert Detections.from_supervision(bare, ("car",), (20, 30)).to_dict()["objects"][1]["box"] == [15, 5, 30, 20]
    with pytest.raises(InputError, match="no classes"):
        Detections.from_supervision(bare, ("car", "bus"), (20, 30))
    with pytest.raises(InputError, match="masks"):
        Detections.from_supervision(theirs, FOUND.labels, (20, 31))
    empty = Detections.from_supervision(SimpleNamespace(**{**vars(bare), "xyxy": np.empty((0, 4))}), ("car",), (20, 30))
    assert len(empty) == 0
    nothing = Detections(BOXES[:0], SCORES[:0], IDS[:0], ("car",), (20, 30), ())
    assert nothing.to_supervision().mask.shape == (0, 20, 30)


def test_without_supervision_the_install_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MissingPackageError, match="pip install supervision"):
        FOUND.to_supervision()
