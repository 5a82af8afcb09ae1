"""Heads of detectors. All of them end in boxes with a score and a class; what they share is in ``DetectionHead``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from edgevision.runtime.errors import InputError
from edgevision.runtime.heads import Head, Layout, Scores
from edgevision.runtime.heads.anchors import Anchors
from edgevision.runtime.heads.checks import check_choice, check_count, check_names, check_numbers, check_share

#: What box coordinates count: pixels of the model's input, or its width and height.
Unit = Literal["pixels", "unit"]


@dataclass(frozen=True, kw_only=True)
class DetectionHead(Head):
    """What is done with boxes, whatever head they come from.

    Attributes:
        score_threshold: Boxes of a lower score are dropped, 0..1.
        iou_threshold: Of two boxes of one class whose intersection over union exceeds it, the lower-scored is dropped,
            0..1; None keeps all (the model has suppressed them itself).
        max_detections: Most boxes of a result; those with the highest scores.
        max_candidates: Most boxes that are compared with each other; those with the highest scores.
    """

    task: ClassVar[str] = "detection"
    score_threshold: float = 0.25
    iou_threshold: float | None = 0.5
    max_detections: int = 300
    max_candidates: int = 4096

    def __post_init__(self) -> None:
        check_share("score_threshold", self.score_threshold)
        check_share("iou_threshold", self.iou_threshold)
        check_count("max_detections", self.max_detections)
        check_count("max_candidates", self.max_candidates)


@dataclass(frozen=True, kw_only=True)
class SsdHead(DetectionHead):
    """Anchors, and how far each box is from its own (Liu et al. 2016, "SSD"; RetinaNet and EfficientDet alike).

    A box is centre = anchor centre + delta * variance * anchor size, size = anchor size * exp(delta * variance).

    Attributes:
        boxes: Names of the outputs with box deltas, in the order of the anchors: (1, n, 4), or one per feature map as
            (1, h, w, anchors * 4).
        scores: Names of the outputs with class scores, likewise.
        anchors: The anchor boxes.
        score_kind: What the class scores are.
        background: Whether class 0 is "no object"; it has no label.
        order: Of the four deltas: x, y, width, height, or y, x, height, width (TensorFlow).
        variances: Factors of the deltas of x, y, width and height; TensorFlow's scale factors 10, 10, 5, 5 are
            variances of 0.1, 0.1, 0.2, 0.2.
        every_class: One box per class that reaches the threshold, instead of the best class only.
    """

    kind: ClassVar[str] = "ssd"
    boxes: tuple[str, ...]
    scores: tuple[str, ...]
    anchors: Anchors
    score_kind: Scores = "sigmoid_logits"
    background: bool = True
    order: Literal["xywh", "yxhw"] = "yxhw"
    variances: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)
    every_class: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_names("boxes", self.boxes)
        check_names("scores", self.scores)
        check_choice("score_kind", self.score_kind, Scores)
        check_choice("order", self.order, Literal["xywh", "yxhw"])
        check_numbers("variances", self.variances, 4)


@dataclass(frozen=True, kw_only=True)
class YoloHead(DetectionHead):
    """One row per place: four coordinates, then objectness if there is one, class scores, and further values.

    Attributes:
        output: Name of the output; with ``scores`` only the coordinates are in it. "" is the only output there is.
        scores: Name of a second output with all that follows the coordinates; None where one output holds everything.
            (One 8-bit grid cannot hold both pixels and scores: int8 models have two outputs.)
        layout: "rows" is (1, n, values), "columns" (1, values, n).
        order: What the coordinates are: centre and size, or two corners.
        unit: What they count.
        objectness: Whether a score for "anything at all" comes before the classes; both are multiplied.
        score_kind: What the scores are.
        every_class: One box per class that reaches the threshold, instead of the best class only.
    """

    kind: ClassVar[str] = "yolo"
    output: str = ""
    scores: str | None = None
    layout: Literal["rows", "columns"] = "columns"
    order: Literal["xywh", "xyxy"] = "xywh"
    unit: Unit = "pixels"
    objectness: bool = False
    score_kind: Literal["probabilities", "sigmoid_logits", "sigmoid"] = "probabilities"
    every_class: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("layout", self.layout, Literal["rows", "columns"])
        check_choice("order", self.order, Literal["xywh", "xyxy"])
        check_choice("unit", self.unit, Unit)
        check_choice("score_kind", self.score_kind, Literal["probabilities", "sigmoid_logits", "sigmoid"])
        if self.scores is not None and not (self.output and self.scores):
            raise InputError("two outputs need their names", expected="output and scores", got=repr(self.output))


@dataclass(frozen=True, kw_only=True)
class FcosHead(DetectionHead):
    """One map per level, each cell with distances to the four sides (Tian et al. 2019, "FCOS").

    Attributes:
        strides: Pixels of the input per cell, of each level.
        boxes: Names of the outputs with left, top, right, bottom, one per level.
        scores: Names of the outputs with class scores, one per level.
        centerness: Names of the outputs with centre-ness, one per level; empty where there is none. The score is then
            the square root of both multiplied.
        layout: Where the channels of each map are.
        unit: Distances count "pixels" of the input, or "strides".
        score_kind: What scores and centre-ness are.
        every_class: One box per class that reaches the threshold, instead of the best class only.
    """

    kind: ClassVar[str] = "fcos"
    strides: tuple[int, ...]
    boxes: tuple[str, ...]
    scores: tuple[str, ...]
    centerness: tuple[str, ...] = ()
    layout: Layout = "nhwc"
    unit: Literal["pixels", "strides"] = "pixels"
    score_kind: Literal["sigmoid_logits", "sigmoid"] = "sigmoid_logits"
    every_class: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers("strides", self.strides)
        check_names("boxes", self.boxes)
        check_names("scores", self.scores)
        check_names("centerness", self.centerness, 0)
        check_choice("layout", self.layout, Layout)
        check_choice("unit", self.unit, Literal["pixels", "strides"])
        check_choice("score_kind", self.score_kind, Literal["sigmoid_logits", "sigmoid"])
        levels = {len(self.strides), len(self.boxes), len(self.scores), len(self.centerness) or len(self.strides)}
        if len(levels) != 1:
            got = f"{len(self.strides)} strides, {len(self.boxes)} boxes, {len(self.scores)} scores"
            raise InputError("the levels do not match", expected="as many outputs as strides", got=got)


@dataclass(frozen=True, kw_only=True)
class CenterNetHead(DetectionHead):
    """A heatmap per class whose peaks are objects' centres (Zhou et al. 2019, "Objects as Points").

    Attributes:
        heatmap: Name of the output with one channel per class.
        sizes: Name of the output with width and height.
        offsets: Name of the output with the centre's x and y within its cell, in cells; None where there is none.
        layout: Where the channels of each map are.
        unit: Widths and heights count "cells" of the map, or "pixels" of the input.
        order: Sizes are width, height and offsets x, y; or the other way round.
        score_kind: What the heatmap holds.
    """

    kind: ClassVar[str] = "centernet"
    heatmap: str
    sizes: str
    offsets: str | None = None
    layout: Layout = "nhwc"
    unit: Literal["cells", "pixels"] = "cells"
    order: Literal["xy", "yx"] = "xy"
    score_kind: Literal["sigmoid_logits", "sigmoid"] = "sigmoid_logits"
    iou_threshold: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_names("the outputs", [name for name in (self.heatmap, self.sizes, self.offsets) if name is not None])
        check_choice("layout", self.layout, Layout)
        check_choice("unit", self.unit, Literal["cells", "pixels"])
        check_choice("order", self.order, Literal["xy", "yx"])
        check_choice("score_kind", self.score_kind, Literal["sigmoid_logits", "sigmoid"])


@dataclass(frozen=True, kw_only=True)
class PostprocessedHead(DetectionHead):
    """Boxes that the model has decoded and suppressed itself: TFLite_Detection_PostProcess, or end-to-end detectors.

    Attributes:
        boxes: Name of the output (1, n, 4).
        classes: Name of the output (1, n) with class numbers; None where ``boxes`` is (1, n, 6) with score and class
            behind the corners.
        scores: Name of the output (1, n) with probabilities; None likewise.
        count: Name of the output (1,) that says how many rows are filled; None where the threshold alone decides.
        order: Of the corners: y, x, y, x (TFLite) or x, y, x, y.
        unit: What they count.
        first_class: Number of the first label in the output: 1 where 0 is the background.
    """

    kind: ClassVar[str] = "postprocessed"
    boxes: str
    classes: str | None = None
    scores: str | None = None
    count: str | None = None
    order: Literal["yxyx", "xyxy"] = "yxyx"
    unit: Unit = "unit"
    first_class: int = 0
    iou_threshold: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in (self.boxes, self.classes, self.scores, self.count) if name is not None]
        check_names("the outputs", given)
        check_choice("order", self.order, Literal["yxyx", "xyxy"])
        check_choice("unit", self.unit, Unit)
        check_count("first_class", self.first_class, 0)
        if (self.classes is None) != (self.scores is None):
            got = f"classes={self.classes!r}, scores={self.scores!r}"
            raise InputError("the outputs do not fit together", expected="both classes and scores, or neither", got=got)
