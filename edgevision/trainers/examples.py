"""What is trained on: examples at the model's input size, whatever their labels are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Called with (stage, done, total).
Progress = Callable[[str, int, int], None] | None


@dataclass(frozen=True, eq=False)
class Example:
    """One image, or one window of frames, with what is to be learned about it; augmentation makes another of it.

    Attributes:
        pixels: uint8 (H, W, C), or (frames, H, W, C) of a window, in the colour order of the preprocessing.
        label: Shares of the classes, float32 (classes,), 1 at the class it is of; None without classes.
        boxes: float32 (n, 4) x1, y1, x2, y2 in ``pixels``; None where there are none to find.
        class_ids: int64 (n,), classes of the boxes.
        mask: Classes of the pixels, uint8 (H, W), ``datasets.masks.IGNORED`` where nothing is judged; None without.
    """

    pixels: NDArray[np.uint8]
    label: NDArray[np.float32] | None = None
    boxes: NDArray[np.float32] | None = None
    class_ids: NDArray[np.int64] | None = None
    mask: NDArray[np.uint8] | None = None


class Examples(ABC):
    """A part of the data, brought to the model's input; safe to read from several threads.

    Attributes:
        labels: Class names.
        sizes: (height, width) of each in the data, pixels; empty where that is not known.
        unreadable: What is wrong with each image that was left out because it cannot be read.
    """

    labels: tuple[str, ...]
    sizes: Sequence[tuple[int, int]] = ()
    unreadable: tuple[str, ...] = ()

    @abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    @abstractmethod
    def __getitem__(self, index: int) -> Example:
        """One of them, not augmented; its arrays must not be written to."""

    @abstractmethod
    def name(self, index: int) -> str:
        """Where it lies in the data, for messages and reports."""

    @abstractmethod
    def content_hash(self) -> str:
        """Hex sha256 of what is in it."""


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Examples to train on and, or None, examples to choose the best epoch by; same labels."""

    train: Examples
    validation: Examples | None

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the model's outputs."""
        return self.train.labels

    @property
    def unreadable(self) -> tuple[str, ...]:
        """What is wrong with each image that was left out."""
        return self.train.unreadable + (() if self.validation is None else self.validation.unreadable)

    def provenance(self) -> dict[str, Any]:
        """Hashes and counts of both, for the model's record."""
        held = self.validation
        return {
            "images": len(self.train),
            "data_sha256": self.train.content_hash(),
            "val_images": 0 if held is None else len(held),
            "val_data_sha256": None if held is None else held.content_hash(),
            "unreadable_images": len(self.unreadable),
        }
