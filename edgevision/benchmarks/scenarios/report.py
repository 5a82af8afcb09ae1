"""What a scenario found: raw times, and tables made from them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.report.tables import text_table
from edgevision.benchmarks.report.words import DASH, milliseconds
from edgevision.benchmarks.report.writing import write
from edgevision.benchmarks.statistics import median_interval, percentiles

SCHEMA_VERSION = 1
#: The first so many seconds are a burst; what lasts is the last third.
BURST_S = 10.0
#: Sustained calls this much slower than the burst are called slower.
SLOWER = 1.05

Row = dict[str, str]
_TITLES = {
    "offline": "Offline throughput",
    "rate": "Frames at a fixed rate",
    "sustained": "Sustained",
    "cold-start": "Cold start",
    "concurrency": "Threads on one predictor",
}


@dataclass(frozen=True)
class Played:
    """One artifact.

    Attributes:
        artifact: Its name.
        engine: What the predictor said of itself.
        replies: Per process ``phases``, ``found`` (``play``) and ``start_ns``.
    """

    artifact: str
    engine: dict[str, Any]
    replies: tuple[dict[str, Any], ...]

    @property
    def found(self) -> Any:
        """What was played."""
        return self.replies[-1]["found"]


@dataclass(frozen=True)
class ScenarioReport:
    """One scenario on one machine; every raw time is in it.

    Attributes:
        scenario: Which.
        bundle: Name of the bundle.
        created: When, UTC.
        options: How long, how fast, how many.
        images: What was run.
        played: Per artifact.
        host: The machine; under ``before`` and ``after`` its state.
        skipped: Artifact -> why it was left out.
    """

    scenario: str
    bundle: str
    created: str
    options: dict[str, Any]
    images: str
    played: tuple[Played, ...]
    host: dict[str, Any]
    skipped: dict[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def rows(self) -> list[Row]:
        """The table: one row per artifact, and per size or number of threads."""
        make = {"offline": _offline, "rate": _rate, "sustained": _sustained, "concurrency": _concurrency}
        return [row for each in self.played for row in make.get(self.scenario, _cold_start)(each)]

    def to_json(self) -> str:
        """Everything, with the raw times."""
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True) + "\n"

    def to_text(self, *, markdown: bool = False) -> str:
        """Title, table, notes."""
        title = f"{_TITLES[self.scenario]}: {self.bundle}"
        notes = [f"- {name} was left out: {why}" for name, why in self.skipped.items()]
        parts = [f"# {title}" if markdown else title, text_table(self.rows(), markdown=markdown), *notes]
        machine = self.host.get("board") or self.host.get("cpu") or "unknown machine"
        return "\n\n".join([*parts, f"Measured {self.created} on {machine}, {self.images}."]) + "\n"

    def write(self, path: str | Path, *, force: bool = True) -> Path:
        """Writes .json with every raw time, or .md.

        Raises:
            InputError: Another suffix.
            OutputExistsError: ``path`` exists and ``force`` is False.
        """
        return write(path, {".json": self.to_json, ".md": lambda: self.to_text(markdown=True)}, force=force)


def _offline(each: Played) -> Iterator[Row]:
    for part in each.found:
        taken = _ms(part["lists_ns"])
        rate = 1e3 * part["size"] * taken.size / taken.sum()
        yield {"artifact": each.artifact, "list": str(part["size"]), "images/s": f"{rate:.1f}", **_spread(taken)}


def _rate(each: Played) -> Iterator[Row]:
    ages, period = _ms(each.found["ages_ns"]), each.found["period_ns"] / 1e6
    late, dropped = int((ages > period).sum()), each.found["dropped"]
    frames = ages.size + dropped
    yield {
        "artifact": each.artifact,
        "frames": str(frames),
        "in time": f"{100 * (frames - late - dropped) / frames:.1f} %",
        "late": str(late),
        "dropped": str(dropped),
        **{f"age {name}": value for name, value in _spread(ages).items()},
    }


def _sustained(each: Played) -> Iterator[Row]:
    calls, ends = _ms(each.found["calls_ns"]), np.asarray(each.found["ends_ns"]) / 1e9
    burst, lasting = calls[ends <= min(BURST_S, ends[-1] / 3)], calls[ends >= ends[-1] * 2 / 3]
    ratio = float(np.median(lasting) / np.median(burst)) if burst.size and lasting.size else 1.0
    heat = [state["temperature_c"] for state in each.found["states"] if state.get("temperature_c") is not None]
    pace = [state["mhz"] for state in each.found["states"] if state.get("mhz") is not None]
    yield {
        "artifact": each.artifact,
        "seconds": f"{ends[-1]:.0f}",
        "calls": str(calls.size),
        "burst p50": milliseconds(float(np.median(burst))) if burst.size else DASH,
        "sustained p50": milliseconds(float(np.median(lasting))),
        "sustained / burst": f"{ratio:.2f}" + (" slower" if ratio > SLOWER else ""),
        "degrees": f"{heat[0]:.0f} to {max(heat):.0f}" if heat else "not measured",
        "MHz": f"{max(pace):.0f} to {min(pace):.0f}" if pace else "not measured",
    }


def _concurrency(each: Played) -> Iterator[Row]:
    for part in each.found:
        calls = _ms(part["calls_ns"])
        rate = 1e9 * calls.size / part["wall_ns"]
        yield {"artifact": each.artifact, "threads": str(part["threads"]), "images/s": f"{rate:.1f}", **_spread(calls)}


def _cold_start(each: Played) -> Iterator[Row]:
    start = _ms([reply["start_ns"] for reply in each.replies])
    known = median_interval(start)
    row = {"artifact": each.artifact, "process to result": milliseconds(float(np.median(start)))}
    row["95 % interval"] = DASH if known is None else f"{milliseconds(known.low)} to {milliseconds(known.high)}"
    for name in ("import", "load", "first"):
        row[name] = milliseconds(float(np.median(_ms([reply["phases"][f"{name}_ns"] for reply in each.replies]))))
    yield {**row, "processes": str(start.size)}


def _spread(values: NDArray[np.float64]) -> Row:
    known = percentiles(values)
    return {name: milliseconds(known[name]) if name in known else DASH for name in ("p50", "p90", "p99")}


def _ms(nanoseconds: Any) -> NDArray[np.float64]:
    return np.asarray(nanoseconds, np.float64) / 1e6
