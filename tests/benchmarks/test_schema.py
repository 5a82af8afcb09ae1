"""docs/report-schema.md is what reports really hold: every field, and of the type it says."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from edgevision.benchmarks.environment import machine_state
from edgevision.benchmarks.protocol import Protocol
from edgevision.benchmarks.report.model import (
    SCHEMA_VERSION,
    AccuracyRecord,
    Flip,
    Measured,
    ProcessRecord,
    Report,
)
from edgevision.benchmarks.scenarios.report import Played, ScenarioReport
from tests.benchmarks.test_report import measured, report
from tests.scenario_reports import scenario_report

TEXT = (Path(__file__).parents[2] / "docs" / "report-schema.md").read_text(encoding="utf-8")
TYPES: dict[str, Any] = {"text": str, "int": int, "number": (int, float), "bool": bool, "list": list, "object": dict}
RECORDS: tuple[type[Any], ...] = (
    *(Report, Measured, ProcessRecord, AccuracyRecord, Flip, Protocol, ScenarioReport, Played),
)


def documented(heading: str) -> dict[str, str]:
    """Field -> type as the section says."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([a-z]+\??) \|", section, re.MULTILINE))


def check(heading: str, values: dict[str, Any]) -> None:
    for name, kind in documented(heading).items():
        value = values[name]
        assert (value is None and kind.endswith("?")) or isinstance(value, TYPES[kind.rstrip("?")]), (heading, name)
        assert kind.startswith("bool") or not isinstance(value, bool), (heading, name)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_field_is_documented(record: type[Any]) -> None:
    assert set(documented(record.__name__)) == {item.name for item in dataclasses.fields(record)}


def test_the_version_is_the_documented_one() -> None:
    assert f"Schema version {SCHEMA_VERSION};" in TEXT and f"| `schema_version` | int | {SCHEMA_VERSION} |" in TEXT


def test_the_state_of_the_machine_is_documented() -> None:
    assert set(documented("State of the machine")) == set(machine_state())


def test_a_report_holds_what_is_documented() -> None:
    process = ProcessRecord(1, 2, 3, 4, True, tuple(range(20)), 5, 6, (0, 1), 0.25)
    made = report(
        artifacts=(measured("int8.tflite", 0.1, processes=(process,), steady_bytes=7),),
        protocol=dataclasses.asdict(Protocol()),
        energy={"meter": "some", "idle_w": 2.0},
    )
    plain = json.loads(made.to_json())
    assert set(plain) == set(documented("Report")) | {"summary"}
    check("Report", plain)
    check("Measured", plain["artifacts"][0])
    check("ProcessRecord", plain["artifacts"][0]["processes"][0])
    check("AccuracyRecord", plain["accuracy"])
    check("Flip", dataclasses.asdict(Flip("int8.tflite", "float32.tflite", 3, 0.9, 0.8, "abcd")))
    check("Protocol", plain["protocol"])
    check("State of the machine", machine_state())
    assert Report.from_json(made.to_json()) == made


def test_a_scenario_holds_what_is_documented() -> None:
    plain = json.loads(scenario_report("sustained").to_json())
    check("ScenarioReport", plain)
    check("Played", plain["played"][0])
    text = TEXT.split("## Played")[1]
    (reply,) = plain["played"][0]["replies"]
    named = {*plain["options"], *reply, *reply["phases"], *reply["found"]["states"][0]}
    assert all(f"`{name}`" in TEXT.split("# The JSON of a scenario")[1] for name in named), named
    for scenario in ("offline", "rate", "sustained", "concurrency"):
        found = scenario_report(scenario).played[0].found
        assert all(f"`{name}`" in text for name in (found if isinstance(found, dict) else found[0]))
