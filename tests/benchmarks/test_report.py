"""What a report concludes and how it is shown, on made-up measurements."""

from __future__ import annotations

import dataclasses
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.benchmarks.report import AccuracyRecord, Measured, Report, charts, text_table, words
from edgevision.benchmarks.report.findings import fastest, summary
from edgevision.benchmarks.report.scatter import accuracy_picture
from edgevision.benchmarks.report.tables import environment_rows
from edgevision.runtime.errors import InputError, MissingPackageError, OutputExistsError
from edgevision.runtime.manifest import Agreement, Gate


def measured(name: str, infer_ms: float, **changes: Any) -> Measured:
    """200 runs in 20 rounds; every round a little different, alike for all artifacts."""
    noise = 1 + 0.05 * np.sin(np.arange(200))
    fields: dict[str, Any] = {
        "artifact": name,
        "format": {"tflite": "tflite", "onnx": "onnx", "xml": "openvino"}[name.split(".")[1]],
        "precision": name.split(".")[0],
        "size_bytes": 134_000 if name.startswith("int8") else 496_000,
        "sha256": "0f" * 32,
        "int8_macs": float(name.startswith("int8")),
        "passed": True,
        "engine": {"engine": "some", "version": "1.0", "provider": "CPU", "float_precision": "float32", "threads": 1},
        "import_ns": 80_000_000,
        "load_ns": 20_000_000,
        "first_ns": 1_000_000,
        "warmup_runs": 100,
        "settled": True,
        "block": 10,
        "stages_ns": {
            "decode": [100_000] * 200,
            "preprocess": [5_000] * 200,
            "infer": [int(value) for value in infer_ms * 1e6 * noise],
            "postprocess": [10_000] * 200,
        },
        "base_bytes": 9_000_000,
        "peak_bytes": 56_000_000,
    }
    return Measured(**{**fields, **changes})


def report(**changes: Any) -> Report:
    truth = np.arange(1000) % 10
    int8 = np.where(np.arange(1000) < 30, (truth + 1) % 10, truth)
    fields: dict[str, Any] = {
        "bundle": "cnn.edge",
        "created": "2026-01-02T03:04:05+00:00",
        "command": "edgevision.benchmark('cnn.edge', data='photos')",
        "gate": Gate(True, 1.0, "accuracy", 1000),
        "artifacts": (measured("float32.tflite", 0.4), measured("int8.tflite", 0.1), measured("int8.onnx", 0.2)),
        "overhead": measured("int8.tflite", 0.004),
        "images": {"kind": "data", "name": "photos", "split": "test", "distinct": 200},
        "accuracy": AccuracyRecord(
            "photos",
            "test",
            "cd" * 32,
            tuple(truth.tolist()),
            {"float32.tflite": truth.tolist(), "int8.tflite": int8.tolist(), "int8.onnx": int8.tolist()},
        ),
        "host": {"cpu": "Cortex-A76", "machine": "aarch64", "cpus": 4, "cpus_total": 4, "load_average": 0.1},
        "versions": {"edgevision": "0.1.0"},
        "provenance": {"model": {"sha256": "ab" * 32}},
    }
    return Report(**{**fields, **changes})


def test_the_fastest_is_named_with_intervals() -> None:
    best = fastest(report())
    assert best.name == "int8.tflite" and best.is_clear
    ratio = best.ratios["int8.onnx"]
    assert ratio is not None and 1 < ratio.low <= ratio.value <= ratio.high
    assert ratio.value == pytest.approx(0.315 / 0.215, rel=0.02)
    assert words.fastest_sentence(report()).startswith(
        "int8.tflite is the fastest here: the next, int8.onnx, takes 1.4"
    )


def test_what_cannot_be_told_apart_is_said_to_be_tied() -> None:
    rng = np.random.default_rng(1)
    runs = []
    for name in ("int8.tflite", "int8.onnx"):
        stages = {**measured(name, 0.1).stages_ns, "infer": rng.integers(90_000, 110_000, 200).tolist()}
        runs.append(measured(name, 0.1, stages_ns=stages))
    even = report(artifacts=tuple(runs), accuracy=None)
    assert not fastest(even).is_clear
    assert "cannot be told apart" in even.headline()
    assert {row["here"] for row in even.summary_rows()} == {"tied"}


def test_a_difference_as_small_as_that_of_two_starts_is_no_difference() -> None:
    near = report(artifacts=(measured("int8.tflite", 0.1), measured("int8.onnx", 0.102)), accuracy=None)
    assert fastest(near).tied == ("int8.onnx",)
    ratio = fastest(near).ratios["int8.onnx"]
    assert ratio is not None and ratio.low > 1


