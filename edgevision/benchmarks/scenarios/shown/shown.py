"""What every kind of finding is told by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from edgevision.benchmarks.report.words import DASH, TIMES, milliseconds
from edgevision.benchmarks.scenarios.findings import Finding, Floats
from edgevision.benchmarks.statistics import percentiles

Row = dict[str, str]
Tile = dict[str, str]
AnyFinding = TypeVar("AnyFinding", bound=Finding)


class Shown(ABC, Generic[AnyFinding]):
    """How one kind of finding is told. Findings are never empty, and those of an artifact follow each other.

    Attributes:
        title: What it is called.
        options: What is told of the options: name -> key.
        template: What draws ``picture``, beside the report's templates.
        lead: What the table's columns say.
        method: How it was measured.
    """

    title: str
    options: Mapping[str, str]
    template: str
    lead: str
    method: str

    @abstractmethod
    def find(self, artifact: str, replies: Sequence[Mapping[str, Any]]) -> list[AnyFinding]:
        """What an artifact's raw times say.

        Args:
            artifact: Its name.
            replies: One per process, see ``scenarios.report.Played``.
        """

    @abstractmethod
    def rows(self, found: Sequence[AnyFinding]) -> list[Row]:
        """The table: column name -> text."""

    @abstractmethod
    def headline(self, found: Sequence[AnyFinding]) -> str:
        """What came out, in a sentence."""

    @abstractmethod
    def tiles(self, found: Sequence[AnyFinding]) -> list[Tile]:
        """Up to three figures with a sentence each: "name", "value", "text"."""

    @abstractmethod
    def picture(self, found: Sequence[AnyFinding]) -> dict[str, Any]:
        """Geometry for the template."""


def spread(values: Floats, prefix: str = "") -> Row:
    """p50, p90 and p99, as far as so many values support them."""
    known = percentiles(values)
    return {f"{prefix}{name}": milliseconds(known[name]) if name in known else DASH for name in ("p50", "p90", "p99")}


def tile(name: str, value: str, text: str) -> Tile:
    """A figure with a sentence."""
    return {"name": name, "value": value, "text": text}


def stacked(parts: Mapping[str, float], width: float, whole: float) -> tuple[list[dict[str, Any]], float]:
    """Parts of a bar one behind the other.

    Args:
        parts: Kind -> size, in order.
        width: Of the bar of something as large as ``whole``, percent.
        whole: In the parts' unit.

    Returns:
        "kind", "x" and "width", percent, of each, and where the last one ends.
    """
    found, x = [], 0.0
    for kind, value in parts.items():
        share = width * value / whole
        found.append({"kind": kind, "x": round(x, 3), "width": round(share, 3)})
        x += share
    return found, round(x, 3)


def times(ratio: float) -> str:
    """How many times: "1.31x"."""
    return f"{ratio:.2f}{TIMES}"


def with_twins(names: Iterable[str]) -> list[tuple[str, str]]:
    """int8 artifacts with the float32 artifact of their format, where both are there."""
    known = list(names)
    pairs = [(name, f"float32.{name.partition('.')[2]}") for name in known if name.startswith("int8.")]
    return [(name, twin) for name, twin in pairs if twin in known]
