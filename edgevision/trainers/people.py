"""Images of people (or things) to be told from each other: every one has a number, none has a class."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import Dataset
from edgevision.datasets.pairs import all_pairs
from edgevision.runtime.errors import DatasetError
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.data import by_strata
from edgevision.trainers.examples import Progress, TrainingData
from edgevision.trainers.images import LabelledImages


class People(LabelledImages):
    """Images by who is on them. ``labels`` is empty: whom a model was trained on is no business of its users.

    Attributes:
        people: Who they are, in the order of ``targets``.
        pairs: int64 (n, 2), pairs of images for verification; none where there is only one person.
        same: bool (n,), whether a pair shows the same one.
    """

    def __init__(self, data: Dataset, p: Preprocessing, progress: Progress = None, *, strict: bool = True) -> None:
        super().__init__(data, p, progress, strict=strict)
        self.labels = ()
        self._know(data.labels, self.targets)

    def folds(self, count: int, seed: int) -> tuple[TrainingData, ...]:
        """Everybody is held out once, whole, and the others are trained on.

        Args:
            count: Of the parts; fewer where they would hold less than two people each, and none where that leaves one.
            seed: Chooses who is with whom.
        """
        count = min(count, len(self.people) // 2)
        order = np.random.RandomState(seed).permutation(len(self.people))  # the same people on every machine
        held = [np.isin(self.targets, order[part::count]) for part in range(count)] if count > 1 else []
        return tuple(TrainingData(self._part(~is_held), self._part(is_held)) for is_held in held)

    def _part(self, is_kept: NDArray[np.bool_]) -> People:
        part, places = copy.copy(self), np.flatnonzero(is_kept)
        part.data, part.pixels, part.unreadable = self.data.subset(places), self.pixels.subset(places), ()
        part.sizes = tuple(self.sizes[int(place)] for place in places)
        part._know(self.people, self.targets[places])
        return part

    def _know(self, names: Sequence[str], targets: NDArray[np.int64]) -> None:
        """Numbers those who are there, and pairs their images."""
        present, numbers = np.unique(targets, return_inverse=True)
        self.people = tuple(names[index] for index in present)
        self.targets = numbers.astype(np.int64)
        self._shares = np.eye(len(self.people), dtype=np.float32)[self.targets]
        found = all_pairs(self.data)
        self.pairs, self.same = found.pairs, found.same


def divided(data: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset | None]:
    """Some people, or where those would be less than two some images of each, held out.

    What is to be known is how well strangers are told apart; those the network was trained on it knows better.

    Args:
        data: Everybody.
        share: Of the people, 0 <= share < 1; 0 holds out none.
        seed: Chooses whom.

    Raises:
        DatasetError: The share is not usable.
    """
    targets = data.targets
    people = np.unique(targets)
    count = round(share * len(people))
    if 2 <= count <= len(people) - 2:
        # RandomState's stream is frozen for good: the same people on every machine.
        chosen = np.random.RandomState(seed).permutation(people)[:count]
        is_held = np.isin(targets, chosen)
        return data.subset(np.flatnonzero(~is_held)), data.subset(np.flatnonzero(is_held))
    return by_strata(data, targets, share, seed)


def check_people(data: Dataset) -> None:
    """Whether there is somebody to be told from somebody else, and somebody to be known again.

    Raises:
        DatasetError: There is not.
    """
    counts: NDArray[np.int64] = np.bincount(data.targets)
    people = int((counts > 0).sum())
    if people < 2 or counts.max() < 2:
        got = f"{people} of at most {int(counts.max(initial=0))} images"
        expected = "two or more people, and two or more images of one"
        cure = "make a folder of images for each person"
        raise DatasetError("there is nothing to tell apart", expected=expected, got=got, cure=cure)
