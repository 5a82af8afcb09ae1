"""Which images are trained on and which are held out, and whether they can be trained on at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevision.datasets import Dataset, DataSource, open_dataset
from edgevision.datasets.splits import stratified
from edgevision.runtime.errors import DatasetError, InputError


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Images to train on and, or None, images to choose the best epoch by; same labels."""

    train: Dataset
    validation: Dataset | None

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the label indices."""
        return self.train.labels

    def provenance(self) -> dict[str, Any]:
        """Hashes and counts of both, for the model's record."""
        held = self.validation
        return {
            "images": len(self.train),
            "data_sha256": self.train.content_hash(),
            "val_images": 0 if held is None else len(held),
            "val_data_sha256": None if held is None else held.content_hash(),
        }


def open_training_data(data: DataSource | Dataset, validation_split: float, seed: int) -> TrainingData:
    """The train split; the val split where there is one, else a stratified share of train.

    Raises:
        DatasetError: Nothing usable there: one class only, a class without training images, ...
        InputError: The share is not usable.
    """
    if not 0 <= validation_split < 1:
        raise InputError("validation_split is not usable", expected="a share 0 <= x < 1", got=str(validation_split))
    train = data if isinstance(data, Dataset) else open_dataset(data, prefer="train")
    _check(train)
    if not isinstance(data, Dataset) and train.split != "val" and "val" in train.splits:
        return TrainingData(train, open_dataset(data, "val"))
    kept, held = stratified(train.targets, float(validation_split), seed)
    return TrainingData(train.subset(kept), train.subset(held) if len(held) else None)


def _check(data: Dataset) -> None:
    classes = len(data.labels)
    if classes < 2:
        raise DatasetError(
            "there is nothing to tell apart",
            expected="two or more classes",
            got=f"only {data.labels[0]!r}" if classes else "images without labels",
            cure="add a folder of images for each class",
        )
    if len(data) < classes:
        raise DatasetError(
            "there are fewer images than classes",
            expected=f"at least {classes} images",
            got=str(len(data)),
            cure="add images, or number the labels from 0 without gaps",
        )
    counts = np.bincount(data.targets, minlength=classes)
    bare = [data.labels[index] for index in np.flatnonzero(counts == 0)]
    if bare:
        where = "" if data.split == "all" else f" in the {data.split} split"
        raise DatasetError(
            f"class {bare[0]!r} has no images{where}",
            expected=f"images of all {classes} classes",
            got=f"{len(bare)} without: {', '.join(bare[:8])}",
            cure="add training images of it, or remove it from the other splits",
        )
