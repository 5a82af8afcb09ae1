"""What a prediction is, one frozen type per task, arrays checked at birth; each is imported when it is first needed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgevision.runtime.results.classification import Classification as Classification
    from edgevision.runtime.results.detections import Detections as Detections
    from edgevision.runtime.results.embedding import Embedding as Embedding
    from edgevision.runtime.results.embedding import Match as Match
    from edgevision.runtime.results.generated import GeneratedImage as GeneratedImage
    from edgevision.runtime.results.keypoints import Keypoints as Keypoints
    from edgevision.runtime.results.result import Result as Result
    from edgevision.runtime.results.segmentation import SegmentationMap as SegmentationMap

_MODULES = {
    "Classification": "classification",
    "Detections": "detections",
    "Embedding": "embedding",
    "Match": "embedding",
    "GeneratedImage": "generated",
    "Keypoints": "keypoints",
    "Result": "result",
    "SegmentationMap": "segmentation",
}

__all__ = [
    "Classification",
    "Detections",
    "Embedding",
    "GeneratedImage",
    "Keypoints",
    "Match",
    "Result",
    "SegmentationMap",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"edgevision.runtime.results.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
