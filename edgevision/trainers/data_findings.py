"""What a data report says, as values, text and warnings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgevision.runtime.manifest import to_plain

#: The most frequent class has at most so many times what the rarest has, or it is said.
_BALANCED = 10.0


@dataclass(frozen=True)
class SplitFacts:
    """One split.

    Attributes:
        name: "train", "validation", ...
        images: How many examples.
        classes: What each class has, by name: images, boxes or pixels as ``DataReport.unit`` says.
        sizes: Smallest, median and largest (height, width) by area, pixels of the data; empty where not known.
        unreadable: What is wrong with each image that was left out.
    """

    name: str
    images: int
    classes: dict[str, int]
    sizes: tuple[tuple[int, int], ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class Twins:
    """Images that are the same, or nearly.

    Attributes:
        names: Where they lie, each "SPLIT: NAME".
        is_same: Whether their pixels are the same at the model's input.
        is_leak: Whether they are in different splits.
        is_contradiction: Whether they are the same and have different labels.
    """

    names: tuple[str, ...]
    is_same: bool
    is_leak: bool
    is_contradiction: bool


@dataclass(frozen=True)
class DataReport:
    """What the data is like.

    Attributes:
        splits: One after another.
        unit: What a class's numbers count: "images", "boxes", "pixels", or "" without classes.
        doubles: Groups of images that are the same, how many there are.
        near_doubles: Pairs that are nearly the same, how many there are (``twins.near``).
        leaks: How many of both are in different splits.
        contradictions: How many groups of the same have different labels.
        twins: Leaks and contradictions first; at most 100.
    """

    splits: tuple[SplitFacts, ...]
    unit: str
    doubles: int
    near_doubles: int
    leaks: int
    contradictions: int
    twins: tuple[Twins, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What ought to be looked at, a line each, the gravest first."""
        return tuple(_warnings(self))

    def rows(self) -> list[list[str]]:
        """A table: a head, then a line per class with its number in each split."""
        head = [self.unit or "images", *(split.name for split in self.splits)]
        labels = self.splits[0].classes if self.splits else {}
        lines = [[label, *(f"{split.classes.get(label, 0):,}" for split in self.splits)] for label in labels]
        return [head, *lines, ["all images", *(f"{split.images:,}" for split in self.splits)]]

    def text(self) -> str:
        """Table and warnings for a terminal."""
        rows = self.rows()
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = [
            "  ".join(
                cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(zip(row, widths))
            )
            for row in rows
        ]
        return "\n".join([*lines, *_sizes(self), *(f"warning: {line}" for line in self.warnings)])

    def to_dict(self) -> dict[str, Any]:
        """As plain values ready for JSON."""
        plain: dict[str, Any] = to_plain(self)
        return {**plain, "warnings": list(self.warnings)}


def _sizes(report: DataReport) -> Iterator[str]:
    for split in report.splits:
        if split.sizes:
            least, median, most = (f"{width}x{height}" for height, width in split.sizes)
            yield f"{split.name}: images of {least} to {most}, median {median}"


def _warnings(report: DataReport) -> Iterator[str]:
    for split in report.splits:
        if split.unreadable:
            count = len(split.unreadable)
            yield f"{count} image{'s' * (count > 1)} of {split.name} left out, first: {split.unreadable[0]}"
    first = report.twins[0].names if report.twins else ()
    if report.contradictions:
        yield f"{report.contradictions} times the same image has different labels, first: {' and '.join(first[:2])}"
    if report.leaks:
        leak = next(group for group in report.twins if group.is_leak)
        yield f"{report.leaks} times the same image, or nearly, is in two splits, first: {' and '.join(leak.names[:2])}"
    if report.doubles or report.near_doubles:
        yield f"{report.doubles} images are there more than once, {report.near_doubles} pairs are nearly the same"
    for split in report.splits:
        counts = {label: count for label, count in split.classes.items() if count}
        empty = [label for label in split.classes if label not in counts]
        if empty:
            yield f"{split.name} has nothing of {', '.join(empty[:8])}"
        if counts and max(counts.values()) > _BALANCED * min(counts.values()):
            most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
            yield f"{split.name} has {counts[most]:,} {report.unit} of {most} and {counts[least]:,} of {least}"
