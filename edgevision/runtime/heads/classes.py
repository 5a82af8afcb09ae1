"""Heads that end in one score per class. A classifier of one label needs none: ``Manifest.scores`` says it all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from edgevision.runtime.heads import Head
from edgevision.runtime.heads.checks import check_choice, check_share

Steps = Literal["last", "mean"]


@dataclass(frozen=True, kw_only=True)
class MultiLabelHead(Head):
    """Any number of classes at once: a class is there when its probability reaches its threshold.

    The outputs are ``Manifest.scores`` "sigmoid_logits" or "sigmoid", one per label.

    Attributes:
        score_threshold: Threshold of every class, 0..1.
        thresholds: One per class in the order of the labels, 0..1, instead of ``score_threshold``; empty without.
    """

    kind: ClassVar[str] = "multi_label"
    task: ClassVar[str] = "classification"
    score_threshold: float = 0.5
    thresholds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_share("score_threshold", self.score_threshold)
        for value in self.thresholds:
            check_share("thresholds", value)


@dataclass(frozen=True, kw_only=True)
class SequenceHead(Head):
    """A window of frames in, one class out; ``Manifest.scores`` says what the outputs are.

    The one input is (1, frames, height, width, channels), or (1, frames, height * width * channels).

    Attributes:
        output: Name of the output, (1, classes), or (1, frames, classes) of a model that answers at each step; "" is
            the only output there is.
        steps: Of a model that answers at each step: the "last" step's probabilities, or the "mean" of all.
    """

    kind: ClassVar[str] = "sequence"
    task: ClassVar[str] = "sequence"
    output: str = ""
    steps: Steps = "last"

    def __post_init__(self) -> None:
        check_choice("steps", self.steps, Steps)
