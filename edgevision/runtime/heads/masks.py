"""Heads of detectors that say of each object which pixels are its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgevision.runtime.heads import Head, Layout
from edgevision.runtime.heads.checks import check_choice, check_names, check_share
from edgevision.runtime.heads.detection import PostprocessedHead, YoloHead


@dataclass(frozen=True, kw_only=True)
class PrototypeMasksHead(Head):
    """Masks as sums of prototypes, weighed by coefficients that stand behind each row's class scores.

    Bolya et al. 2019, "YOLACT"; the mask is sigmoid(coefficients @ prototypes) within the box.

    Attributes:
        detector: The boxes; its rows end in one coefficient per prototype.
        prototypes: Name of the output (1, h, w, prototypes), or with ``layout`` "nchw" (1, prototypes, h, w).
        layout: Where its channels are.
        mask_threshold: From which probability on a pixel is the object's, 0..1.
    """

    kind: ClassVar[str] = "prototype_masks"
    task: ClassVar[str] = "instance_segmentation"
    detector: YoloHead
    prototypes: str
    layout: Layout = "nhwc"
    mask_threshold: float = 0.5

    def __post_init__(self) -> None:
        check_names("the outputs", (self.detector.output, self.prototypes))
        check_choice("layout", self.layout, Layout)
        check_share("mask_threshold", self.mask_threshold)


@dataclass(frozen=True, kw_only=True)
class BoxMasksHead(Head):
    """A small mask per box, stretched over it (He et al. 2017, "Mask R-CNN").

    Attributes:
        detector: The boxes.
        masks: Name of the output (1, n, h, w) with probabilities, one mask per row of the boxes.
        mask_threshold: From which probability on a pixel is the object's, 0..1.
    """

    kind: ClassVar[str] = "box_masks"
    task: ClassVar[str] = "instance_segmentation"
    detector: PostprocessedHead
    masks: str
    mask_threshold: float = 0.5

    def __post_init__(self) -> None:
        check_names("the outputs", (self.detector.boxes, self.masks))
        check_share("mask_threshold", self.mask_threshold)
