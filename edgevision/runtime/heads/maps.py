"""Heads that end in a map: classes of pixels, or the pixels themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from edgevision.runtime.errors import InputError
from edgevision.runtime.heads import Head, Layout
from edgevision.runtime.heads.checks import check_choice, check_numbers, check_share

#: ``Scores``, or "classes": the output holds the index of each pixel's class.
PixelScores = Literal["logits", "probabilities", "sigmoid_logits", "sigmoid", "classes"]
Upsampling = Literal["nearest", "bilinear"]
Color = Literal["rgb", "bgr", "gray"]


@dataclass(frozen=True, kw_only=True)
class SegmentationHead(Head):
    """One class per pixel.

    Attributes:
        output: Name of the output: class scores (1, h, w, classes), or with ``layout`` "nchw" (1, classes, h, w); of
            "classes" (1, h, w) or with one channel. A single sigmoid channel with two labels is the probability of the
            second. "" is the only output there is.
        scores: What the output is.
        layout: Where the channels are.
        score_threshold: Of a single sigmoid channel: from where on it is the second label, 0..1.
        upsample: How the map comes to the size of the source: "nearest" takes the class of the nearest cell, "bilinear"
            interpolates the probabilities first, which is smoother and takes longer (once per class).
        keep_scores: Whether the result holds each pixel's probability too.
    """

    kind: ClassVar[str] = "segmentation"
    task: ClassVar[str] = "segmentation"
    output: str = ""
    scores: PixelScores = "logits"
    layout: Layout = "nhwc"
    score_threshold: float = 0.5
    upsample: Upsampling = "nearest"
    keep_scores: bool = False

    def __post_init__(self) -> None:
        check_choice("scores", self.scores, PixelScores)
        check_choice("layout", self.layout, Layout)
        check_choice("upsample", self.upsample, Upsampling)
        check_share("score_threshold", self.score_threshold)
        if self.scores == "classes" and (self.keep_scores or self.upsample == "bilinear"):
            got = f"keep_scores={self.keep_scores}, upsample={self.upsample!r}"
            raise InputError("an output of classes has no scores", expected="upsample='nearest' alone", got=got)


@dataclass(frozen=True, kw_only=True)
class ImageHead(Head):
    """An image as output, of a generator (latent to image) or of a network that changes images.

    Attributes:
        output: Name of the output, (1, h, w, channels), or with ``layout`` "nchw" (1, channels, h, w); "" is the only
            output there is.
        layout: Where the channels are.
        low: The output's value that is black.
        high: The output's value that is white, 255.
        color: Order of the channels; "gray" has one.
    """

    kind: ClassVar[str] = "image"
    task: ClassVar[str] = "generation"
    output: str = ""
    layout: Layout = "nhwc"
    low: float = -1.0
    high: float = 1.0
    color: Color = "rgb"

    def __post_init__(self) -> None:
        check_choice("layout", self.layout, Layout)
        check_choice("color", self.color, Color)
        check_numbers("the output's range", (self.low, self.high), positive=False)
        if not self.low < self.high:
            got = f"{self.low}..{self.high}"
            raise InputError("the output's range is not usable", expected="low < high", got=got)
