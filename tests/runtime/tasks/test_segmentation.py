"""Coarse maps to the class of every source pixel, against a loop over pixels."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgevision.runtime.errors import BundleError, InputError, TensorError
from edgevision.runtime.heads.maps import SegmentationHead
from edgevision.runtime.preprocess import geometry
from edgevision.runtime.results.segmentation import UNSEEN
from edgevision.runtime.spec import Preprocessing
from tests.runtime.tasks.answers import answer, logit

RANDOM = np.random.default_rng(2)
LOGITS = RANDOM.normal(size=(1, 6, 8, 3)).astype(np.float32)


def by_pixel(cells: NDArray[Any], size: tuple[int, int], p: Preprocessing) -> NDArray[np.uint8]:
    """The class of the cell that each pixel's centre lies in."""
    place, out = geometry(size, p), np.full(size, UNSEEN, np.uint8)
    (top, left, height, width), target = place.source, place.target
    for y in range(top, top + height):
        for x in range(left, left + width):
            down, right = Fraction(2 * (y - top) + 1, 2 * height), Fraction(2 * (x - left) + 1, 2 * width)
            row = (down * target.height + target.top) * cells.shape[0] / p.height
            column = (right * target.width + target.left) * cells.shape[1] / p.width
            out[y, x] = cells[int(row), int(column)]
    return out


@pytest.mark.parametrize("policy", ["stretch", "letterbox", "crop"])
@pytest.mark.parametrize("size", [(37, 53), (96, 128), (1, 9)])
def test_every_pixel_has_the_class_of_its_cell(policy: Any, size: tuple[int, int]) -> None:
    p = Preprocessing(96, 128, resize=policy)
    found = answer(SegmentationHead(), {"map": LOGITS}, size, preprocessing=p)
    np.testing.assert_array_equal(found.classes, by_pixel(LOGITS[0].argmax(axis=2), size, p))


def test_layouts_scores_and_classes_are_the_same_map() -> None:
    size, expected = (48, 64), answer(SegmentationHead(), {"map": LOGITS}, (48, 64)).classes
    moved = np.ascontiguousarray(LOGITS.transpose(0, 3, 1, 2))
    classes = LOGITS.argmax(axis=3).astype(np.int32)
    for head, output in (
        (SegmentationHead(layout="nchw"), moved),
        (SegmentationHead(scores="sigmoid_logits"), LOGITS),
        (SegmentationHead(scores="classes"), classes),
        (SegmentationHead(scores="classes"), classes[..., None]),
    ):
        np.testing.assert_array_equal(answer(head, {"map": output}, size).classes, expected)


def test_scores_are_the_probability_of_the_chosen_class() -> None:
    found = answer(SegmentationHead(keep_scores=True), {"map": LOGITS}, (12, 16))
    powers = np.exp(LOGITS[0].astype(np.float64))
    shares = (powers / powers.sum(axis=2, keepdims=True)).max(axis=2)
    np.testing.assert_allclose(found.scores, shares.repeat(2, axis=0).repeat(2, axis=1), rtol=1e-5)


def test_one_sigmoid_is_the_second_of_two_labels() -> None:
    output = logit([[[[0.2], [0.6]], [[0.8], [0.4]]]])
    head = SegmentationHead(scores="sigmoid_logits", score_threshold=0.5, keep_scores=True)
    found = answer(head, {"map": output}, (2, 2), labels=("back", "front"), preprocessing=Preprocessing(8, 8))
    assert found.classes.tolist() == [[0, 1], [1, 0]]
    np.testing.assert_allclose(found.scores, [[0.8, 0.6], [0.8, 0.6]], rtol=1e-5)
    assert found.mask("front").tolist() == [[False, True], [True, False]]
    strict = answer(head, {"map": output}, (2, 2), labels=("back", "front"), score_threshold=0.7)
    assert strict.shares == {"back": 0.75, "front": 0.25}


@pytest.mark.parametrize("policy", ["stretch", "letterbox", "crop"])
def test_interpolation_puts_a_straight_edge_where_it_is(policy: Any) -> None:
    """Two classes whose probabilities cross at a third of the source's width: nearest knows cells of 16 pixels only."""
    size, p = (90, 210), Preprocessing(64, 96, resize=policy)
    place = geometry(size, p)
    edge = place.source.left + place.source.width / 3
    on_input = (edge - place.source.left) * place.target.width / place.source.width + place.target.left
    centers = (np.arange(6) + 0.5) * 16
    share = np.clip(0.5 + (centers - on_input) / 100, 0, 1).astype(np.float32)
    output = np.broadcast_to(np.stack([1 - share, share], axis=1), (1, 4, 6, 2)).astype(np.float32)
    head = SegmentationHead(scores="probabilities", upsample="bilinear", keep_scores=True)
    found = answer(head, {"map": output}, size, labels=("left", "right"), preprocessing=p)
    seen = slice(place.source.left, place.source.left + place.source.width)
    assert ((found.classes[:, seen] == 1) == (np.arange(210)[seen] + 0.5 > edge)).mean() > 0.99
    assert (found.classes == UNSEEN).mean() == pytest.approx(1 - place.source.width / 210)
    assert (found.scores[:, seen] >= 0.5 - 1e-6).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(BundleError, match="3 channels"):
        answer(SegmentationHead(), {"map": LOGITS[..., :2]})
    with pytest.raises(BundleError, match="number of classes"):
        answer(SegmentationHead(), {"map": LOGITS[..., :1]}, labels=("one",))
    with pytest.raises(TensorError, match="no label"):
        answer(SegmentationHead(scores="classes"), {"map": np.full((1, 6, 8), 3, np.int32)})
    with pytest.raises(TensorError, match="finite"):
        answer(SegmentationHead(), {"map": LOGITS * np.float32(np.inf)})
    with pytest.raises(InputError, match="no scores"):
        SegmentationHead(scores="classes", keep_scores=True)
