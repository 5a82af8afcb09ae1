"""Pairs of images that show the same or not: from a list, or made from a folder per person (or thing)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets.dataset import Dataset, OfImages
from edgevision.datasets.folders import is_tree
from edgevision.datasets.layout import Parts, is_image
from edgevision.datasets.opening import open_dataset
from edgevision.datasets.splits import choose_split
from edgevision.datasets.tree import Finder, Tree, open_tree, split_of
from edgevision.runtime.errors import DatasetError

#: Most pairs of a kind (same, different) that are made from folders; of more a seeded choice is taken.
MOST_PAIRS = 50_000
#: Of more images than this different pairs are drawn, not listed: there would be millions.
_LISTED = 2_000

_SAME = {
    "1": True,
    "same": True,
    "true": True,
    "yes": True,
    "0": False,
    "different": False,
    "false": False,
    "no": False,
}


@dataclass(frozen=True, eq=False)
class PairDataset(OfImages):
    """Images, and which pairs of them show the same.

    Attributes:
        images: The images, each once, without labels.
        pairs: int64 (n, 2), indices into ``images``.
        same: bool (n,), whether the two show the same.
    """

    images: Dataset
    pairs: NDArray[np.int64]
    same: NDArray[np.bool_]


def open_pairs(data: str | Path, split: str | None = None, *, prefer: str = "test") -> PairDataset:
    """Pairs for verification.

    Args:
        data: A folder or .zip with a list pairs.csv (also pairs_test.csv, ...: two images and 1 or 0 a line, with or
            without a head), or without one PERSON/IMAGE with train/, val/, test/ above or not: then all pairs, at most
            ``MOST_PAIRS`` of each kind.
        split: The split to open. None: the only one, else the one that ``prefer`` leads to.
        prefer: As for ``open_dataset``.

    Raises:
        DatasetError: There are no pairs of both kinds, the list is damaged or names images that are not there (the
            message names file and line), or there is no such split.
    """
    if is_tree(Path(data)):
        tree = open_tree(data)
        lists = {
            split_of(parts): parts for parts in tree.named(".csv", ".txt") if parts[-1].lower().startswith("pairs")
        }
        if lists:
            name = choose_split(tree.where, tuple(lists), split, prefer)
            return _checked(_listed(tree, lists[name], name, tuple(lists)), data)
    return _checked(all_pairs(open_dataset(data, split, prefer=prefer)), data)


def _listed(tree: Tree, document: Parts, name: str, splits: tuple[str, ...]) -> PairDataset:
    finder, places, same = Finder(tree), list[int](), list[bool]()
    text = tree.text(document)
    rows = csv.reader(text.splitlines(), delimiter="," if "," in text else "\t" if "\t" in text else " ")
    for number, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row if cell.strip()]
        word = cells[2].lower() if len(cells) == 3 else ""
        if not cells or (number == 1 and not is_image(cells[0])):  # an empty line, the head
            continue
        if word not in _SAME:
            expected = "image,image,1 or image,image,0"
            raise tree.damaged(document, f"has a line that is no pair: {number}", expected=expected, got=",".join(row))
        places += [finder(cells[0], document), finder(cells[1], document)]
        same.append(_SAME[word])
    unique, pairs = np.unique(np.array(places, np.int64), return_inverse=True)
    images = tree.dataset(name, splits, [int(place) for place in unique])
    return PairDataset(images, pairs.reshape(-1, 2).astype(np.int64), np.array(same, np.bool_))


def all_pairs(dataset: Dataset) -> PairDataset:
    """All pairs of a labelled data set's images, at most ``MOST_PAIRS`` of each kind: of more a seeded choice."""
    people = dataset.targets
    # RandomState's stream is frozen for good: the same pairs everywhere.
    random = np.random.RandomState(0)
    groups = [np.flatnonzero(people == person) for person in np.unique(people)]
    kinds = [np.concatenate([_combined(group) for group in groups]), _different(people, random)]
    kinds = [kind if len(kind) <= MOST_PAIRS else kind[random.choice(len(kind), MOST_PAIRS, False)] for kind in kinds]
    return PairDataset(dataset, np.concatenate(kinds), np.repeat([True, False], [len(kind) for kind in kinds]))


def _combined(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """All pairs, int64 (n, 2)."""
    return np.stack([places[side] for side in np.triu_indices(len(places), 1)], axis=1).astype(np.int64)


def _different(people: NDArray[np.int64], random: np.random.RandomState) -> NDArray[np.int64]:
    """Pairs of different people: all, or of many images at least so many as are wanted."""
    if len(people) <= _LISTED:
        pairs = _combined(np.arange(len(people), dtype=np.int64))
    else:
        pairs = np.unique(np.sort(random.randint(0, len(people), (4 * MOST_PAIRS, 2)), axis=1), axis=0)
    found: NDArray[np.int64] = pairs[people[pairs[:, 0]] != people[pairs[:, 1]]].astype(np.int64)
    return found


def _checked(found: PairDataset, data: str | Path) -> PairDataset:
    count = int(found.same.sum())
    if not 0 < count < len(found.same):
        got = f"{count} same, {len(found.same) - count} different"
        cure = "give a pairs.csv, or two or more folders of which one has two or more images"
        raise DatasetError(
            f"{data} has not both kinds of pairs", expected="same and different ones", got=got, cure=cure
        )
    return found
