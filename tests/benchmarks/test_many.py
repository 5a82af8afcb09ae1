"""A table over many reports: what stands where, and what is marked."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from edgevision.benchmarks.report import Report
from edgevision.benchmarks.report.many import report_table
from tests.benchmarks.test_compare import noisy
from tests.benchmarks.test_report import Page, measured, report

PI, JETSON = ({"board": name, "cpus": 4, "cpus_total": 4, "machine": "aarch64"} for name in ("Pi 5", "Orin"))


def on(host: dict[str, Any], latencies: dict[str, float], **changes: Any) -> Report:
    runs = tuple(noisy(name, ms, seed) for seed, (name, ms) in enumerate(latencies.items()))
    return report(artifacts=runs, host=host, accuracy=None, **changes)


def test_rows_are_models_and_artifacts_and_columns_devices() -> None:
    table = report_table([on(PI, {"int8.tflite": 0.1, "int8.onnx": 0.2}), on(JETSON, {"int8.onnx": 0.05})])
    assert table.table_rows() == [
        {"model": "cnn", "artifact": "int8.onnx", "Pi 5, 4 cores": "0.230 ms", "Orin, 4 cores": "0.080 ms"},
        {"model": "cnn", "artifact": "int8.tflite", "Pi 5, 4 cores": "0.130 ms *", "Orin, 4 cores": "\N{EN DASH}"},
    ]


def test_those_that_cannot_be_told_apart_are_all_marked() -> None:
    table = report_table([on(PI, {"int8.tflite": 0.1, "int8.onnx": 0.1001, "float32.onnx": 0.4})])
    assert {entry.artifact: entry.place for entry in table.entries} == {
        "int8.tflite": "tied",
        "int8.onnx": "tied",
        "float32.onnx": "",
    }


def test_the_fastest_is_one_that_can_be_used() -> None:
    runs = (measured("int8.tflite", 0.1, passed=False), measured("int8.onnx", 0.2), measured("int8.xml", 0.4))
    table = report_table([report(artifacts=runs, accuracy=None)])
    assert {entry.artifact: entry.place for entry in table.entries}["int8.onnx"] == "fastest"
    assert "failed checks" in table.to_text()


def test_the_newest_report_counts_and_of_several_settings_the_fastest() -> None:
    old = on(PI, {"int8.onnx": 0.9}, created="2026-01-01T00:00:00+00:00")
    new = on(PI, {"int8.onnx": 0.2}, created="2026-02-01T00:00:00+00:00")
    two = dataclasses.replace(new.artifacts[0], engine={**new.artifacts[0].engine, "threads": 2})
    threads = dataclasses.replace(on(PI, {"int8.onnx": 0.2}), artifacts=(dataclasses.replace(two),))
    slower = dataclasses.replace(threads, artifacts=(noisy("int8.onnx", 0.3, 1, engine=two.engine),))
    table = report_table([new, old, slower])
    assert [entry.setting for entry in table.entries] == ["1 thread, CPU"]
    assert table.table_rows()[0]["Pi 5, 4 cores"] == "0.230 ms (1 thread, CPU)"
    assert "1 older measurement left out." in table.notes


def test_what_has_one_name_and_is_not_the_same_is_numbered() -> None:
    other = on({**PI, "memory_bytes": 8 << 30}, {"int8.onnx": 0.1})
    table = report_table([on({**PI, "memory_bytes": 4 << 30}, {"int8.onnx": 0.2}), other])
    assert table.devices == ("Pi 5, 4 cores", "Pi 5, 4 cores (2)")
    trained_again = dataclasses.replace(other, provenance={"model": {"sha256": "ef" * 32}})
    assert {row["model"] for row in report_table([other, trained_again]).table_rows()} == {"cnn", "cnn (2)"}


def test_a_mark_where_a_latency_is_not_to_be_trusted() -> None:
    busy = on({**PI, "load_average": 4.0}, {"int8.onnx": 0.2})
    assert "(degraded)" in report_table([busy]).table_rows()[0]["Pi 5, 4 cores"]
    hot = on({**PI, "throttled": {"now": ["throttled"], "since_boot": []}}, {"int8.onnx": 0.2, "int8.tflite": 0.1})
    table = report_table([hot])
    assert {entry.place for entry in table.entries} == {""} and "(invalid)" in table.to_text()


def test_the_same_in_three_forms(tmp_path: Path) -> None:
    sources = [on(PI, {"int8.tflite": 0.1, "int8.onnx": 0.2}), on(JETSON, {"int8.onnx": 0.05}, bundle="<b>.edge")]
    table = report_table([each.write(tmp_path / f"{i}.json") for i, each in enumerate(sources)])
    assert json.loads(table.write(tmp_path / "t.json").read_text())["devices"] == ["Pi 5, 4 cores", "Orin, 4 cores"]
    assert "**0.130 ms**" in table.write(tmp_path / "t.md").read_text()
    page, reader = table.write(tmp_path / "t.html").read_text(), Page()
    reader.feed(page)
    assert reader.loads == [] and "0.130 ms" in page and "<b>" not in page
    assert all("scope" in dict(values) for tag, values in reader.tags if tag == "th")
