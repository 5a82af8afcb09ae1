"""What runs artifacts on labelled data, whatever the task."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from edgevision.benchmarks.figures import Figures
from edgevision.datasets import Dataset
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.manifest import Manifest


class Judge(ABC):
    """Gives samples one by one, takes what all artifacts answered, and counts at the end.

    Attributes:
        split: Split of the data.
        images: The images that samples are made of, for reports; None where samples are no images.
        needs_float: Whether artifacts are judged by a float32 artifact's answers.
    """

    needs_float: ClassVar[bool] = False
    split: str = "all"
    images: Dataset | None = None

    @classmethod
    @abstractmethod
    def open(cls, manifest: Manifest, data: str | Path, split: str | None) -> Judge:
        """The judge of a bundle on data."""

    @abstractmethod
    def __len__(self) -> int:
        """How many samples there are."""

    @abstractmethod
    def name(self, index: int) -> str:
        """Name of a sample, for messages."""

    @abstractmethod
    def read(self, index: int) -> Any:
        """A sample as a predictor takes it: pixels where it is an image.

        Raises:
            ImageError: It cannot be read.
            DatasetError: Its label cannot be used.
        """

    @abstractmethod
    def add(self, index: int, results: Mapping[str, Any]) -> None:
        """Takes each artifact's result on a sample that was read."""

    @abstractmethod
    def figures(self) -> dict[str, Figures]:
        """What each artifact got on the samples added.

        Raises:
            DatasetError: They are too few to say anything.
        """

    @property
    def options(self) -> dict[str, Any]:
        """Options of ``load`` that artifacts are opened with."""
        return {}

    def truths(self) -> Iterable[bytes]:
        """What samples are judged by, in their order."""
        return ()

    def content_hash(self) -> str:
        """Hex sha256 of all images and of what they are judged by, in their order: of the same, two runs are paired.

        Raises:
            ImageError: An image can no longer be read.
        """
        digest = hashlib.sha256("".join([] if self.images is None else self.images.image_hashes()).encode())
        for truth in self.truths():
            digest.update(hashlib.sha256(truth).digest())
        return digest.hexdigest()


class ImageSamples(Judge):
    """A judge whose samples are single images."""

    images: Dataset

    def __init__(self, images: Dataset) -> None:
        self.images, self.split = images, images.split

    def __len__(self) -> int:
        return len(self.images)

    def name(self, index: int) -> str:
        """See ``Judge.name``."""
        return self.images.entries[index].name

    def read(self, index: int) -> Any:
        """See ``Judge.read``: uint8 (H, W, 3), RGB."""
        return self.images[index].decode()


def check_size(name: str, found: Sequence[int], annotated: Sequence[int] | None, what: str) -> None:
    """Refuses an image of another size than its annotation's, (height, width) each; None where that does not tell.

    Raises:
        DatasetError: They differ.
    """
    if annotated is not None and tuple(found) != tuple(annotated):
        expected, got = (f"{width}x{height} pixels" for height, width in (annotated, found))
        cure = "annotate the images as they are, or turn and scale them as they were annotated"
        raise DatasetError(f"{name} is not of the size of its {what}", expected=expected, got=got, cure=cure)
