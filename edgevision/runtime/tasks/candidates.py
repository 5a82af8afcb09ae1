"""Boxes before suppression, and the choice of those whose scores are worth decoding them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from edgevision.runtime.tasks.task import sigmoid, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.runtime.heads.detection import DetectionHead
    from edgevision.runtime.spec import TensorSpec

AnyHead = TypeVar("AnyHead", bound="DetectionHead")
#: The output of a spec in its real unit, float32.
Read = Callable[["TensorSpec"], "NDArray[np.float32]"]


class Chosen(NamedTuple):
    """Rows of a head that reach the threshold.

    Attributes:
        rows: int (m,), which rows.
        class_ids: int (m,).
        scores: float32 (m,), 0..1.
    """

    rows: NDArray[np.intp]
    class_ids: NDArray[np.intp]
    scores: NDArray[np.float32]


class Candidates(NamedTuple):
    """Boxes that reach the threshold.

    Attributes:
        boxes: float64 (m, 4) x1, y1, x2, y2, pixels of the model's input.
        scores: float32 (m,), 0..1.
        class_ids: int (m,).
        extras: float32 (m, k): what else stands in their rows.
        rows: int (m,): which rows of the head they are.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.intp]
    extras: NDArray[np.float32]
    rows: NDArray[np.intp]

    def take(self, kept: NDArray[np.intp]) -> Candidates:
        """Those of these indices."""
        boxes, scores, class_ids, extras, rows = self
        return Candidates(boxes[kept], scores[kept], class_ids[kept], extras[kept], rows[kept])


def choose(
    values: NDArray[np.float32],
    kind: str,
    head: DetectionHead,
    *,
    every_class: bool,
    background: bool = False,
    factor: NDArray[np.float32] | None = None,
) -> Chosen:
    """The rows whose score reaches the head's threshold, by row, the best ``max_candidates`` of them.

    Args:
        values: float32 (n, classes), with ``background`` one column more in front.
        kind: What they are; see ``heads.Scores``.
        head: Whose thresholds hold.
        every_class: One entry per class that reaches the threshold, instead of the best class only.
        background: Whether the first column is "no object".
        factor: float32 (n,), 0..1: multiplied to every score of its row.
    """
    values = softmax(values) if kind == "logits" else values
    values = values[:, 1:] if background else values
    least, rows = head.score_threshold, None
    if factor is not None:
        rows = np.flatnonzero(factor >= np.float32(least))
        values, factor = values[rows], factor[rows]
    cut = logit_below(least) if kind == "sigmoid_logits" else least
    if every_class:
        found, class_ids = np.unravel_index(np.flatnonzero(values >= cut), values.shape)
    else:
        found = np.flatnonzero(values.max(axis=1, initial=-np.inf) >= cut)
        class_ids = values[found].argmax(axis=1) if len(found) else found
    scores = values[found, class_ids]
    scores = sigmoid(scores) if kind == "sigmoid_logits" else scores
    scores = scores if factor is None else scores * factor[found]
    found = found if rows is None else rows[found]
    return best(Chosen(found, class_ids, scores), head)


def best(chosen: Chosen, head: DetectionHead) -> Chosen:
    """Those that reach the threshold, and the best ``max_candidates`` of these, in their order."""
    kept = np.flatnonzero(chosen.scores >= np.float32(head.score_threshold))
    if len(kept) > head.max_candidates:
        kept = np.sort(kept[np.argsort(-chosen.scores[kept], kind="stable")[: head.max_candidates]])
    return Chosen(chosen.rows[kept], chosen.class_ids[kept], chosen.scores[kept])


def corners(centers: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m, 4) x1, y1, x2, y2 from centres (m, 2) x, y and sizes (m, 2) width, height."""
    return np.concatenate([centers - sizes / 2, centers + sizes / 2], axis=1)


def no_extras(count: int) -> NDArray[np.float32]:
    """The extras of heads that have none."""
    return np.empty((count, 0), np.float32)


def logit_below(share: float) -> float:
    """What a logit has to exceed for its sigmoid to reach ``share``, less a margin for rounding.

    So sigmoids need not be taken but of the few values that can pass.
    """
    share = min(max(share, 1e-12), 1 - 1e-7)
    return math.log(share / (1 - share)) - 1e-3
