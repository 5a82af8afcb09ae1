"""Images with boxes as examples: decoded and resized as the device does it, the boxes where the pixels went."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import BoxDataset, Boxes, open_boxes
from edgevision.datasets.splits import rarest
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.preprocess import Geometry, geometry
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.data import by_strata, held_out
from edgevision.trainers.examples import Example, Examples, Progress, TrainingData
from edgevision.trainers.images import readable_pixels
from edgevision.trainers.recipe import Recipe

#: Of a box that cropping cuts, the least share that has to be left for it to be learned.
_LEAST_SEEN = 0.25


class BoxedImages(Examples):
    """Images of a data set with boxes.

    Args:
        data: All images are decoded at once.
        p: The model's preprocessing.
        progress: Called with ("read images", done, total).
        strict: See ``images.LabelledImages``.

    Attributes:
        data: The images without those that cannot be read.
        pixels: uint8 (images, height, width, channels) in the preprocessing's colour order.

    Raises:
        DatasetError: They fit neither in memory nor on the disk.
        ImageError: An image is damaged.
    """

    def __init__(self, data: BoxDataset, p: Preprocessing, progress: Progress = None, *, strict: bool = True) -> None:
        self.pixels, kept, self.sizes, self.unreadable = readable_pixels(data.images, p, progress, strict=strict)
        self.data, self.labels = data.subset(kept), data.labels
        placed = [_placed(truth, geometry(size, p)) for truth, size in zip(self.truths, self.sizes)]
        self._boxes, self._class_ids = [boxes for boxes, _ in placed], [ids for _, ids in placed]

    @property
    def truths(self) -> tuple[Boxes, ...]:
        """All objects of each image, in pixels of the image as it is in the data."""
        return self.data.truths

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Example:
        return Example(self.pixels[index], boxes=self._boxes[index], class_ids=self._class_ids[index])

    def name(self, index: int) -> str:
        """See ``Examples.name``."""
        return self.data.images.entries[index].name

    def content_hash(self) -> str:
        """See ``Examples.content_hash``."""
        total = hashlib.sha256(self.data.images.content_hash().encode())
        for truth in self.truths:
            for array in (truth.xyxy, truth.class_ids, truth.ignored):
                total.update(np.ascontiguousarray(array).tobytes())
        return total.hexdigest()


def open_boxed(data: Any, recipe: Recipe, p: Preprocessing, progress: Progress) -> TrainingData:
    """The train split, and the val split or a share of train, in which rare classes have their part.

    Raises:
        DatasetError: There are no boxes to learn from.
        ImageError: An image is damaged, and the recipe is strict.
    """
    opened = data if isinstance(data, BoxDataset) else open_boxes(data, prefer="train")
    train, held = held_out(
        data,
        opened,
        lambda path, split: open_boxes(path, split).aligned_to(opened.labels),
        lambda: by_strata(opened, rarest(opened.present()), recipe.validation_split, recipe.seed),
    )
    if not any((~truth.ignored).any() for truth in train.truths):
        raise DatasetError(f"the {train.split} split has no objects to learn", expected="images with boxes")

    def loaded(part: BoxDataset) -> BoxedImages:
        return BoxedImages(part, p, progress, strict=recipe.strict)

    return TrainingData(loaded(train), loaded(held) if held is not None else None)


def _placed(truth: Boxes, place: Geometry) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The boxes on the model's input and their classes; without those that nobody has to find or that are cut off."""
    boxes, ids = truth.xyxy[~truth.ignored], truth.class_ids[~truth.ignored]
    source, target = place.source, place.target
    scale = np.array([target.width / source.width, target.height / source.height] * 2)
    moved = (boxes - np.array([source.left, source.top] * 2)) * scale + np.array([target.left, target.top] * 2)
    edges = np.array([target.left, target.top, target.left + target.width, target.top + target.height])
    clipped = np.clip(moved, np.tile(edges[:2], 2), np.tile(edges[2:], 2))
    seen = _areas(clipped) >= np.maximum(_LEAST_SEEN * _areas(moved), 1.0)
    return clipped[seen].astype(np.float32), ids[seen]


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas
