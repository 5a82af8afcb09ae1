"""What a model's outputs are and how they are decoded, as values for the manifest; the decoding itself is ``tasks``."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any, ClassVar, Literal, cast

from edgevision.runtime.errors import InputError

#: What class scores are: softmax to come, probabilities that sum to one, sigmoid to come, independent probabilities.
Scores = Literal["logits", "probabilities", "sigmoid_logits", "sigmoid"]
#: Where the channels of a map are.
Layout = Literal["nhwc", "nchw"]

#: Every task there is. "tensors" decodes nothing.
TASKS = (
    "classification",
    "detection",
    "segmentation",
    "instance_segmentation",
    "keypoints",
    "embedding",
    "generation",
    "sequence",
    "tensors",
)

# Kind -> (module of this package, class). A module is imported when a manifest holds its kind: a classifier needs none.
_CLASSES = {
    "multi_label": ("classes", "MultiLabelHead"),
    "sequence": ("classes", "SequenceHead"),
    "ssd": ("detection", "SsdHead"),
    "yolo": ("detection", "YoloHead"),
    "fcos": ("detection", "FcosHead"),
    "centernet": ("detection", "CenterNetHead"),
    "postprocessed": ("detection", "PostprocessedHead"),
    "segmentation": ("maps", "SegmentationHead"),
    "image": ("maps", "ImageHead"),
    "embedding": ("embedding", "EmbeddingHead"),
    "heatmap_keypoints": ("keypoints", "HeatmapKeypointsHead"),
    "direct_keypoints": ("keypoints", "DirectKeypointsHead"),
    "instance_keypoints": ("keypoints", "InstanceKeypointsHead"),
    "prototype_masks": ("masks", "PrototypeMasksHead"),
    "box_masks": ("masks", "BoxMasksHead"),
}


class Head:
    """Base of every description of a head: a frozen dataclass, checked at birth.

    Attributes:
        kind: Its name in the manifest.
        task: The task it belongs to.
    """

    kind: ClassVar[str]
    task: ClassVar[str]


def head_class(kind: str) -> type[Head]:
    """The class of a kind of head.

    Raises:
        InputError: There is no such kind.
    """
    if kind not in _CLASSES:
        raise InputError("the kind of head is unknown", expected=" or ".join(_CLASSES), got=repr(kind))
    module, name = _CLASSES[kind]
    return cast("type[Head]", getattr(importlib.import_module(f"edgevision.runtime.heads.{module}"), name))


def with_thresholds(head: Head | None, score: float | None, iou: float | None) -> Head | None:
    """The head with other thresholds; None leaves one as it is. Of objects with masks or points it is the boxes'.

    Raises:
        InputError: The head has no such threshold, or it is not within 0..1.
    """
    if score is None and iou is None:
        return head
    detector = getattr(head, "detector", None)
    if head is not None and detector is not None:
        return dataclasses.replace(head, detector=with_thresholds(detector, score, iou))  # type: ignore[type-var]
    changes = {"score_threshold": score, "iou_threshold": iou}
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    missing = [name for name in given if not hasattr(head, name)]
    if head is None or missing:
        task = "a model without a head" if head is None else f"a head of kind {head.kind!r}"
        raise InputError(f"{task} has no {' and no '.join(missing)}", cure="leave it out")
    if head.kind == "multi_label":
        given["thresholds"] = ()
    return dataclasses.replace(head, **given)  # type: ignore[type-var]
