"""Masks of prototypes and of boxes, against what each pixel should be."""

from __future__ import annotations

import numpy as np
import pytest

from edgevision.runtime.errors import BundleError
from edgevision.runtime.heads.detection import PostprocessedHead, YoloHead
from edgevision.runtime.heads.masks import BoxMasksHead, PrototypeMasksHead
from edgevision.runtime.spec import Preprocessing
from edgevision.runtime.tasks.instance_masks import bilinear
from tests.runtime.tasks.answers import answer, floats


@pytest.mark.parametrize("policy", ["stretch", "letterbox", "crop"])
def test_prototypes_are_weighed_and_cut_at_the_box(policy: str) -> None:
    """One prototype says "left of x = 100 of the source", the other "above y = 60"; two objects want one each."""
    size, p = (120, 180), Preprocessing(96, 96, resize=policy)  # type: ignore[arg-type]
    scale_x, scale_y = {"stretch": (96 / 180, 0.8), "letterbox": (96 / 180, 96 / 180), "crop": (0.8, 0.8)}[policy]
    left, top = {"stretch": (0, 0), "letterbox": (0, 16), "crop": (-30 * 0.8, 0)}[policy]
    y, x = (np.mgrid[:24, :24] + 0.5) * 4
    prototypes = np.stack([100 * scale_x + left - x, 60 * scale_y + top - y], axis=2)[None].astype(np.float32)
    box = np.array([50, 30, 140, 90.5])
    corners = box * np.tile([scale_x, scale_y], 2) + [left, top] * 2
    rows = np.array([[[*corners, 0.9, 0.1, 1, 0], [*corners, 0.1, 0.8, 0, 1]]], np.float32)
    detector = YoloHead(output="rows", layout="rows", order="xyxy")
    head = PrototypeMasksHead(detector=detector, prototypes="protos")
    outputs = {"rows": rows, "protos": prototypes}
    found = answer(head, outputs, size, labels=("a", "b"), preprocessing=p)
    np.testing.assert_allclose(found.boxes, [box, box], atol=1e-3)
    full = np.stack([found.mask(0), found.mask(1)])
    assert full.shape == (2, 120, 180)
    expected = np.zeros_like(full)
    expected[0, 30:91, 50:100], expected[1, 30:60, 50:140] = True, True
    assert (full != expected).mean() < 0.002
    assert found.to_dict()["objects"][0]["mask_pixels"] == int(found.masks[0].sum()) > 2900
    with pytest.raises(BundleError, match="rows"):
        answer(head, {**outputs, "protos": prototypes[..., :1]}, size, labels=("a", "b"), preprocessing=p)


def test_masks_of_boxes_keep_their_place_where_the_box_is_clipped() -> None:
    """The box hangs over the left edge by half: its left half, which the mask excludes, is not there to be seen."""
    masks = np.zeros((1, 2, 4, 4), np.float32)
    masks[0, 1, :, 2:], masks[0, 1, :2, :] = 1, 0
    outputs = {
        "boxes": floats([0, 0, 0.1, 0.1], [0.25, -0.25, 0.75, 0.25]),
        "classes": floats(0, 1),
        "scores": floats(0.1, 0.9),
        "masks": masks,
    }
    head = BoxMasksHead(detector=PostprocessedHead(boxes="boxes", classes="classes", scores="scores"), masks="masks")
    found = answer(head, outputs, (80, 160))
    assert found.boxes.tolist() == [[0, 20, 40, 60]] and found.names == ["dog"]
    expected = np.zeros((80, 160), bool)
    expected[40:60, 0:40] = True
    assert (found.mask(0) != expected).sum() <= 40  # half probabilities along the inner edge
    with pytest.raises(BundleError, match=r"\(1, 2, h, w\)"):
        answer(head, {**outputs, "masks": masks[:, :1]})


def test_bilinear_is_exact_at_centres_and_halfway() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    found = bilinear(values, np.array([0.5, 1.0, 99.0]), np.array([-5.0, 2.0, 3.5]))
    np.testing.assert_allclose(found, [[0, 1.5, 3], [2, 3.5, 5], [8, 9.5, 11]])
