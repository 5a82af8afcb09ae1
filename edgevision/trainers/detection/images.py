"""Images with boxes as examples: decoded and resized as the device does it, the boxes where the pixels went."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import BoxDataset, Boxes, open_boxes
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.preprocess import Geometry, geometry
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.examples import Example, Examples, Progress, TrainingData
from edgevision.trainers.images import load_pixels

#: Of a box that cropping cuts, the least share that has to be left for it to be learned.
_LEAST_SEEN = 0.25


class BoxedImages(Examples):
    """Images of a data set with boxes.

    Attributes:
        truths: All objects of each image, in pixels of the image as it is in the data.
        sizes: (height, width) of each image in the data, pixels.
        pixels: uint8 (images, height, width, channels) in the preprocessing's colour order.

    Raises:
        DatasetError: They would not fit in memory.
        ImageError: An image is damaged.
    """

    def __init__(self, data: BoxDataset, p: Preprocessing, progress: Progress = None) -> None:
        self._data, self.labels, self.truths = data, data.labels, data.truths
        self.sizes: list[tuple[int, int]] = []
        self.pixels = load_pixels(data.images, p, progress, self.sizes)
        placed = [_placed(truth, geometry(size, p)) for truth, size in zip(data.truths, self.sizes)]
        self._boxes, self._class_ids = [boxes for boxes, _ in placed], [ids for _, ids in placed]

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Example:
        return Example(self.pixels[index], boxes=self._boxes[index], class_ids=self._class_ids[index])

    def name(self, index: int) -> str:
        """See ``Examples.name``."""
        return self._data.images.entries[index].name

    def content_hash(self) -> str:
        """See ``Examples.content_hash``."""
        total = hashlib.sha256(self._data.images.content_hash().encode())
        for truth in self.truths:
            for array in (truth.xyxy, truth.class_ids, truth.ignored):
                total.update(np.ascontiguousarray(array).tobytes())
        return total.hexdigest()


def open_boxed(data: Any, validation_split: float, seed: int, p: Preprocessing, progress: Progress) -> TrainingData:
    """The train split, and the val split or a share of train, drawn by ``seed``.

    Raises:
        DatasetError: There are no boxes to learn from.
        ImageError: An image is damaged.
    """
    train = data if isinstance(data, BoxDataset) else open_boxes(data, prefer="train")
    if not any((~truth.ignored).any() for truth in train.truths):
        raise DatasetError(f"the {train.split} split has no objects to learn", expected="images with boxes")
    held: BoxDataset | None = None
    if not isinstance(data, BoxDataset) and train.split != "val" and "val" in train.images.splits:
        held = open_boxes(data, "val").aligned_to(train.labels)
    else:
        train, held = _divided(train, validation_split, seed)
    validation = BoxedImages(held, p, progress) if held is not None and len(held) else None
    return TrainingData(BoxedImages(train, p, progress), validation)


def _divided(data: BoxDataset, share: float, seed: int) -> tuple[BoxDataset, BoxDataset]:
    # RandomState's stream is frozen for good; default_rng's may change between numpy versions.
    order = np.random.RandomState(seed).permutation(len(data))
    count = min(round(share * len(data)), len(data) - 1)
    return _subset(data, np.sort(order[count:])), _subset(data, np.sort(order[:count]))


def _subset(data: BoxDataset, places: NDArray[np.int64]) -> BoxDataset:
    truths = tuple(data.truths[place] for place in places.tolist())
    return BoxDataset(data.labels, data.images.subset(places), truths, data.judged)


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
