"""What a prediction is, one frozen type per task, arrays checked at birth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.errors import TensorError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Classification:
    """One image sorted into classes.

    Attributes:
        scores: float32 (classes,), probabilities 0..1 in the order of ``labels``.
        labels: Class names.
    """

    scores: NDArray[np.float32]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.scores.shape != (len(self.labels),) or self.scores.dtype != np.float32:
            raise TensorError(
                "scores do not match the labels",
                expected=f"float32 ({len(self.labels)},)",
                got=f"{self.scores.dtype} {self.scores.shape}",
            )

    @property
    def index(self) -> int:
        """Index of the best class; the first of equals."""
        return int(self.scores.argmax())

    @property
    def label(self) -> str:
        """Name of the best class."""
        return self.labels[self.index]

    @property
    def score(self) -> float:
        """Probability of the best class, 0..1."""
        return float(self.scores[self.index])

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The ``k`` best classes as (label, score), best first; fewer when there are fewer classes."""
        order = np.argsort(-self.scores, kind="stable")[: max(k, 0)]
        return [(self.labels[i], float(self.scores[i])) for i in order]

    def to_dict(self, k: int = 5) -> dict[str, Any]:
        """The best class and the ``k`` best, as plain values ready for JSON."""
        best = [{"label": label, "score": score} for label, score in self.top(k)]
        return {"index": self.index, "label": self.label, "score": self.score, "top": best}
