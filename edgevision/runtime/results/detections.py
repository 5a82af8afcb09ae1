"""Objects in an image: boxes, and where the model says so masks and points."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevision.runtime.errors import TensorError
from edgevision.runtime.results.keypoints import Keypoints
from edgevision.runtime.results.result import Result, check_array, rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgevision.runtime.images import ImageSource


@dataclass(frozen=True, eq=False)
class Detections(Result):
    """n objects, best first.

    Attributes:
        boxes: float32 (n, 4), x1, y1, x2, y2 in pixels of the source (its left edge is 0, its right edge its width),
            clipped to it.
        scores: float32 (n,), 0..1.
        class_ids: int64 (n,), indices into ``labels``.
        labels: Names of all classes.
        size: Height and width of the source, pixels.
        masks: None, or per object bool (h, w) over the pixels that its box touches (``mask`` gives it in full; all of
            them in full would take n times the source's memory).
        keypoints: None, or one instance of points per object.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    labels: tuple[str, ...]
    size: tuple[int, int]
    masks: tuple[NDArray[np.bool_], ...] | None = None
    keypoints: Keypoints | None = None

    def __post_init__(self) -> None:
        check_array("boxes", self.boxes, (None, 4), "float32")
        count = len(self.boxes)
        check_array("scores", self.scores, (count,), "float32")
        check_array("class_ids", self.class_ids, (count,), "int64")
        if count and not (self.class_ids.min() >= 0 and self.class_ids.max() < len(self.labels)):
            got = f"{self.class_ids.min()}..{self.class_ids.max()}"
            raise TensorError("a class has no label", expected=f"0..{len(self.labels) - 1}", got=got)
        parts = {"masks": self.masks, "keypoints": self.keypoints}
        for name, part in parts.items():
            if part is not None and len(part) != count:
                raise TensorError(f"{name} do not match the boxes", expected=str(count), got=str(len(part)))
        for index, mask in enumerate(self.masks or ()):
            top, left, bottom, right = self.window(index)
            check_array("a mask", mask, (bottom - top, right - left), "bool")

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def names(self) -> list[str]:
        """The label of each object."""
        return [self.labels[index] for index in self.class_ids]

    def window(self, index: int) -> tuple[int, int, int, int]:
        """The pixels that an object's box touches: top, left, bottom, right, the last two excluded."""
        return pixel_window(self.boxes[index])

    def mask(self, index: int) -> NDArray[np.bool_]:
        """bool (height, width) of the source: which pixels are the object's; without masks all of its box."""
        full = np.zeros(self.size, np.bool_)
        top, left, bottom, right = self.window(index)
        full[top:bottom, left:right] = True if self.masks is None else self.masks[index]
        return full

    def to_dict(self) -> dict[str, Any]:
        """Each object's label, class, score, box, of masks the area in pixels, of points x, y and score."""
        points = None if self.keypoints is None else self.keypoints.to_dict()["instances"]
        found = []
        for index, (box, score) in enumerate(zip(rounded(self.boxes, 2), rounded(self.scores, 4))):
            number = int(self.class_ids[index])
            item = {"label": self.labels[number], "class_id": number, "score": score, "box": box}
            if self.masks is not None:
                item["mask_pixels"] = int(self.masks[index].sum())
            if points is not None:
                item["keypoints"] = points[index]
            found.append(item)
        return {"size": list(self.size), "objects": found}

    def line(self) -> str:
        """ "2 dog, 1 cat  (dog 0.97, dog 0.81, cat 0.55)"."""
        counts = ", ".join(f"{count} {name}" for name, count in Counter(self.names).most_common())
        best = [f"{name} {score:.2f}" for name, score in zip(self.names[:5], self.scores)]
        return f"{counts}  ({', '.join(best)}{', ...' if len(self) > 5 else ''})" if best else "nothing"

    def draw(self, image: ImageSource) -> Image:
        """The image with masks, boxes, labels and points; see ``Result.draw``."""
        from edgevision.runtime.drawing import Canvas

        canvas = Canvas(image, self.size)
        for index, mask in enumerate(self.masks or ()):
            canvas.tint(mask, self.window(index), int(self.class_ids[index]))
        if self.keypoints is not None:
            self.keypoints.draw_on(canvas)
        for index in reversed(range(len(self))):  # the best on top
            text = f"{self.names[index]} {self.scores[index]:.2f}"
            canvas.box(self.boxes[index], text, int(self.class_ids[index]))
        return canvas.image

    def to_supervision(self) -> Any:
        """The same as ``supervision.Detections``; its masks take n times the source's pixels.

        Raises:
            MissingPackageError: supervision is not installed.
        """
        from edgevision.runtime.results.interchange import to_supervision

        return to_supervision(self)

    @classmethod
    def from_supervision(cls, found: Any, labels: tuple[str, ...], size: tuple[int, int]) -> Detections:
        """From ``supervision.Detections`` or anything with its attributes.

        Args:
            found: ``xyxy`` (n, 4); ``confidence`` (n,), ``class_id`` (n,) and ``mask`` (n, height, width), each
                of which may be None: then scores are 1, and there may be only one label.
            labels: Names of all classes.
            size: Height and width of the source, pixels.

        Raises:
            InputError: Classes are missing, or arrays do not fit together.
        """
        from edgevision.runtime.results.interchange import from_supervision

        return from_supervision(found, labels, size)


def pixel_window(box: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """The pixels that a box touches: top, left, bottom, right, the last two excluded."""
    left, top = np.floor(box[:2]).astype(int)
    right, bottom = np.ceil(box[2:]).astype(int)
    return int(top), int(left), int(bottom), int(right)
