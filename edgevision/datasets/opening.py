"""open_dataset and open_images: one door for every kind of data."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from edgevision.datasets.arrays import Found, read_npz
from edgevision.datasets.dataset import Dataset
from edgevision.datasets.folders import is_tree, list_images
from edgevision.datasets.idx import is_idx, read_idx
from edgevision.datasets.layout import labelled, unlabelled
from edgevision.datasets.masks import has_masks, open_masks
from edgevision.datasets.named import KERAS, NAMED, named_reader
from edgevision.datasets.splits import choose_split
from edgevision.runtime.errors import DatasetError

DataSource = str | Path


def open_dataset(data: DataSource, split: str | None = None, *, prefer: str = "test") -> Dataset:
    """Labelled images.

    Args:
        data: A folder or .zip of CLASS/IMAGE (train/, val/, test/ may lie on top, and one folder may wrap
            it all), an .npz (images, labels; see ``datasets.arrays``), MNIST's idx files (a folder or .zip of them, or
            one file of images), "digits", "cifar10", "keras:NAME" (``named.KERAS``) or "tfds:NAME".
        split: The split to open. None: the only one, else the one that ``prefer`` leads to.
        prefer: "test" takes test, else val, else train; "train" takes train and nothing else.

    Raises:
        DatasetError: Nothing usable there; no such split; labels missing. Damaged images inside show
            when they are decoded.
        MissingPackageError: The package that brings the data set of that name is not installed.
    """
    return _chosen(str(data), _find(data, labels=True), split, prefer)


def open_images(data: DataSource, split: str | None = None, *, prefer: str = "train") -> Dataset:
    """Images without their labels, from any layout of folders; for calibration and prediction.

    Takes what ``open_dataset`` takes, and folders of any depth; of images with masks (``open_masks``) the images. When
    the data is divided into train, val and test, only one split is opened, train by default: test images must not take
    part in calibration.

    Raises:
        DatasetError: No images there, or no such split.
        MissingPackageError: The package that brings the data set of that name is not installed.
    """
    masked = _masked(data, split, prefer)
    if masked is not None:
        return masked
    opened = _chosen(str(data), _find(data, labels=False), split, prefer)
    bare = tuple(entry._replace(label=None) for entry in opened.entries)
    return dataclasses.replace(opened, labels=(), entries=bare, named=True)


def _masked(data: DataSource, split: str | None, prefer: str) -> Dataset | None:
    """The images without the pictures that are masks; None where there are none of these."""
    if (
        named_reader(str(data)) is not None
        or not is_tree(Path(data))
        or not has_masks(list_images(Path(data))[0].images)
    ):
        return None
    try:
        return open_masks(data, split, prefer=prefer).images
    except DatasetError:  # a folder only called like one of masks
        return None


def _find(data: DataSource, labels: bool) -> Found:
    reader = named_reader(data) if isinstance(data, str) else None
    if reader is not None:
        return reader()
    path = Path(data)
    if path.is_file() and path.suffix.lower() == ".npz":
        return read_npz(path, labels)
    if path.is_file() and is_idx(path.name):
        return read_idx(path, labels)
    if not is_tree(path):
        names = (*NAMED, *(f"keras:{name}" for name in KERAS), "tfds:NAME")
        raise DatasetError(
            f"{data} is no data set",
            expected="a folder, a .zip, an .npz, idx files, " + " or ".join(names),
            got="a file of another kind" if path.exists() else "nothing at that path",
            cure="check the path",
        )
    listing, store = list_images(path)
    if not listing.images and list_images(path, is_idx)[0].images:
        return read_idx(path, labels)
    classes, entries = labelled(listing) if labels else ((), unlabelled(listing))
    return classes, True, {split: (store, found) for split, found in entries.items()}


def _chosen(where: str, found: Found, split: str | None, prefer: str) -> Dataset:
    labels, named, parts = found
    name = choose_split(where, tuple(parts), split, prefer)
    store, entries = parts[name]
    return Dataset(labels, name, tuple(parts), entries, store, named)
