"""An image, or a window of frames, sorted into classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.errors import TensorError
from edgevision.runtime.results.result import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgevision.runtime.images import ImageSource


@dataclass(frozen=True, eq=False)
class Classification(Result):
    """One image sorted into classes.

    Attributes:
        scores: float32 (classes,), probabilities 0..1 in the order of ``labels``.
        labels: Class names.
        thresholds: Of a multi-label classifier float32 (classes,): from which score on a class is there; None where
            exactly one class is.
    """

    scores: NDArray[np.float32]
    labels: tuple[str, ...]
    thresholds: NDArray[np.float32] | None = None

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

    @property
    def present(self) -> list[tuple[str, float]]:
        """The classes that are there as (label, score), best first: of one label the best, of several any number."""
        if self.thresholds is None:
            return self.top(1)
        there = {self.labels[i] for i in np.flatnonzero(self.scores >= self.thresholds)}
        return [(label, score) for label, score in self.top(len(self.labels)) if label in there]

    def to_dict(self, k: int = 5) -> dict[str, Any]:
        """The best class and the ``k`` best, of several labels those that are there too, as plain values."""
        best = [{"label": label, "score": score} for label, score in self.top(k)]
        found = {"index": self.index, "label": self.label, "score": self.score, "top": best}
        if self.thresholds is not None:
            found["present"] = [{"label": label, "score": score} for label, score in self.present]
        return found

    def line(self, k: int = 3) -> str:
        """ "cat 0.97  (dog 0.02, bird 0.01)"; of several labels those that are there: "cat 0.97, dog 0.81"."""
        if self.thresholds is not None:
            return ", ".join(f"{label} {score:.2f}" for label, score in self.present) or "nothing"
        (label, score), *others = self.top(max(k, 1))
        rest = ", ".join(f"{other} {value:.2f}" for other, value in others)
        return f"{label} {score:.2f}" + (f"  ({rest})" if rest else "")

    def draw(self, image: ImageSource) -> Image:
        """The image with what it shows written into its upper left corner; see ``Result.draw``."""
        from edgevision.runtime.drawing import Canvas

        canvas = Canvas(image)
        names = self.present if self.thresholds is not None else self.top(3)
        for row, (label, score) in enumerate(names):
            canvas.caption(f"{label} {score:.2f}", self.labels.index(label), row)
        return canvas.image
