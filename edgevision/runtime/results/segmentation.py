"""A class for every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.errors import InputError, TensorError
from edgevision.runtime.results.result import Result, check_array

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgevision.runtime.images import ImageSource

#: Class of the pixels that the model did not see (a centre crop leaves them out): as data sets mark what not to judge.
UNSEEN = 255
_ROWS = 128


@dataclass(frozen=True, eq=False)
class SegmentationMap(Result):
    """The source's pixels sorted into classes.

    Attributes:
        classes: uint8 (height, width) of the source, indices into ``labels``; ``UNSEEN`` where the model did not look.
        labels: Class names, 254 at most.
        scores: None, or float32 (height, width): probability of each pixel's class, 0..1; 0 where it did not look.
    """

    classes: NDArray[np.uint8]
    labels: tuple[str, ...]
    scores: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        check_array("classes", self.classes, (None, None), "uint8")
        if self.scores is not None:
            check_array("scores", self.scores, self.classes.shape, "float32")
        count = len(self.labels)
        if count < UNSEEN and self.classes.max(initial=0) < count:
            return
        is_unknown = (self.classes >= count) & (self.classes != UNSEEN)
        if count >= UNSEEN or is_unknown.any():
            got = f"class {self.classes[is_unknown].max(initial=0)} of {count} labels"
            raise TensorError("a pixel's class has no label", expected=f"0..{count - 1}", got=got)

    def mask(self, label: str) -> NDArray[np.bool_]:
        """bool (height, width): where the pixels are of that class.

        Raises:
            InputError: There is no such label.
        """
        if label not in self.labels:
            raise InputError("there is no such class", expected=" or ".join(self.labels), got=repr(label))
        found: NDArray[np.bool_] = self.classes == self.labels.index(label)
        return found

    @property
    def shares(self) -> dict[str, float]:
        """Share of all pixels per label that is there, 0..1, largest first."""
        counts = np.zeros(256, np.int64)
        for start in range(0, len(self.classes), _ROWS):  # it would make eight bytes of every pixel at once
            counts += np.bincount(self.classes[start : start + _ROWS].ravel(), minlength=256)
        counts = counts[: len(self.labels)]
        order = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
        return {self.labels[i]: float(counts[i] / self.classes.size) for i in order}

    def to_dict(self) -> dict[str, Any]:
        """Size of the map and the share of each class, largest first; the map itself is no JSON."""
        shares = [{"label": label, "share": share} for label, share in self.shares.items()]
        return {"size": list(self.classes.shape), "classes": shares}

    def line(self) -> str:
        """ "road 61 %, sky 30 %, car 9 %"."""
        return ", ".join(f"{label} {share:.0%}".replace("%", " %") for label, share in self.shares.items())

    def draw(self, image: ImageSource) -> Image:
        """The image tinted by class, with the names of what is there; see ``Result.draw``."""
        from edgevision.runtime.drawing import Canvas

        height, width = self.classes.shape
        canvas = Canvas(image, (height, width))
        names = [(label, self.labels.index(label)) for label in self.shares]
        for _, index in names:
            canvas.tint(self.classes == index, (0, 0, height, width), index)
        for row, (label, index) in enumerate(names):
            canvas.caption(label, index, row)
        return canvas.image
