"""Named points of one or more instances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.results.result import Result, check_array, rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgevision.runtime.drawing import Canvas
    from edgevision.runtime.images import ImageSource


@dataclass(frozen=True, eq=False)
class Keypoints(Result):
    """Points of n instances; a model for one instance always gives n = 1.

    Attributes:
        xy: float32 (n, points, 2), x and y in pixels of the source, clipped to it.
        scores: float32 (n, points), 0..1.
        names: Of the points.
        size: Height and width of the source, pixels.
        skeleton: Pairs of indices into ``names`` that are drawn as lines.
        threshold: Points of a lower score are not drawn and not ``seen``.
    """

    xy: NDArray[np.float32]
    scores: NDArray[np.float32]
    names: tuple[str, ...]
    size: tuple[int, int]
    skeleton: tuple[tuple[int, int], ...] = ()
    threshold: float = 0.3

    def __post_init__(self) -> None:
        check_array("xy", self.xy, (None, len(self.names), 2), "float32")
        check_array("scores", self.scores, (len(self.xy), len(self.names)), "float32")

    def __len__(self) -> int:
        return len(self.xy)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """bool (n, points): where the score reaches the threshold."""
        return self.scores >= self.threshold

    def point(self, name: str, instance: int = 0) -> tuple[float, float, float]:
        """x, y (pixels of the source) and score of a point by its name; ValueError where there is none."""
        index = self.names.index(name)
        x, y = self.xy[instance, index]
        return float(x), float(y), float(self.scores[instance, index])

    def to_dict(self) -> dict[str, Any]:
        """Per instance each point's name, x, y and score, as plain values."""
        instances = []
        for xy, scores in zip(rounded(self.xy, 2), rounded(self.scores, 4)):
            points = [{"name": n, "x": p[0], "y": p[1], "score": s} for n, p, s in zip(self.names, xy, scores)]
            instances.append(points)
        return {"size": list(self.size), "instances": instances}

    def line(self) -> str:
        """ "12 of 17 points"."""
        counts = [f"{int(row.sum())} of {len(self.names)} points" for row in self.seen]
        return "; ".join(counts) or "nothing"

    def draw(self, image: ImageSource) -> Image:
        """The image with points and skeleton; see ``Result.draw``."""
        from edgevision.runtime.drawing import Canvas

        canvas = Canvas(image, self.size)
        self.draw_on(canvas)
        return canvas.image

    def draw_on(self, canvas: Canvas) -> None:
        """Draws points and skeleton, one colour per instance."""
        for number, (xy, seen) in enumerate(zip(self.xy, self.seen)):
            for a, b in self.skeleton:
                if seen[a] and seen[b]:
                    canvas.segment(xy[a], xy[b], number)
            for index in np.flatnonzero(seen):
                canvas.dot(xy[index], number)