def test_few_rounds_prove_nothing() -> None:
    short = {stage: values[:4] for stage, values in measured("int8.tflite", 0.1).stages_ns.items()}
    slow = {**short, "infer": [10**9] * 4}
    few = report(
        artifacts=(
            measured("int8.tflite", 0.1, stages_ns=short, block=1),
            measured("int8.onnx", 0.1, stages_ns=slow, block=1),
        ),
        accuracy=None,
    )
    assert fastest(few).tied == ("int8.onnx",)
    assert {row["p50"] for row in few.summary_rows()} == {words.DASH}
    assert any("p50, p90 and p99 left out" in note for note in words.notes(few))


def test_an_artifact_that_failed_is_never_the_fastest() -> None:
    bad = report(artifacts=(measured("int8.tflite", 0.1, passed=False), measured("float32.tflite", 0.4)))
    assert fastest(bad).name == "float32.tflite"
    assert [(row["artifact"], row["here"]) for row in bad.summary_rows()][-1] == ("int8.tflite", "failed")
    assert any("not to be used: int8.tflite" in note for note in words.notes(bad))


def test_the_headline_holds_verdict_fastest_and_cost() -> None:
    text = report().headline()
    assert "Gate passed: every artifact stayed within 1 point" in text
    assert re.search(r"int8\.tflite costs 3\.0 points of accuracy \(95 % interval \N{MINUS SIGN}4\.3 to ", text)
    assert report(gate=Gate(False, 0.5, "accuracy", 10)).headline().startswith("Gate failed")
    assert report(gate=None).headline().startswith("No accuracy gate")


def test_too_few_images_for_the_gate_are_neither_passed_nor_failed() -> None:
    gate = Gate(True, 1.0, "accuracy", 300, "", "undecided", 860, 12, ("the images are odd",))
    made = report(gate=gate)
    assert made.headline().startswith("Gate undecided: every artifact was seen within 1 point of float on 300")
    assert "Not enough images to tell: need about 860." in made.headline()
    page = made.to_html()
    assert "Gate undecided." in page and ">Undecided<" in page and "The images are odd." in page
    assert "12 calibration images were among the 300 that judged." in page


def test_accuracy_of_the_conversion_is_used_when_there_is_no_other() -> None:
    agreement = Agreement(900, 0.97, None, None, -3.0, (-4.4, -2.1), True)
    old = report(accuracy=None, artifacts=(measured("int8.tflite", 0.1, agreement=agreement),))
    assert "same class as float in 97.0 % of cases on 900 images when it was converted" in old.headline()
    assert any("that of the conversion" in note for note in words.notes(old))
    assert accuracy_picture(old) is None


def test_doubts_are_noted() -> None:
    doubtful = report(
        host={"cpus": 2, "load_average": 3.0},
        skipped={"int8.xml": "openvino is not installed"},
        artifacts=(measured("int8.tflite", 0.1, settled=False),),
        accuracy=AccuracyRecord("p", "all", "", (0,) * 20, {"int8.tflite": [0] * 20}),
    )
    notes = " ".join(words.notes(doubtful))
    for part in (
        "int8.xml was not measured",
        "busy: load average 3.0 on 2",
        "not settled",
        "20 images only",
        "p99 left out",
    ):
        assert part in notes
    assert words.notes(report(host={"cpus": 2, "load_average": 0.2}))[0].startswith("p99 left out")


def test_unstable_latency_is_noted() -> None:
    stages = dict(measured("int8.tflite", 0.1).stages_ns)
    stages["infer"] = [100_000] * 100 + [400_000] * 100
    assert any(
        "unstable" in note for note in words.notes(report(artifacts=(measured("int8.tflite", 1, stages_ns=stages),)))
    )


def test_json_round_trip_with_everything_in_it() -> None:
    agreement = Agreement(900, 0.97, 0.9, 0.91, -1.0, (-2.0, 0.5), True)
    full = report(artifacts=(measured("int8.tflite", 0.1, agreement=agreement),), remarks=("so",), skipped={"a": "b"})
    assert Report.from_json(full.to_json()) == full
    assert summary(full)["fastest"]["artifact"] == "int8.tflite"


def test_tables_align_in_text_and_in_markdown() -> None:
    rows = [{"artifact": "a|b", "p50": "1 ms"}, {"artifact": "longer", "p50": "10 ms"}]
    assert text_table(rows).splitlines()[2:] == ["a|b        1 ms", "longer    10 ms"]
    assert text_table(rows, markdown=True).splitlines()[1:3] == ["| -------- | ----: |", "| a\\|b     |  1 ms |"]
    assert text_table([]) == ""


def test_markdown_is_a_document() -> None:
    text = report().to_markdown()
    assert text.startswith("# Benchmark of cnn.edge\n\nGate passed")
    assert "| artifact " in text and "\n## Notes\n" in text


@pytest.mark.parametrize(("share", "text"), [(1.0, "100.0 %"), (0.9999, ">99.9 %"), (0.5, "50.0 %")])
def test_percent_never_rounds_up_to_all(share: float, text: str) -> None:
    assert words.percent(share) == text


