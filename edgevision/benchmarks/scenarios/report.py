"""What a scenario found: raw times, and how they are told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from edgevision.benchmarks.report.document import Document, listed_notes
from edgevision.benchmarks.report.model import Report
from edgevision.benchmarks.report.tables import text_table
from edgevision.benchmarks.report.words import images_run
from edgevision.benchmarks.scenarios import conditions
from edgevision.benchmarks.scenarios.findings import Finding
from edgevision.benchmarks.scenarios.shown.endurance import EnduranceShown
from edgevision.benchmarks.scenarios.shown.pace import PaceShown
from edgevision.benchmarks.scenarios.shown.shown import Row, Shown
from edgevision.benchmarks.scenarios.shown.start import StartShown
from edgevision.benchmarks.scenarios.shown.throughput import ThroughputShown
from edgevision.runtime.errors import BundleError, InputError
from edgevision.runtime.manifest import from_plain, to_plain

SCHEMA_VERSION = 1
_SHOWN: Mapping[str, Shown[Any]] = {
    "offline": ThroughputShown("list"),
    "rate": PaceShown(),
    "sustained": EnduranceShown(),
    "cold-start": StartShown(),
    "concurrency": ThroughputShown("threads"),
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
class ScenarioReport(Document):
    """One scenario on one machine; every raw time is in it.

    Attributes:
        scenario: Which.
        bundle: Name of the bundle.
        created: When, ISO 8601, UTC.
        options: How long, how fast, how many.
        images: What was run: ``kind``, ``name``, ``split``, ``distinct``, as in ``Report``.
        played: Per artifact.
        host: The machine; under ``before`` and ``after`` its state.
        skipped: Artifact -> why it was left out.
        schema_version: Version of these fields.
    """

    raw: ClassVar[bool] = True

    scenario: str
    bundle: str
    created: str
    options: dict[str, Any]
    images: dict[str, Any]
    played: tuple[Played, ...]
    host: dict[str, Any]
    skipped: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.scenario not in _SHOWN or not self.played:
            got = f"{self.scenario!r} of {len(self.played)} artifacts"
            raise InputError("there is nothing to report", expected="one of " + ", ".join(_SHOWN), got=got)

    @classmethod
    def from_json(cls, text: str) -> ScenarioReport:
        """The report that ``to_json`` wrote.

        Raises:
            InputError: It is no report of a scenario, or a newer edgevision wrote it.
        """
        cure = "pass the JSON that 'edgevision benchmark --scenario ... --out' wrote"
        try:
            plain = json.loads(text)
            version = plain.get("schema_version")
        except (ValueError, AttributeError) as error:
            raise InputError("the report is not JSON", got=str(error), cure=cure) from error
        if isinstance(version, int) and version > SCHEMA_VERSION:
            expected = f"schema version up to {SCHEMA_VERSION}"
            raise InputError(
                "the report was written by a newer edgevision",
                expected=expected,
                got=str(version),
                cure="upgrade edgevision",
            )
        try:
            found = from_plain(cls, plain)
            found.to_text()
        except BundleError as error:
            raise InputError(error.problem, expected=error.expected, got=error.got, cure=cure) from error
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            got = f"{type(error).__name__}: {error}"
            raise InputError("the report's times or options are not usable", got=got, cure=cure) from error
        return found

    @property
    def shown(self) -> Shown[Any]:
        """How its findings are told."""
        return _SHOWN[self.scenario]

    @property
    def findings(self) -> list[Finding]:
        """What the raw times say: one per artifact, of "offline" and "concurrency" one per size or thread count."""
        return [finding for each in self.played for finding in self.shown.find(each.artifact, each.replies)]

    def rows(self) -> list[Row]:
        """The table: one row per finding."""
        return self.shown.rows(self.findings)

    def headline(self) -> str:
        """What came out, in a sentence."""
        return self.shown.headline(self.findings)

    def title(self) -> str:
        """Which scenario, of which bundle."""
        return f"{self.shown.title}: {self.bundle}"

    def machine(self) -> str:
        """What it ran on."""
        return str(self.host.get("board") or self.host.get("cpu") or "unknown machine")

    def sections(self, *, markdown: bool) -> list[tuple[str, str]]:
        """See ``Document.sections``."""
        return [
            ("", self.headline()),
            ("", text_table(self.rows(), markdown=markdown)),
            ("Environment", text_table(conditions.environment_rows(self), markdown=markdown)),
            ("Run", text_table(conditions.run_rows(self), markdown=markdown)),
            ("Notes", listed_notes(conditions.notes(self))),
            ("", f"Measured {self.created} on {self.machine()}, {images_run(self.images)}."),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything, with the raw times, ready for JSON."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    def to_html(self) -> str:
        """See ``Document.to_html``."""
        from edgevision.benchmarks.scenarios.page import render_scenario

        return render_scenario(self)


def any_report(text: str) -> Report | ScenarioReport:
    """A report of either kind from its JSON.

    Raises:
        InputError: It is neither, or a newer edgevision wrote it.
    """
    try:
        is_scenario = "scenario" in json.loads(text)
    except (ValueError, TypeError):
        is_scenario = False
    return ScenarioReport.from_json(text) if is_scenario else Report.from_json(text)
