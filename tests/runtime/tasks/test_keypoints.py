"""Points from heatmaps, from coordinates and from detectors' rows."""

from __future__ import annotations

import numpy as np
import pytest

from edgevision.runtime.errors import BundleError, InputError, TensorError
from edgevision.runtime.heads.detection import YoloHead
from edgevision.runtime.heads.keypoints import DirectKeypointsHead, HeatmapKeypointsHead, InstanceKeypointsHead
from edgevision.runtime.spec import Preprocessing
from tests.runtime.tasks.answers import answer, floats, logit

NAMES = ("nose", "tail")


def test_heatmaps_point_a_quarter_towards_the_higher_neighbour() -> None:
    heat = np.zeros((1, 12, 16, 2), np.float32)
    heat[0, 4, 5, 0], heat[0, 4, 6, 0], heat[0, 3, 5, 0] = 0.8, 0.4, 0.3
    heat[0, 0, 15, 1], heat[0, 0, 14, 1] = 0.6, 0.5  # at the edge there is one side only
    found = answer(HeatmapKeypointsHead(names=NAMES), {"heat": heat}, (192, 256))
    np.testing.assert_allclose(found.xy, [[[5.75 * 16, 4.25 * 16], [15.5 * 16, 0.5 * 16]]])
    np.testing.assert_allclose(found.scores, [[0.8, 0.6]])
    moved = np.ascontiguousarray(logit(np.clip(heat, 0.01, 0.99)).transpose(0, 3, 1, 2))
    head = HeatmapKeypointsHead(names=NAMES, layout="nchw", score_kind="sigmoid_logits", refine=False, cell_center=0.0)
    plain = answer(head, {"heat": moved}, (96, 128))
    np.testing.assert_allclose(plain.xy, [[[40, 32], [120, 0]]])
    np.testing.assert_allclose(plain.scores, [[0.8, 0.6]], rtol=1e-5)
    assert plain.point("nose")[:2] == (40, 32) and plain.seen.tolist() == [[True, True]]


def test_coordinates_are_taken_as_they_are() -> None:
    p = Preprocessing(96, 96, resize="letterbox")
    output = floats([[0.5, 0.25, 0.9], [0.25, 1.0, 0.1]])  # y, x, score; the source fills rows 24..72 of the input
    head = DirectKeypointsHead(names=NAMES, order="yx")
    found = answer(head, {"points": output}, (100, 200), preprocessing=p)
    np.testing.assert_allclose(found.xy, [[[50, 50], [200, 0]]])
    np.testing.assert_allclose(found.scores, [[0.9, 0.1]])
    assert found.seen.tolist() == [[True, False]]
    flat = floats(24, 48, 96, 24)
    plain = answer(DirectKeypointsHead(names=NAMES, unit="pixels"), {"points": flat}, (100, 200), preprocessing=p)
    np.testing.assert_allclose(plain.xy, found.xy)
    assert plain.scores.tolist() == [[1, 1]]


def test_points_follow_their_boxes_through_suppression() -> None:
    rows = floats(
        [20, 20, 10, 10, 0.6, 16, 18, 0.5, 24, 22, 2.0],
        [64, 48, 32, 24, 0.8, 1, 1, 0.9, 2, 2, 0.9],
        [64, 48, 32, 25, 0.9, 50, 40, 0.9, 200, 55, -0.1],
    )
    detector = YoloHead(layout="rows", score_threshold=0.5)
    head = InstanceKeypointsHead(names=NAMES, detector=detector, skeleton=((0, 1),))
    found = answer(head, {"rows": rows}, (192, 256), labels=("person",))
    np.testing.assert_allclose(found.scores, [0.9, 0.6])
    np.testing.assert_allclose(found.keypoints.xy, [[[100, 80], [256, 110]], [[32, 36], [48, 44]]])
    np.testing.assert_allclose(found.keypoints.scores, [[0.9, 0], [0.5, 1]])
    assert found.to_dict()["objects"][1]["keypoints"][0] == {"name": "nose", "x": 32.0, "y": 36.0, "score": 0.5}
    assert len(answer(head, {"rows": rows}, labels=("person",), score_threshold=0.7)) == 1
    nothing = answer(head, {"rows": np.zeros_like(rows)}, labels=("person",))
    assert len(nothing) == 0 and nothing.keypoints.xy.shape == (0, 2, 2)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(BundleError, match="2 channels"):
        answer(HeatmapKeypointsHead(names=NAMES), {"heat": np.zeros((1, 4, 4, 3), np.float32)})
    with pytest.raises(BundleError, match="2 or 3 values"):
        answer(DirectKeypointsHead(names=NAMES), {"points": np.zeros((1, 5), np.float32)})
    with pytest.raises(TensorError, match="finite"):
        answer(DirectKeypointsHead(names=NAMES), {"points": np.full((1, 4), np.nan, np.float32)})
    with pytest.raises(InputError, match="skeleton"):
        DirectKeypointsHead(names=NAMES, skeleton=((0, 2),))
