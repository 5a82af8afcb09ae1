"""compare(): what noise cannot reach is told, what differs is refused, and the three forms say the same."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.benchmarks.compare import compare
from edgevision.benchmarks.report import AccuracyRecord, Measured, Report
from edgevision.benchmarks.report.model import ProcessRecord
from edgevision.runtime.errors import InputError
from tests.benchmarks.test_report import Page, measured, report


def noisy(name: str, infer_ms: float, seed: int, processes: int = 5, spread: float = 0.004, **changes: Any) -> Measured:
    """Five processes of ten blocks; each process, and each run in it, a per cent or so from the others."""
    random = np.random.default_rng(seed)
    levels = np.repeat(random.lognormal(0, spread, processes), 100)
    runs = 1e6 * infer_ms * levels * random.lognormal(0, 0.01, 100 * processes)
    flat = dict.fromkeys(("decode", "preprocess", "postprocess"), [10_000] * runs.size)
    starts = [tuple(range(i * 10, i * 10 + 10)) for i in range(processes)]
    records = tuple(ProcessRecord(1, 1, 1, 100, True, each, 1) for each in starts)
    stages = {**flat, "infer": runs.astype(int).tolist()}
    return measured(name, infer_ms, stages_ns=stages, processes=records, **changes)


def pair(ratio: float, seed: int = 0, **changes: Any) -> tuple[Report, Report]:
    """Two reports of three artifacts; in the second int8.onnx takes ``ratio`` times as long."""
    made = []
    for i, factor in enumerate((1.0, ratio)):
        latencies = {"int8.tflite": 0.1, "int8.onnx": 0.2 * factor, "float32.tflite": 0.4}
        runs = [noisy(name, ms, 10 * seed + 5 * i + k) for k, (name, ms) in enumerate(latencies.items())]
        made.append(report(artifacts=tuple(runs), **changes))
    return made[0], made[1]


def test_a_slower_artifact_is_a_regression_and_the_others_are_not() -> None:
    found = compare(*pair(1.12))
    assert {row.artifact: row.verdict for row in found.rows} == {
        "int8.tflite": "indistinguishable",
        "int8.onnx": "slower",
        "float32.tflite": "indistinguishable",
    }
    row = found.rows[1]
    assert found.regressed and row.regressions == ("slower by more than 5 %",)
    assert row.ratio is not None and row.ratio.low < 0.232 / 0.212 * 1.02 and row.ratio.high > 0.24 / 0.22 * 0.98
    assert found.headline().startswith("int8.onnx regressed: slower by more than 5 %.")


def test_what_is_allowed_is_no_regression() -> None:
    assert not compare(*pair(1.12), max_regression=0.25).regressed
    faster = compare(*pair(0.8))
    assert faster.rows[1].verdict == "faster" and not faster.regressed


def test_what_may_be_less_than_is_allowed_is_no_regression() -> None:
    old, new = (
        report(artifacts=(noisy("int8.onnx", ms, seed, spread=0.03),), accuracy=None)
        for seed, ms in enumerate((0.2, 0.22))
    )
    (row,) = compare(old, new).rows
    assert row.ratio is not None and row.ratio.low < 1.05 < row.ratio.value and not row.regressions


def test_equal_reports_are_told_to_be_different_in_no_row() -> None:
    verdicts = [row.verdict for seed in range(10) for row in compare(*pair(1.0, seed), max_regression=0).rows]
    assert verdicts == ["indistinguishable"] * 30


def test_one_per_cent_is_within_the_margin_however_sharp_the_interval() -> None:
    old, new = report(accuracy=None), report(accuracy=None)
    slower = dataclasses.replace(new, artifacts=tuple(_scaled(run, 1.01) for run in new.artifacts))
    found = compare(old, slower, max_regression=0)
    assert {row.verdict for row in found.rows} == {"indistinguishable"} and not found.regressed


def _scaled(run: Measured, factor: float) -> Measured:
    stages = {name: [round(factor * value) for value in values] for name, values in run.stages_ns.items()}
    return dataclasses.replace(run, stages_ns=stages)


def _answers(wrong: int) -> AccuracyRecord:
    truth = np.arange(1000) % 10
    predictions = np.where(np.arange(1000) < wrong, (truth + 1) % 10, truth)
    return AccuracyRecord("photos", "test", "cd" * 32, tuple(truth.tolist()), {"int8.onnx": predictions.tolist()})


def test_accuracy_is_paired_where_the_images_are_the_same() -> None:
    old, new = pair(1.0)
    worse = compare(dataclasses.replace(old, accuracy=_answers(30)), dataclasses.replace(new, accuracy=_answers(60)))
    row = next(row for row in worse.rows if row.artifact == "int8.onnx")
    assert row.accuracy is not None and row.accuracy.value == pytest.approx(-3.0) and row.accuracy.is_worse
    assert (
        (row.accuracy.n, row.accuracy.kind) == (1000, "paired")
        and row.regressions == ("accuracy down by 3.0 points",)
        and worse.regressed
    )
    few = compare(dataclasses.replace(old, accuracy=_answers(30)), dataclasses.replace(new, accuracy=_answers(33)))
    assert not few.regressed and "No change of accuracy can be shown" in few.headline()


def test_accuracy_on_other_images_is_not_compared() -> None:
    old, new = pair(1.0)
    other = dataclasses.replace(_answers(60), sha256="ef" * 32)
    found = compare(dataclasses.replace(old, accuracy=_answers(30)), dataclasses.replace(new, accuracy=other))
    assert all(row.accuracy is None for row in found.rows) and not found.regressed
    assert any("saw other images" in note for note in found.all_notes())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cpu": "Cortex-A72"}, "cpu: Cortex-A76 and Cortex-A72"),
        ({"cpus": 2}, "cpus: 4 and 2"),
        ({"board": "Raspberry Pi 5"}, "board: unknown and Raspberry Pi 5"),
    ],
)
def test_another_machine_is_refused_unless_allowed(changes: dict[str, Any], words: str) -> None:
    old = report(host={**report().host, "board": None})
    new = report(host={**old.host, **changes})
    with pytest.raises(InputError, match=f"different machines: got {words}.*--allow-different-host"):
        compare(old, new)
    allowed = compare(old, new, allow_different_host=True)
    assert any("machines are not the same" in note for note in allowed.all_notes())


@pytest.mark.parametrize(
    "changes",
    [
        {"artifacts": (measured("int8.onnx", 0.2, sha256="aa" * 32), measured("int8.tflite", 0.1))},
        {"provenance": {"model": {"sha256": "ba" * 32}}},
    ],
)
def test_another_model_is_refused_unless_allowed(changes: dict[str, Any]) -> None:
    words = r"different models: got .*(0f0f.* and aaaa|abab.* and baba).*--allow-different-model"
    with pytest.raises(InputError, match=words):
        compare(report(), report(**changes))
    assert compare(report(), report(**changes), allow_different_model=True).models


def test_a_second_file_with_other_content_is_another_model() -> None:
    old, new = (report(files={"int8.xml": "11" * 32, "int8.bin": digit * 64}) for digit in "23")
    with pytest.raises(InputError, match=r"int8\.bin: 222222222222 and 333333333333"):
        compare(old, new)


def test_what_only_one_report_has_is_named() -> None:
    new = report(artifacts=(measured("int8.onnx", 0.2), measured("int8.xml", 0.2)))
    found = compare(report(), new)
    assert (found.only_old, found.only_new) == (("float32.tflite", "int8.tflite"), ("int8.xml",))
    assert "int8.xml is in the new report only." in found.to_text()
    with pytest.raises(InputError, match="no artifact in common"):
        compare(report(), report(artifacts=(measured("int8.xml", 0.2),)))


def test_golden_inputs_are_not_compared_with_photos() -> None:
    golden = report(images={"kind": "golden", "name": "golden inputs of the bundle", "split": "", "distinct": 4})
    with pytest.raises(InputError, match="data and golden"):
        compare(report(), golden)


def test_a_throttled_report_proves_nothing() -> None:
    old, new = pair(1.5)
    hot = dataclasses.replace(new, host={**new.host, "throttled": {"now": ["throttled"], "since_boot": []}})
    found = compare(old, hot)
    assert {row.verdict for row in found.rows} == {"not to be trusted"} and not found.regressed
    assert any("new report: The machine was throttled" in note for note in found.all_notes())


def test_software_and_settings_that_changed_are_listed() -> None:
    engine = {"engine": "some", "version": "1.1", "provider": "CPU", "precision": "float32", "threads": 2}
    new = report(artifacts=(measured("int8.onnx", 0.2, engine=engine),), versions={"edgevision": "0.2.0"})
    items = {row["item"]: (row["old"], row["new"]) for row in compare(report(), new).difference_rows()}
    assert items["edgevision"] == ("0.1.0", "0.2.0")
    assert items["some, version"] == ("1.0", "1.1") and items["some, threads"] == ("1", "2")


def test_the_same_in_three_forms(tmp_path: Path) -> None:
    old, new = (one.write(tmp_path / name) for one, name in zip(pair(1.12), ("old.json", "new.json")))
    found = compare(old, new)
    plain = json.loads(found.write(tmp_path / "c.json").read_text())
    assert plain["regressed"] is True and plain["rows"][1]["verdict"] == "slower"
    text, page = found.write(tmp_path / "c.md").read_text(), found.write(tmp_path / "c.html").read_text()
    for words in ("int8.onnx", "onnx regressed", "2 indistinguishable"):
        assert words in text and words in page
    reader = Page()
    reader.feed(page)
    assert reader.loads == [] and "default-src 'none'" in page
    with pytest.raises(InputError, match=r"none\.json cannot be read"):
        compare(old, tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InputError, match=r"bad\.json: the report is not JSON"):
        compare(tmp_path / "bad.json", new)
