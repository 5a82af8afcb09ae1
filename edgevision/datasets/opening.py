"""open_dataset and open_images: one door for every kind of data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevision.datasets.arrays import read_npz
from edgevision.datasets.dataset import Dataset, Entry
from edgevision.datasets.folders import is_tree, list_images
from edgevision.datasets.layout import labelled, unlabelled
from edgevision.datasets.named import NAMED
from edgevision.datasets.splits import choose_split
from edgevision.datasets.stores import Store
from edgevision.runtime.errors import DatasetError

DataSource = str | Path


@dataclass(frozen=True)
class _Found:
    where: str
    labels: tuple[str, ...]
    named: bool
    splits: dict[str, tuple[Store, tuple[Entry, ...]]]


def open_dataset(data: DataSource, split: str | None = None, *, prefer: str = "test") -> Dataset:
    """Labelled images.

    Args:
        data: A folder or .zip of CLASS/IMAGE (train/, val/, test/ may lie on top, and one folder may wrap
            it all), an .npz (images, labels; see ``datasets.arrays``), "digits" or "cifar10".
        split: The split to open. None: the only one, else the one that ``prefer`` leads to.
        prefer: "test" takes test, else val, else train; "train" takes train and nothing else.

    Raises:
        DatasetError: Nothing usable there; no such split; labels missing. Damaged images inside show
            when they are decoded.
        MissingPackageError: The package that brings "digits" or "cifar10" is not installed.
    """
    return _chosen(_find(data, labels=True), split, prefer)


def open_images(data: DataSource, split: str | None = None, *, prefer: str = "train") -> Dataset:
    """Images without their labels, from any layout of folders; for calibration and prediction.

    Takes what ``open_dataset`` takes, and folders of any depth. When the data is divided into train, val
    and test, only one split is opened, train by default: test images must not take part in calibration.

    Raises:
        DatasetError: No images there, or no such split.
        MissingPackageError: The package that brings "digits" or "cifar10" is not installed.
    """
    return _chosen(_find(data, labels=False), split, prefer)


def _find(data: DataSource, labels: bool) -> _Found:
    if isinstance(data, str) and data in NAMED:
        names, named, splits = NAMED[data]()
        return _Found(data, names, named, dict(splits)) if labels else _without_labels(data, dict(splits))
    path = Path(data)
    if path.is_file() and path.suffix.lower() == ".npz":
        names, named, splits = read_npz(path, labels)
        return _Found(str(data), names, named, dict(splits))
    if not is_tree(path):
        raise DatasetError(
            f"{data} is no data set",
            expected="a folder, a .zip, an .npz, " + " or ".join(f"'{name}'" for name in NAMED),
            got="a file of another kind" if path.exists() else "nothing at that path",
            cure="check the path",
        )
    listing, store = list_images(path)
    names, entries = labelled(listing) if labels else ((), unlabelled(listing))
    return _Found(str(data), names, True, {split: (store, found) for split, found in entries.items()})


def _without_labels(where: str, splits: dict[str, tuple[Store, tuple[Entry, ...]]]) -> _Found:
    bare = {
        split: (store, tuple(entry._replace(label=None) for entry in entries))
        for split, (store, entries) in splits.items()
    }
    return _Found(where, (), True, bare)


def _chosen(found: _Found, split: str | None, prefer: str) -> Dataset:
    splits = tuple(found.splits)
    name = choose_split(found.where, splits, split, prefer)
    store, entries = found.splits[name]
    return Dataset(found.labels, name, splits, entries, store, found.named)
