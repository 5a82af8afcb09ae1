"""Images with boxes around objects: COCO JSON or Pascal VOC XML beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets.aligning import places_in
from edgevision.datasets.dataset import Dataset, OfImages
from edgevision.datasets.outlines import Outline
from edgevision.datasets.splits import choose_split
from edgevision.datasets.tree import Tree, open_tree
from edgevision.runtime.errors import DatasetError

#: What annotations may say of an object beside its box.
Also = Literal["outlines", "points"]


@dataclass(frozen=True, eq=False)
class Boxes:
    """The objects of one image.

    Attributes:
        xyxy: float64 (n, 4), x1, y1, x2, y2 in pixels of the image (its left edge is 0, its right edge its width).
        class_ids: int64 (n,), indices into the data's labels.
        ignored: bool (n,): finding it counts neither as right nor as wrong (COCO's crowds, VOC's difficult objects).
        crowd: bool (n,): a box around many, each of which may be found.
        size: Height and width that the annotations give the image, pixels; None where they are silent.
        outlines: Which pixels are each object's, n of them; None where they were not asked for, or the data has none.
        points: None, or float64 (n, points, 3): x and y in pixels of the image, and 0 where a point is not annotated, 1
            where it is hidden, 2 where it is seen. An object without any is ``ignored``.
        areas: None, or of objects with points float64 (n,): how large each is, in pixels.
    """

    xyxy: NDArray[np.float64]
    class_ids: NDArray[np.int64]
    ignored: NDArray[np.bool_]
    crowd: NDArray[np.bool_]
    size: tuple[int, int] | None = None
    outlines: tuple[Outline, ...] | None = None
    points: NDArray[np.float64] | None = None
    areas: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.xyxy)


@dataclass(frozen=True, eq=False)
class BoxDataset(OfImages):
    """Images and their objects; an image is read when it is asked for.

    Attributes:
        labels: Class names, in the order of the class indices.
        images: The images, without labels.
        truths: The objects of each image, in the same order.
        judged: int64 (k,), the classes that the data knows; a model may know more.
        points: Names of the objects' points; empty where they were not asked for, or the data does not tell.
    """

    labels: tuple[str, ...]
    images: Dataset
    truths: tuple[Boxes, ...]
    judged: NDArray[np.int64]
    points: tuple[str, ...] = ()

    def subset(self, indices: Iterable[int] | NDArray[np.integer]) -> BoxDataset:
        """The images at ``indices`` with their objects, in that order.

        Raises:
            DatasetError: An index is outside 0..len - 1.
        """
        chosen = [int(index) for index in indices]
        images = self.images.subset(chosen)
        return dataclasses.replace(self, images=images, truths=tuple(self.truths[index] for index in chosen))

    def present(self) -> NDArray[np.bool_]:
        """Which classes are in each image, bool (images, classes), to stratify by; what is ignored does not count."""
        found = np.zeros((len(self), len(self.labels)), np.bool_)
        for row, truth in zip(found, self.truths):
            row[truth.class_ids[~truth.ignored]] = True
        return found

    def aligned_to(self, labels: Sequence[str]) -> BoxDataset:
        """The same with class indices that follow ``labels``, a model's; the model may know more classes.

        Raises:
            DatasetError: A class of the data is none of the model's.
        """
        order = np.array(places_in(self.labels, labels), np.int64)
        truths = (dataclasses.replace(truth, class_ids=order[truth.class_ids]) for truth in self.truths)
        return BoxDataset(tuple(labels), self.images, tuple(truths), order, self.points)


@dataclass(frozen=True, eq=False)
class BoxSplit:
    """One split as a reader finds it: places of its images in the listing, the truth of each, names of points."""

    places: list[int]
    truths: list[Boxes]
    points: tuple[str, ...] = ()


def open_boxes(
    data: str | Path, split: str | None = None, *, prefer: str = "test", also: Also | None = None
) -> BoxDataset:
    """Images with boxes.

    Args:
        data: A folder or .zip of images with COCO .json files (one a split: the split's name is in the path, e.g.
            annotations/instances_val2017.json) or Pascal VOC .xml files (one an image of the same name).
        split: The split to open. None: the only one, else the one that ``prefer`` leads to.
        prefer: As for ``open_dataset``.
        also: What of the objects to read, too. "outlines" are read where the annotations have any, "points" have to be
            there.

    Raises:
        DatasetError: There are no annotations, they are damaged (the message names the file), or there is no such
            split.
    """
    from edgevision.datasets.coco import coco_files, read_coco
    from edgevision.datasets.voc import read_voc

    tree = open_tree(data)
    files = coco_files(tree, "person_keypoints" if also == "points" else "instances")
    if files:
        name = choose_split(tree.where, tuple(files), split, prefer)
        labels, found = read_coco(tree, files[name], also)
        return _dataset(tree, labels, name, tuple(files), found)
    if tree.named(".xml") and also != "points":
        labels, splits = read_voc(tree)
        name = choose_split(tree.where, tuple(splits), split, prefer)
        return _dataset(tree, labels, name, tuple(splits), splits[name])
    expected = "COCO .json files with images, annotations and categories"
    expected += "" if also == "points" else ", or Pascal VOC .xml files"
    got = ", ".join("/".join(parts) for parts in sorted(tree.documents)[:4]) or "images alone"
    raise DatasetError(f"{data} has no boxes", expected=expected, got=got, cure="put the annotations beside the images")


def _dataset(tree: Tree, labels: tuple[str, ...], name: str, splits: tuple[str, ...], found: BoxSplit) -> BoxDataset:
    images = tree.dataset(name, splits, found.places)
    return BoxDataset(labels, images, tuple(found.truths), np.arange(len(labels), dtype=np.int64), found.points)


def ordered(splits: Mapping[str, BoxSplit]) -> dict[str, BoxSplit]:
    """Train first, then val, test and the undivided one."""
    return {name: splits[name] for name in ("train", "val", "test", "all") if name in splits}
