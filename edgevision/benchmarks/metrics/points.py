"""What object keypoint similarity (OKS) needs: points as pycocotools takes them, and how far annotators differ.

Lin, T.-Y. et al., COCO's keypoint evaluation (cocodataset.org): a point at distance d of an object of area A is worth
exp(-d² / (2 A (2 sigma)²)), and an object the mean over its annotated points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.metrics.detection import Fields
from edgevision.datasets import Boxes

#: Standard deviations between annotators of COCO's points, in shares of the root of a person's area.
_PERSON = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
}
#: For points that nobody has measured: between an eye's and a wrist's.
OTHER = 0.05


def sigmas_of(names: Sequence[str]) -> NDArray[np.float64]:
    """float64 (points,): COCO's where all names are of its person ("left_eye", "Left eye"), else ``OTHER`` for all."""
    joints = [name.lower().replace("-", " ").replace("_", " ").split()[-1] for name in names]
    if all(joint in _PERSON for joint in joints):
        return np.array([_PERSON[joint] for joint in joints])
    return np.full(len(names), OTHER)


def fields_of(xy: NDArray[np.floating], scores: NDArray[np.floating]) -> list[Fields]:
    """Of each found instance; (n, points, 2) in pixels of the image and (n, points)."""
    rows = np.concatenate([xy, scores[..., None]], axis=2).astype(np.float64)
    return [{"keypoints": row.ravel().tolist()} for row in rows]


def true_fields(truth: Boxes) -> list[Fields]:
    """Of each annotated object."""
    assert truth.points is not None and truth.areas is not None, "opened with points"
    return [{"keypoints": row.ravel().tolist(), "area": float(area)} for row, area in zip(truth.points, truth.areas)]
