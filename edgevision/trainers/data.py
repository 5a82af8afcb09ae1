"""Which images are trained on and which are held out, and whether they can be trained on at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import BoxDataset, ClipDataset, Dataset, DataSource, MaskDataset, open_dataset
from edgevision.datasets.splits import stratified
from edgevision.runtime.errors import DatasetError

Part = TypeVar("Part", Dataset, BoxDataset, MaskDataset, ClipDataset)
Divisible = TypeVar("Divisible", Dataset, BoxDataset, MaskDataset)


def held_out(
    data: Any,
    train: Part,
    open_split: Callable[[Any, str], Part],
    divide: Callable[[], tuple[Part, Part | None]],
) -> tuple[Part, Part | None]:
    """What is trained on, and what judges it: the val split where there is one, else what ``divide`` makes of train.

    Args:
        data: As it was handed in; of an open data set nothing else is opened.
        train: What was opened of it.
        open_split: Opens a split of the data by its name.
        divide: Divides ``train``.
    """
    images = train if isinstance(train, Dataset) else train.images
    if not isinstance(data, type(train)) and images.split != "val" and "val" in images.splits:
        return train, open_split(data, "val")
    return divide()


def by_strata(
    data: Divisible, strata: NDArray[np.int64], share: float, seed: int
) -> tuple[Divisible, Divisible | None]:
    """A share held out, None of no share, to which every stratum gives its part.

    Args:
        data: What is divided.
        strata: The stratum of each image, int64 (images,).
        share: Of the images, 0 <= share < 1.
        seed: Chooses which.

    Raises:
        DatasetError: The share is not usable.
    """
    kept, held = stratified(strata, float(share), seed)
    return data.subset(kept), data.subset(held) if len(held) else None


def open_labelled(data: DataSource | Dataset, validation_split: float, seed: int) -> tuple[Dataset, Dataset | None]:
    """The train split; the val split where there is one, else a stratified share of train, None of no share.

    Raises:
        DatasetError: Nothing usable there: one class only, a class without training images, ...
    """
    train = data if isinstance(data, Dataset) else open_dataset(data, prefer="train")
    check_classes(train)
    return held_out(data, train, open_dataset, lambda: by_strata(train, train.targets, validation_split, seed))


def check_classes(data: Dataset, unreadable: tuple[str, ...] = ()) -> None:
    """Whether there are classes to tell apart and images of each.

    Args:
        data: What is to be trained on.
        unreadable: What is wrong with images that were left out.

    Raises:
        DatasetError: There are not.
    """
    cure = f"mend what cannot be read: {unreadable[0]}" if unreadable else ""
    classes = len(data.labels)
    if classes < 2:
        raise DatasetError(
            "there is nothing to tell apart",
            expected="two or more classes",
            got=f"only {data.labels[0]!r}" if classes else "images without labels",
            cure=cure or "add a folder of images for each class",
        )
    if len(data) < classes:
        raise DatasetError(
            "there are fewer images than classes",
            expected=f"at least {classes} images",
            got=str(len(data)),
            cure=cure or "add images, or number the labels from 0 without gaps",
        )
    counts = np.bincount(data.targets, minlength=classes)
    bare = [data.labels[index] for index in np.flatnonzero(counts == 0)]
    if bare:
        where = "" if data.split == "all" else f" in the {data.split} split"
        raise DatasetError(
            f"class {bare[0]!r} has no images{where}",
            expected=f"images of all {classes} classes",
            got=f"{len(bare)} without: {', '.join(bare[:8])}",
            cure=cure or "add training images of it, or remove it from the other splits",
        )
