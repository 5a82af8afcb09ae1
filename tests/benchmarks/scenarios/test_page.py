"""Pages of scenarios: in a real browser as every report, and what their pictures say."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from edgevision.benchmarks.scenarios import conditions
from edgevision.benchmarks.scenarios.findings import Endurance, Pace, Throughput
from edgevision.benchmarks.scenarios.report import ScenarioReport
from edgevision.benchmarks.scenarios.run import Scenario
from edgevision.benchmarks.scenarios.shown.endurance import curve
from edgevision.runtime.errors import InputError
from tests.browser import DESK, PHONE, Browser, browser
from tests.scenario_reports import ARTIFACTS, scenario_report

_DRAWN = "return [...document.querySelectorAll('main svg[role=img]')].map((each) => each.getBoundingClientRect().width)"


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.mark.parametrize(
    "scenario",
    # One page in the fast tier: the one with most on it.
    [pytest.param(name, marks=[pytest.mark.slow] if name != "sustained" else []) for name in get_args(Scenario)],
)
def test_it_opens_alone_and_is_accessible_in_both_themes(window: Browser, tmp_path: Path, scenario: Scenario) -> None:
    page = scenario_report(scenario).write(tmp_path / "page.html")
    for theme, size in (("light", DESK), ("dark", PHONE)):
        window.show(theme=theme, size=size)
        found = window.open(page)
        assert found.requests == () and found.errors == ()
        assert window.violations() == []
        assert min(window.run(_DRAWN)) > 150
    assert window.run("return document.documentElement.scrollWidth") == PHONE[0]


def test_burst_heat_and_clock_are_drawn_apart(window: Browser, tmp_path: Path) -> None:
    window.show()
    window.open(scenario_report("sustained").write(tmp_path / "page.html"))
    labels = window.run("return [...document.querySelectorAll('.over svg[role=img]')].map((each) => each.ariaLabel)")
    assert labels[:3] == [
        "int8.tflite over time: burst 12.0 ms, last third 18.0 ms (1.50\N{MULTIPLICATION SIGN}); "
        "50 to 84 °C; 2400 to 1600 MHz",
        "Temperature: 50 to 84 °C",
        "Clock: 1600 to 2400 MHz",
    ]
    assert len(labels) == 3 * len(ARTIFACTS)


def test_lines_of_the_burst_and_of_what_lasts_are_where_they_belong() -> None:
    report = scenario_report("sustained")
    picture = report.shown.picture(report.findings)
    first = picture["rows"][0]
    ticks = {tick["text"]: tick["y"] for tick in first["ticks"]}
    assert abs(first["burst"]["y"] - ticks["12 ms"]) < 2 and abs(first["lasting"]["y"] - ticks["18 ms"]) < 2
    assert first["burst"]["x"] == 0 and first["burst"]["width"] == pytest.approx(1000 * 10 / 300, abs=1)
    assert first["lasting"]["x"] == pytest.approx(667, abs=1) and first["lasting"]["width"] == pytest.approx(333, abs=1)
    assert [tick["text"] for tick in picture["ticks"]] == ["0", "100", "200", "300"]


def test_a_machine_that_does_not_tell_has_no_curves_of_heat() -> None:
    report = scenario_report("sustained")
    found = {**report.played[0].found, "states": [{"at_ns": 0, "temperature_c": None, "mhz": None}]}
    played = (dataclasses.replace(report.played[0], replies=({**report.played[0].replies[0], "found": found},)),)
    silent = dataclasses.replace(report, played=played)
    assert silent.shown.picture(silent.findings)["rows"][0]["strips"] == []
    assert [each["value"] for each in silent.shown.tiles(silent.findings)][1:] == ["not measured"] * 2
    assert "°C" not in silent.to_html()


@pytest.mark.parametrize("calls", [1, 2, 79, 80, 5000])
def test_a_curve_of_any_number_of_calls(calls: int) -> None:
    report = scenario_report("sustained")
    found = report.played[0].found
    short = {**found, "calls_ns": found["calls_ns"][:calls], "ends_ns": found["ends_ns"][:calls]}
    played = (dataclasses.replace(report.played[0], replies=({**report.played[0].replies[0], "found": short},)),)
    made = dataclasses.replace(report, played=played)
    (finding,) = made.findings
    assert isinstance(finding, Endurance)
    assert len(curve(finding)[0]) == {1: 1, 2: 2, 79: 79, 80: 8, 5000: 150}[calls]
    assert "nan" not in made.to_html().lower() and finding.artifact in made.headline()


def test_bars_are_as_long_as_what_they_stand_for() -> None:
    report = scenario_report("offline")
    rows = report.shown.picture(report.findings)["rows"]
    widths = {(row["name"], bar["label"]): bar["width"] for row in rows for bar in row["bars"]}
    found = [each for each in report.findings if isinstance(each, Throughput)]
    rates = {(each.artifact, f"lists of {each.count}"): each.per_second for each in found}
    assert {key: width / max(widths.values()) for key, width in widths.items()} == pytest.approx(
        {key: rate / max(rates.values()) for key, rate in rates.items()}, rel=1e-3
    )


def test_frames_add_up_to_the_whole_bar() -> None:
    report = scenario_report("rate")
    for row, finding in zip(report.shown.picture(report.findings)["rows"], report.findings):
        assert isinstance(finding, Pace)
        assert sum(segment["width"] for segment in row["segments"]) == pytest.approx(row["end"], abs=0.01)
        shares = {segment["kind"]: segment["width"] / row["end"] for segment in row["segments"]}
        assert shares.get("dropped", 0) == pytest.approx(finding.dropped / finding.frames, abs=1e-3)


@pytest.mark.parametrize(
    ("scenario", "headline"),
    [
        ("offline", "int8.tflite does most: 120 images a second in lists of 8."),
        ("concurrency", "int8.tflite does most: 175 images a second on 4 threads."),
        ("rate", "At 30 frames a second int8.tflite and int8.onnx are in time for 100.0 % of the frames, "),
        ("cold-start", "int8.tflite starts quickest: 46"),
        ("sustained", "int8.onnx takes 1.50\N{MULTIPLICATION SIGN} as long in the end as in its first seconds; 3 of 3"),
    ],
)
def test_all_forms_begin_with_what_came_out(scenario: Scenario, headline: str) -> None:
    report = scenario_report(scenario)
    assert report.headline().startswith(headline)
    told = report.headline().replace(" %", "\N{NO-BREAK SPACE}%")
    assert f"<h1>{told}</h1>" in report.to_html()
    for form in (report.to_text(), report.to_markdown()):
        assert report.headline() in form and "int8.xml was not measured: openvino is not installed." in form


def test_starts_that_overlap_are_tied() -> None:
    report = scenario_report("cold-start")
    again = dataclasses.replace(report.played[0], artifact="int8.onnx")
    both = dataclasses.replace(report, played=(report.played[0], again, report.played[2]))
    assert both.headline() == "int8.tflite and int8.onnx start quickest, and cannot be told apart."


def test_what_speaks_against_a_run_is_said() -> None:
    host = scenario_report("rate").host
    hot = {**host["after"], "throttled": {"bits": 4, "now": ["throttled"], "since_boot": []}}
    report = scenario_report(
        "sustained",
        options={"seconds": 5.0},
        images={"kind": "golden", "name": "golden inputs", "split": "", "distinct": 8},
        host={**host, "before": {**host["before"], "load_average": 3.0}, "after": hot},
    )
    notes = " ".join(conditions.notes(report))
    for words in ("was throttled: throttled", "load average 3.0 on 4", "Golden images", "5 s show no heat"):
        assert words in notes and words in report.to_html()


def test_what_is_no_report_of_a_scenario_is_refused() -> None:
    plain = scenario_report("rate").to_dict()
    for changes, words in (
        ({"schema_version": 99}, "newer edgevision"),
        ({"scenario": "party"}, "nothing to report"),
        ({"played": []}, "nothing to report"),
        ({"bundle": 3}, "bundle"),
        ({"played": [{**plain["played"][0], "replies": [{"found": {}}]}]}, "not usable"),
    ):
        with pytest.raises(InputError, match=words):
            ScenarioReport.from_json(json.dumps({**plain, **changes}))
    with pytest.raises(InputError, match="not JSON"):
        ScenarioReport.from_json("[")