def test_numbers_in_words() -> None:
    assert [words.milliseconds(v) for v in (0.2134, 1.2345, 12.345, 1234.5)] == [
        "0.213 ms",
        "1.23 ms",
        "12.3 ms",
        "1234 ms",
    ]
    assert [words.size(v) for v in (812, 134_000, 1_540_000, 177_000_000)] == ["0.8 kB", "134 kB", "1.5 MB", "177 MB"]
    assert [words.points(v) for v in (0.3, -1.24, -0.04)] == ["+0.3", "\N{MINUS SIGN}1.2", "0.0"]


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.11), (0.2, 40.0), (5.0, 5.0), (99.0, 100.0)])
def test_axes_hold_their_values_and_have_ticks(low: float, high: float) -> None:
    axis = charts.Axis.around(low, high)
    assert 0 <= axis.at(low) <= axis.at(high) <= 1
    assert 2 <= len(axis.ticks()) <= 12


class Page(HTMLParser):
    """Collects what a page would load, and its structure."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "link", "img", "iframe", "object", "use"):
            self.loads.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "xlink:href")]


def test_the_page_needs_nothing_but_itself() -> None:
    text = report().to_html()
    page = Page()
    page.feed(text)
    assert page.loads == ["script"]
    assert not re.search(r"https?://|url\(|@import|//cdn", text)
    (policy,) = [values["content"] or "" for _, values in page.tags if "http-equiv" in values]
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe-inline" not in policy.split(";")[1]
    assert "prefers-color-scheme: dark" in text


def test_the_page_is_accessible() -> None:
    page = Page()
    page.feed(report().to_html())
    attributes = [dict(values, tag=tag) for tag, values in page.tags]
    assert all("scope" in each for each in attributes if each["tag"] == "th")
    pictures = [each for each in attributes if each["tag"] == "svg"]
    assert pictures and all(each.get("aria-label") or "aria-hidden" in each for each in pictures)
    assert {"lang": "en"}.items() <= next(each for each in attributes if each["tag"] == "html").items()
    assert sum(each["tag"] == "h1" for each in attributes) == 1
    assert all(each.get("tabindex") == "0" for each in attributes if each.get("role") == "region")


def test_names_are_escaped() -> None:
    text = report(bundle="<script>alert(1)</script>").to_html()
    assert "<script>alert" not in text and text.count("<script") == 1 and "&lt;script&gt;" in text


def test_without_its_script_the_table_is_plain() -> None:
    page = Page()
    page.feed(report().to_html())
    (controls,) = [values for _, values in page.tags if values.get("class") == "controls"]
    assert "hidden" in controls and not [tag for tag, _ in page.tags if tag == "button"]


def test_two_artifacts_need_no_filter() -> None:
    few = report(artifacts=(measured("float32.tflite", 0.4), measured("int8.tflite", 0.1)))
    assert "artifact-controls" not in few.to_html()


def test_the_page_needs_jinja2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingPackageError, match=r"edgevision\[report\]"):
        report().to_html()


@pytest.mark.parametrize("changes", [{"accuracy": None}, {"overhead": None}, {"gate": None, "provenance": {}}])
def test_the_page_does_without_what_is_missing(changes: dict[str, Any]) -> None:
    assert "Where the time goes" in report(**changes).to_html()


def test_files_are_written_by_suffix(tmp_path: Path) -> None:
    for name, start in (("r.json", "{"), ("r.md", "# Benchmark"), ("r.html", "<!doctype html>")):
        assert report().write(tmp_path / name).read_text(encoding="utf-8").startswith(start)
    with pytest.raises(InputError, match=r"\.json or \.md or \.html"):
        report().write(tmp_path / "r.pdf")
    with pytest.raises(OutputExistsError):
        report().write(tmp_path / "r.md", force=False)


def test_a_null_run_is_no_artifact() -> None:
    assert "no engine" not in {row["artifact"] for row in report().summary_rows()}
    assert dataclasses.replace(report(), overhead=None).to_dict()["summary"]["overhead_ms"] is None


def test_the_environment_says_what_ran_and_how_hot_it_was() -> None:
    engine = {"engine": "some", "version": "1.0", "provider": "XNNPACK", "float_precision": "float32", "threads": 1}
    runs = tuple(
        measured(name, 0.1, engine={**engine, "delegated": share})
        for name, share in (("int8.tflite", 0.9), ("float32.tflite", 1.0))
    )
    hot = {"temperature_c": 71.6, "power_mode": "15W", "throttled": {"bits": 4, "now": ["throttled"], "since_boot": []}}
    rows = {row["item"]: row["value"] for row in environment_rows(report(artifacts=runs, host=hot))}
    assert rows["some"] == "1.0, XNNPACK, floats in float32, 1 thread, 90% or more of the operators there"
    assert (rows["temperature before"], rows["power mode"]) == ("72 degrees Celsius", "15W")
    assert rows["throttled before"] == "throttled"
    assert "operators" not in {row["item"]: row["value"] for row in environment_rows(report())}["some"]
