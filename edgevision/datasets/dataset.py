"""Dataset: what every kind of data looks like once it is open."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets.aligning import listed
from edgevision.datasets.stores import RawImage, Store
from edgevision.runtime.errors import DatasetError, ImageError
from edgevision.runtime.images import decode

#: Name of the only split of data that is not divided.
UNDIVIDED = "all"


@dataclass(frozen=True, eq=False)
class Sample:
    """One image of a data set, not decoded yet.

    Attributes:
        image: A file's path, an encoded file's bytes, or pixels: uint8 (H, W) or (H, W, 1|3) RGB.
        label: Index into the data set's ``labels``; None in data opened without labels.
        name: Where it lies in the data, for messages and reports.
    """

    image: RawImage
    label: int | None
    name: str

    def decode(self) -> NDArray[np.uint8]:
        """The pixels, uint8 (H, W, 3) RGB, by the decoder that the device uses.

        Raises:
            ImageError: The image is damaged or none; the message names the sample.
        """
        try:
            return decode(self.image)
        except ImageError as error:
            if self.name in error.problem:
                raise
            # The decoder knows bytes and arrays only as "the image".
            rest = error.problem.removeprefix("the image ")
            problem = f"{self.name} {rest}" if rest != error.problem else f"{self.name}: {rest}"
            raise ImageError(problem, expected=error.expected, got=error.got, cure=error.cure) from error


class Entry(NamedTuple):
    """One image before it is read: its name, its label and its place in the store."""

    name: str
    label: int | None
    place: int


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with or without labels; an image is read when it is asked for.

    Safe to read from several threads at once.

    Attributes:
        labels: Class names, in the order of the label indices; empty when opened without labels.
            All splits of the same data have the same labels.
        split: Which split this is; "all" for data that is not divided.
        splits: Every split the data has.
        entries: The images, in a fixed order: sorted by path, or as they lie in the array.
        store: Where the images are read from.
        named: Whether the class names come from the data, and are not just "0", "1", ...
    """

    labels: tuple[str, ...]
    split: str
    splits: tuple[str, ...]
    entries: tuple[Entry, ...]
    store: Store
    named: bool = True

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Sample:
        entry = self.entries[index]
        return Sample(self.store.read(entry.place), entry.label, entry.name)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    @property
    def names(self) -> tuple[str, ...]:
        """Where each image lies in the data."""
        return tuple(entry.name for entry in self.entries)

    @property
    def targets(self) -> NDArray[np.int64]:
        """The label indices, int64 (images,).

        Raises:
            DatasetError: The data was opened without labels.
        """
        if not self.labels:
            raise DatasetError("the data has no labels", expected="labelled images", cure="use open_dataset")
        return np.array([entry.label for entry in self.entries], np.int64)

    def subset(self, indices: Iterable[int] | NDArray[np.integer]) -> Dataset:
        """The images at ``indices``, in that order, with the same labels.

        Raises:
            DatasetError: An index is outside 0..len - 1.
        """
        chosen = [int(index) for index in indices]
        wrong = [index for index in chosen if not 0 <= index < len(self)]
        if wrong:
            raise DatasetError("an index is outside the data", expected=f"0..{len(self) - 1}", got=str(wrong[0]))
        return dataclasses.replace(self, entries=tuple(self.entries[index] for index in chosen))

    def image_hashes(self) -> list[str]:
        """Hex sha256 of every image's bytes, in their order.

        Raises:
            ImageError: An image can no longer be read.
        """
        return [_digest(sample) for sample in self]

    def content_hash(self) -> str:
        """Hex sha256 of the labels and of every image's bytes.

        Names and order do not count: a folder and its zip have the same hash. Reads every image.

        Raises:
            ImageError: An image can no longer be read.
        """
        rows = [f"{sample.label} {_digest(sample)}" for sample in self]
        return hashlib.sha256("\n".join([repr(self.labels), *sorted(rows)]).encode()).hexdigest()

    def aligned_to(self, labels: Sequence[str]) -> Dataset:
        """The same images with label indices that follow ``labels``, a model's class names.

        Matched by name, whatever the order. Data whose classes are only numbers is matched by number.

        Raises:
            DatasetError: The class names are not the same set, or there are more classes than names.
        """
        wanted = tuple(labels)
        if self.labels == wanted:
            return self
        if not self.named:
            return self._numbered(wanted)
        missing, unknown = sorted(set(wanted) - set(self.labels)), sorted(set(self.labels) - set(wanted))
        if missing or unknown or len(wanted) != len(self.labels):
            raise DatasetError(
                "the data's classes are not the model's",
                expected=listed(wanted),
                got=f"{listed(self.labels)} (missing: {listed(missing)}; unknown: {listed(unknown)})",
                cure="rename the class folders to the model's labels",
            )
        order = [wanted.index(label) for label in self.labels]
        entries = (entry._replace(label=_moved(entry.label, order)) for entry in self.entries)
        return dataclasses.replace(self, labels=wanted, entries=tuple(entries))

    def _numbered(self, wanted: tuple[str, ...]) -> Dataset:
        if len(self.labels) > len(wanted):
            raise DatasetError(
                "the data's classes are not the model's",
                expected=f"label numbers 0..{len(wanted) - 1} ({listed(wanted)})",
                got=f"0..{len(self.labels) - 1}",
            )
        return dataclasses.replace(self, labels=wanted)


class OfImages:
    """Images, and what is known about each beside its class.

    Attributes:
        images: The images.
    """

    images: Dataset

    def __len__(self) -> int:
        return len(self.images)

    @property
    def split(self) -> str:
        """Which split this is."""
        return self.images.split


def _moved(label: int | None, order: list[int]) -> int | None:
    return None if label is None else order[label]


def _digest(sample: Sample) -> str:
    image = sample.image
    if isinstance(image, np.ndarray):
        return hashlib.sha256(f"{image.dtype} {image.shape} ".encode() + image.tobytes()).hexdigest()
    try:
        data = image.read_bytes() if isinstance(image, Path) else image
    except OSError as error:
        raise ImageError(f"{sample.name} cannot be read", got=error.strerror or str(error)) from error
    return hashlib.sha256(data).hexdigest()
