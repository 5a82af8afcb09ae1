"""Scenarios with real processes, and what is made of their times."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from edgevision.benchmarks.report.words import DASH
from edgevision.benchmarks.scenarios import run
from edgevision.benchmarks.scenarios.report import Played, ScenarioReport
from edgevision.benchmarks.scenarios.run import Scenario, benchmark_scenario
from edgevision.runtime.errors import InputError, OutputExistsError

OPTIONS = {"seconds": 0.2, "rate": 30.0, "sizes": [4], "counts": [1], "threads": None}
IMAGES = {"kind": "golden", "name": "golden inputs of the bundle", "split": "", "distinct": 8}


def report(scenario: str, found: Any, starts: int = 1) -> ScenarioReport:
    phases = {"import_ns": 3e6, "load_ns": 2e6, "first_ns": 1e6}
    replies = tuple({"phases": phases, "found": found, "start_ns": (i + 1) * 1e6} for i in range(starts))
    played = (Played("int8.onnx", {}, replies),)
    return ScenarioReport(scenario, "a.edge", "now", OPTIONS, IMAGES, played, {"cpu": "some"}, {"x.xml": "no engine"})


@pytest.mark.parametrize("scenario", get_args(Scenario))
def test_every_scenario_on_a_real_bundle(scenario: Scenario, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_STARTS", 2)
    options: dict[str, Any] = {} if scenario == "cold-start" else {"seconds": 0.2}
    artifact = ["float32.onnx"]
    found = benchmark_scenario(bundle, scenario, artifacts=artifact, sizes=(1, 3), counts=(1, 2), **options)
    assert {row["artifact"] for row in found.rows()} == set(artifact)
    assert len(found.rows()) == (2 if scenario in ("offline", "concurrency") else 1)
    assert found.played[0].engine["backend"] == "onnx"
    plain = json.loads(found.to_json())
    assert plain["schema_version"] == 1 and plain["host"]["before"].keys() == plain["host"]["after"].keys()
    assert found.bundle in found.to_text() and "| int8.onnx" not in found.to_markdown()
    assert ScenarioReport.from_json(found.to_json()) == found


def test_a_cold_start_ends_with_the_first_result(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process does afterwards, like letting go of its engine, is not part of it."""
    phases = "{'import_ns': 1, 'load_ns': 1, 'first_ns': 1}"
    reply = f"{{'engine': {{}}, 'phases': {phases}, 'answered_ns': time.perf_counter_ns(), 'found': {{}}}}"
    script = f"import json, time; input(); print(json.dumps({reply})); time.sleep(1)"
    monkeypatch.setattr(run, "_COMMAND", [sys.executable, "-c", script])
    monkeypatch.setattr(run, "_STARTS", 1)
    (played,) = benchmark_scenario(bundle, "cold-start", artifacts=["int8.onnx"]).played
    assert 0 < played.replies[0]["start_ns"] < 1e9


def test_throughput() -> None:
    (row,) = report("offline", [{"size": 4, "lists_ns": [2e6] * 30}]).rows()
    assert (row["list"], row["images/s"], row["p50"], row["p99"]) == ("4", "2000.0", "2.00 ms", DASH)


def test_late_and_dropped_frames_are_not_in_time() -> None:
    (row,) = report("rate", {"period_ns": 10e6, "ages_ns": [4e6] * 6 + [12e6] * 2, "dropped": 2}).rows()
    assert (row["frames"], row["in time"], row["late"], row["dropped"]) == ("10", "60.0 %", "2", "2")


def test_what_lasts_is_apart_from_the_burst() -> None:
    calls = [1e6] * 10_000 + [2e6] * 20_000  # throttled after ten seconds
    ends, total = [], 0.0
    for call in calls:
        total += call
        ends.append(total)
    states = [{"at_ns": 0, "temperature_c": 50.0, "mhz": 1800.0}, {"at_ns": 1, "temperature_c": 82.0, "mhz": 1000.0}]
    (row,) = report("sustained", {"calls_ns": calls, "ends_ns": ends, "states": states}).rows()
    assert (row["burst p50"], row["sustained p50"], row["sustained / burst"]) == ("1.00 ms", "2.00 ms", "2.00 slower")
    assert (row["degrees"], row["MHz"]) == ("50 to 82", "1800 to 1000")


def test_a_cold_start_has_its_interval() -> None:
    (row,) = report("cold-start", {}, starts=10).rows()
    assert (row["process to result"], row["95 % interval"]) == ("5.50 ms", "2.00 ms to 9.00 ms")
    assert (row["import"], row["load"], row["first"], row["processes"]) == ("3.00 ms", "2.00 ms", "1.00 ms", "10")


def test_files(tmp_path: Path) -> None:
    found = report("cold-start", {}, starts=2)
    assert json.loads(found.write(tmp_path / "a.json").read_text())["scenario"] == "cold-start"
    assert found.write(tmp_path / "a.md").read_text().startswith("# Cold start: a.edge")
    with pytest.raises(OutputExistsError):
        found.write(tmp_path / "a.md", force=False)
    with pytest.raises(InputError, match="no report"):
        found.write(tmp_path / "a.txt")


@pytest.mark.parametrize(
    "options",
    [{"scenario": "party"}, {"seconds": 0}, {"rate": float("nan")}, {"sizes": (0,)}, {"counts": ()}, {"sizes": (1.5,)}],
)
def test_options_that_measure_nothing(options: dict[str, Any], bundle: Path) -> None:
    with pytest.raises(InputError):
        benchmark_scenario(bundle, **{"scenario": "offline", **options})
