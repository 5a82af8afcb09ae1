"""Which images are trained on and which are held out, and whether they can be trained on at all."""

from __future__ import annotations

import numpy as np

from edgevision.datasets import Dataset, DataSource, open_dataset
from edgevision.datasets.splits import stratified
from edgevision.runtime.errors import DatasetError


def open_labelled(data: DataSource | Dataset, validation_split: float, seed: int) -> tuple[Dataset, Dataset | None]:
    """The train split; the val split where there is one, else a stratified share of train, None of no share.

    Raises:
        DatasetError: Nothing usable there: one class only, a class without training images, ...
    """
    train = data if isinstance(data, Dataset) else open_dataset(data, prefer="train")
    check_classes(train)
    if not isinstance(data, Dataset) and train.split != "val" and "val" in train.splits:
        return train, open_dataset(data, "val")
    kept, held = stratified(train.targets, float(validation_split), seed)
    return train.subset(kept), train.subset(held) if len(held) else None


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
