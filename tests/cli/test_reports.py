"""evaluate, benchmark, inspect and doctor: text for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from edgevision.cli import doctor
from edgevision.cli.inspect import preflight_lines
from edgevision.runtime.bundle import Bundle, entries, file_entry, write_bundle
from tests import tiny
from tests.cli.conftest import Run


def test_evaluate_all_as_json(run: Run, bundle: Path, photos: Path) -> None:
    outcome = run("evaluate", bundle, photos, "--all", "--json")
    assert outcome.code == 0
    found = json.loads(outcome.out)
    assert set(found["artifacts"]) == {f"{p}.{s}" for p in ("int8", "float32") for s in tiny.SUFFIX.values()}
    assert all(item["n"] == 12 and 0 <= item["top1"] <= 1 for item in found["artifacts"].values())


def test_evaluate_one_artifact_as_text(run: Run, bundle: Path, photos: Path) -> None:
    outcome = run("evaluate", bundle, photos, "--artifact", "float32.onnx")
    assert outcome.code == 0
    assert "float32.onnx" in outcome.out
    assert "int8" not in outcome.out
    assert outcome.err == "evaluate\n"


def test_evaluate_compares_precisions(run: Run, bundle: Path, photos: Path) -> None:
    assert "points against float32" in run("evaluate", bundle, photos, "--all").out


def test_damaged_images_can_be_left_out(run: Run, bundle: Path, photos: Path, tmp_path: Path) -> None:
    for label in tiny.LABELS:
        (tmp_path / label).mkdir()
        (tmp_path / label / "0.png").write_bytes((photos / label / "0.png").read_bytes())
    (tmp_path / "cat" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert run("evaluate", bundle, tmp_path).code == 1
    outcome = run("evaluate", bundle, tmp_path, "--skip-unreadable")
    assert outcome.code == 0
    assert "bad.png" in outcome.out


def test_benchmark_writes_what_was_asked_for(run: Run, bundle: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    outcome = run("benchmark", bundle, "--quick", "--runs", 20, "--out", report, "--no-images", "--json")
    assert outcome.code == 0, outcome.err
    assert "no_images=True" in json.loads(outcome.out)["command"]
    assert json.loads(outcome.out)["bundle"] == json.loads(report.read_text())["bundle"] == "tiny.edge"
    again = run("benchmark", bundle, "--runs", 20, "--out", report)
    assert again.code == 1
    assert "--force" in again.err


def test_a_page_without_jinja2_is_refused_before_measuring(
    run: Run, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    outcome = run("benchmark", bundle, "--html", tmp_path / "report.html")
    assert outcome.code == 1
    assert "pip install 'edgevision[report]'" in outcome.err


def test_inspect_a_bundle_and_its_models(run: Run, bundle: Path) -> None:
    outcome = run("inspect", bundle)
    assert outcome.code == 0
    for words in ("4 classes (cat, dog, bird, fish)", "8x8 rgb, stretch (bilinear)", "int8.tflite", "uint8 1x8x8x3"):
        assert words in outcome.out
    assert json.loads(run("inspect", bundle, "--json").out)["labels"] == list(tiny.LABELS)
    for backend in tiny.ENGINES:
        alone = run("inspect", bundle / f"int8.{tiny.SUFFIX[backend]}")
        assert "cat, dog, bird, fish" in alone.out


def _with_layers(bundle: Path, target: Path) -> Path:
    """A copy of a bundle that says something of its layers."""
    ratios = {"to_float": 30.0, "to_quantized": 999.0, "own": 31.5}
    layer = {"name": "conv", "kind": "Conv2D", "macs": 1.0, "int8": True, "reason": "", "weights": None}
    layer |= {"sqnr_db": {"int8.tflite": ratios}, "activations": None}
    data = json.dumps({"schema": 1, "images": 8, "artifacts": ["int8.tflite"], "layers": [layer]}).encode()
    opened = Bundle.open(bundle)
    files = {entry.name: opened.read(entry.name) for entry in entries(opened.manifest)}
    listed = (*opened.manifest.files, file_entry("layers.json", data))
    write_bundle(target, dataclasses.replace(opened.manifest, files=listed), {**files, "layers.json": data})
    return target


def test_inspect_layers(run: Run, bundle: Path, tmp_path: Path) -> None:
    whole, page = _with_layers(bundle, tmp_path / "whole.edge"), tmp_path / "layers.html"
    assert "31.5  30.0 exact" in run("inspect", whole, "--layers").out
    found = json.loads(run("inspect", whole, "--layers", "--json").out)
    assert found["layers"][0]["sqnr_db"]["int8.tflite"]["own"] == 31.5
    assert run("inspect", whole, "--html", page).code == 0 and "conv" in page.read_text()
    again = run("inspect", whole, "--layers", "--html", page)
    assert (again.code, again.out) == (1, "") and "--force" in again.err
    assert run("inspect", whole, "--layers", "--html", tmp_path / "layers.md").code == 2
    (whole / "layers.json").write_bytes(b"{}")
    assert "layers.json has the wrong size" in run("inspect", whole, "--layers").err


def test_layers_of_a_bundle_of_before_there_were_any(run: Run, bundle: Path) -> None:
    outcome = run("inspect", bundle, "--layers")
    assert (outcome.code, outcome.out) == (1, "") and len(outcome.err.splitlines()) == 1
    assert "says nothing about its layers" in outcome.err and "convert the model again" in outcome.err


def test_findings_before_converting_are_read_as_text() -> None:
    found = {"kind": "shared-grid", "layer": "both", "risk": "one grid", "cost": "31 points", "rewrite": "two outputs"}
    text = "\n".join(preflight_lines([found]))
    assert "shared-grid, both: one grid\n    usual cost: 31 points\n    rewrite: two outputs" in text
    assert preflight_lines([]) == ["before converting: nothing found that will hurt int8"]


def test_inspect_of_nothing(run: Run, tmp_path: Path) -> None:
    outcome = run("inspect", tmp_path / "no.edge")
    assert (outcome.code, outcome.out) == (1, "")
    assert len(outcome.err.splitlines()) == 1


def test_doctor_here(run: Run) -> None:
    outcome = run("doctor")
    assert outcome.code == 0
    for words in ("tflite", "onnx", "openvino", "telemetry", "processor", "int8"):
        assert words in outcome.out
    facts = json.loads(run("doctor", "--json").out)
    assert all(engine["works"] for engine in facts["engines"].values())


def test_doctor_where_no_engine_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = dict.fromkeys(("tflite", "onnx", "openvino", "null"))
    monkeypatch.setattr("edgevision.runtime.backends.installed", lambda: nothing)
    monkeypatch.setattr(doctor, "_version", lambda package: None)
    outcome = run("doctor")
    assert outcome.code == 1
    for extra in ("tflite", "onnx", "openvino", "report"):
        assert f"pip install 'edgevision[{extra}]'" in outcome.out


def test_doctor_on_a_python_without_wheels(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda package: None)
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    assert "needs Python 3.11 to 3.13" in run("doctor").out


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("pass", ""),
        ("import no_such_engine", "ModuleNotFoundError: No module named 'no_such_engine'"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGILL)",
            "was built for a newer processor (illegal instruction)",
        ),
        ("import os; os.abort()", "crashes on import (signal 6)"),
    ],
)
def test_doctor_survives_what_an_engine_does(code: str, problem: str) -> None:
    assert doctor._import_problem(code) == (problem, "")


def test_benchmark_plays_a_scenario(run: Run, bundle: Path, tmp_path: Path) -> None:
    words = ["benchmark", bundle, "--scenario", "rate", "--rate", 200, "--seconds", 0.2]
    page, later = tmp_path / "a.html", tmp_path / "b.html"
    outcome = run(*words, "--out", tmp_path / "a.json", "--html", page)
    assert outcome.code == 0 and "Frames at a fixed rate" in outcome.out and (tmp_path / "a.json").is_file()
    for wrong in (["--runs", 5], ["--quick"], ["--min-time", 1]):
        outcome = run(*words, *wrong)
        assert outcome.code == 2 and f"{wrong[0]} is for single-stream" in outcome.err
    outcome = run("benchmark", bundle, "--rate", 5)
    assert outcome.code == 2 and "other scenarios" in outcome.err
    assert "How old the results are" in page.read_text() and run(*words, "--html", page).code == 1
    assert run("report", tmp_path / "a.json", "--out", later).code == 0 and "How old the results" in later.read_text()
    assert json.loads(run("report", tmp_path / "a.json", "--json").out)["scenario"] == "rate"
    for several in ("compare", "report"):
        refused = run(several, tmp_path / "a.json", tmp_path / "a.json")
        assert refused.code == 1 and "a.json: the report is one of a scenario" in refused.err
