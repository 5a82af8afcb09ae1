"""Images of which each may show several classes at once: a table beside them says which."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets.aligning import places_in
from edgevision.datasets.dataset import Dataset, OfImages
from edgevision.datasets.layout import Parts
from edgevision.datasets.splits import choose_split
from edgevision.datasets.tree import Finder, Tree, open_tree, split_of
from edgevision.runtime.errors import DatasetError

_STEMS = ("labels", "classes", "_classes", "tags")


@dataclass(frozen=True, eq=False)
class TagDataset(OfImages):
    """Images and the classes that are in each.

    Attributes:
        labels: Class names.
        images: The images, without labels.
        present: bool (images, classes).
    """

    labels: tuple[str, ...]
    images: Dataset
    present: NDArray[np.bool_]

    def aligned_to(self, labels: Sequence[str]) -> TagDataset:
        """The same with columns in a model's order.

        Raises:
            DatasetError: The class names are not the same set.
        """
        if len(labels) != len(self.labels):
            places_in(labels, self.labels)  # says which the data lacks
        order = places_in(self.labels, labels)
        present = np.zeros((len(self), len(labels)), np.bool_)
        present[:, order] = self.present
        return TagDataset(tuple(labels), self.images, present)


def open_tags(data: str | Path, split: str | None = None, *, prefer: str = "test") -> TagDataset:
    """Images with any number of classes each.

    Args:
        data: A folder or .zip with a table labels.csv (also _classes.csv, labels_test.csv, test/labels.csv, ...): the
            head names the image's column and the classes, each line an image and 1 or 0 per class.
        split: The split to open. None: the only one, else the one that ``prefer`` leads to.
        prefer: As for ``open_dataset``.

    Raises:
        DatasetError: There is no table, it is damaged or names images that are not there (the message names file and
            line), or there is no such split.
    """
    tree = open_tree(data)
    tables = {split_of(parts): parts for parts in tree.named(".csv") if parts[-1].lower().startswith(_STEMS)}
    if not tables:
        got = ", ".join("/".join(parts) for parts in tree.documents[:4]) or "images alone"
        raise DatasetError(f"{data} has no table of labels", expected="labels.csv: image,CLASS,CLASS,...", got=got)
    name = choose_split(tree.where, tuple(tables), split, prefer)
    labels, places, present = _table(tree, tables[name])
    return TagDataset(labels, tree.dataset(name, tuple(tables), places), present)


def _table(tree: Tree, document: Parts) -> tuple[tuple[str, ...], list[int], NDArray[np.bool_]]:
    finder, rows = Finder(tree), list(csv.reader(tree.text(document).splitlines()))
    labels = tuple(cell.strip() for cell in rows[0][1:]) if rows else ()
    if not labels or len(set(labels)) < len(labels) or not all(labels) or len(rows) < 2:
        got = ",".join(rows[0])[:80] if rows else "nothing"
        raise tree.damaged(document, "is no table of labels", expected="a head image,CLASS,CLASS,... and rows", got=got)
    places, present = [], []
    for number, row in enumerate(rows[1:], 2):
        cells = [cell.strip() for cell in row]
        if len(cells) != len(labels) + 1 or any(cell not in ("0", "1") for cell in cells[1:]):
            got, expected = ",".join(row)[:80], f"an image and {len(labels)} times 0 or 1"
            raise tree.damaged(document, f"has a line that is not usable: {number}", expected=expected, got=got)
        places.append(finder(cells[0], document))
        present.append([cell == "1" for cell in cells[1:]])
    return labels, places, np.array(present, np.bool_)
