"""Heads that find named points: joints of a body, corners of a face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from edgevision.runtime.errors import InputError
from edgevision.runtime.heads import Head, Layout
from edgevision.runtime.heads.checks import check_choice, check_names, check_share
from edgevision.runtime.heads.detection import Unit, YoloHead

#: What a heatmap holds; "raw" is compared only: its peak's value, cut to 0..1, is the score.
HeatmapScores = Literal["sigmoid_logits", "sigmoid", "raw"]


@dataclass(frozen=True, kw_only=True)
class KeypointsHead(Head):
    """What all heads of points share.

    Attributes:
        names: Of the points, in the order of the output.
        skeleton: Pairs of indices into ``names`` that are drawn as lines.
        score_threshold: Points of a lower score are not drawn, 0..1.
    """

    task: ClassVar[str] = "keypoints"
    names: tuple[str, ...]
    skeleton: tuple[tuple[int, int], ...] = ()
    score_threshold: float = 0.3

    def __post_init__(self) -> None:
        check_names("names", self.names)
        check_share("score_threshold", self.score_threshold)
        for pair in self.skeleton:
            if not all(0 <= index < len(self.names) for index in pair):
                raise InputError("skeleton is not usable", expected=f"indices 0..{len(self.names) - 1}", got=str(pair))


@dataclass(frozen=True, kw_only=True)
class HeatmapKeypointsHead(KeypointsHead):
    """One heatmap per point, of one instance that fills the image; each peak is a point.

    Attributes:
        output: Name of the output (1, h, w, points), or with ``layout`` "nchw" (1, points, h, w); "" is the only one.
        layout: Where the channels are.
        score_kind: What the heatmap holds.
        refine: Move each point a quarter of a cell towards the higher neighbour (Newell et al. 2016, "Stacked
            Hourglass Networks").
        cell_center: Where in its cell a peak stands, in cells: 0.5 is the middle.
    """

    kind: ClassVar[str] = "heatmap_keypoints"
    output: str = ""
    layout: Layout = "nhwc"
    score_kind: HeatmapScores = "raw"
    refine: bool = True
    cell_center: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("layout", self.layout, Layout)
        check_choice("score_kind", self.score_kind, HeatmapScores)
        check_share("cell_center", self.cell_center)


@dataclass(frozen=True, kw_only=True)
class DirectKeypointsHead(KeypointsHead):
    """Coordinates as they are, of one instance that fills the image.

    Attributes:
        output: Name of the output, any shape of points * 2 or points * 3 values; "" is the only output there is.
        order: Of the first two values of each point.
        unit: What they count.
        third: What the third value is, where there is one: a score, or something that is dropped (a depth).
        score_kind: What the score is; a point without one has the score 1.
    """

    kind: ClassVar[str] = "direct_keypoints"
    output: str = ""
    order: Literal["xy", "yx"] = "xy"
    unit: Unit = "unit"
    third: Literal["score", "dropped"] = "score"
    score_kind: Literal["sigmoid_logits", "sigmoid"] = "sigmoid"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("order", self.order, Literal["xy", "yx"])
        check_choice("unit", self.unit, Unit)
        check_choice("third", self.third, Literal["score", "dropped"])
        check_choice("score_kind", self.score_kind, Literal["sigmoid_logits", "sigmoid"])


@dataclass(frozen=True, kw_only=True)
class InstanceKeypointsHead(KeypointsHead):
    """Points of each detected object, behind its row's class scores: x, y and a score for each.

    Attributes:
        detector: The boxes; its rows end in ``values`` numbers per point, in the detector's unit.
        values: 3 with a score, 2 without.
        score_kind: What the score is.
    """

    kind: ClassVar[str] = "instance_keypoints"
    detector: YoloHead
    values: int = 3
    score_kind: Literal["sigmoid_logits", "sigmoid"] = "sigmoid"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("score_kind", self.score_kind, Literal["sigmoid_logits", "sigmoid"])
        if self.values not in (2, 3):
            raise InputError("values is not usable", expected="2 or 3", got=repr(self.values))
