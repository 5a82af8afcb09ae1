"""train, convert and demo: what the options become, what is printed, which exit code."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from edgevision.cli.convert import read_labels
from edgevision.cli.demo import check_out
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import InputError, OutputExistsError
from edgevision.runtime.manifest import Agreement, Gate
from tests.cli.conftest import Run


@pytest.fixture
def asked(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in for convert: keeps the call, gives a bundle that passed, or that ``result`` in it changes."""
    call: dict[str, Any] = {}

    def convert(model: str, calibration: str, out: str, **options: Any) -> Bundle:
        progress = options.pop("progress")
        progress("quantising", 0, 1)
        call.update(options, model=model, calibration=calibration, out=out)
        opened = Bundle.open(bundle)
        passed = not call.get("fails", False)
        agreement = Agreement(100, 0.97, 0.8, 0.83, -3.0 if not passed else 0.0, (-5.0, -1.0), passed)
        artifacts = tuple(dataclasses.replace(item, agreement=agreement) for item in opened.manifest.artifacts)
        gate = Gate(passed, 1.0, "accuracy", 100)
        return Bundle(opened.path, dataclasses.replace(opened.manifest, artifacts=artifacts, gate=gate))

    monkeypatch.setattr("edgevision.converters.convert.convert", convert)
    return call


_CONVERT = ("convert", "m.keras", "--calibration", "photos", "--out", "m.edge")


def test_options_that_are_not_given_are_left_to_the_api(run: Run, asked: dict[str, Any]) -> None:
    outcome = run(*_CONVERT)
    assert outcome.code == 0
    assert asked == {"model": "m.keras", "calibration": "photos", "out": "m.edge", "force": False}
    assert "gate passed: at most 1 point lost in accuracy on 100 images" in outcome.out


def test_every_option_of_convert_arrives(run: Run, asked: dict[str, Any], tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("cat\ndog\n")
    words = shlex.split(f"--evaluate test --labels {labels} --preprocess tf --input-size 96x128 --formats onnx,tflite")
    words += shlex.split("--finetune 3 --finetune-data more")
    words += shlex.split("--precision int8 --max-drop 0.5 --golden synthetic --resize crop --interpolation bicubic")
    assert run(*_CONVERT, *words, "--no-antialias", "--force").code == 0
    assert {name: asked[name] for name in asked if name not in ("model", "calibration", "out")} == {
        "evaluate": "test",
        "labels": ("cat", "dog"),
        "preprocess": "tf",
        "input_size": (96, 128),
        "formats": ("onnx", "tflite"),
        "precisions": ("int8",),
        "finetune": 3,
        "finetune_data": "more",
        "max_drop": 0.5,
        "golden": "synthetic",
        "resize": "crop",
        "interpolation": "bicubic",
        "antialias": False,
        "force": True,
    }


def test_a_failed_gate_is_exit_code_3_and_a_table(run: Run, asked: dict[str, Any]) -> None:
    asked["fails"] = True
    outcome = run(*_CONVERT)
    assert outcome.code == 3
    assert "gate FAILED" in outcome.out
    assert "-3.00 (-5.00 to -1.00)" in outcome.out
    assert "marked as failed" in outcome.out
    assert json.loads(run(*_CONVERT, "--json").out)["gate"]["passed"] is False


@pytest.mark.parametrize(
    ("content", "got"),
    [(b"", "an empty file"), (b"a\n\nb\n", "an empty line"), (b"a\nb\na\n", "'a' twice"), (b"\xff\xfe\x00", "utf-8")],
)
def test_label_files_that_are_no_use(run: Run, tmp_path: Path, content: bytes, got: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=got):
        read_labels(path)
    assert run(*_CONVERT, "--labels", path).code == 1
    assert run(*_CONVERT, "--labels", tmp_path / "missing.txt").code == 1


def test_label_files_of_other_systems(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffcafé\r\n two words \r\n\r\n".encode())
    assert read_labels(path) == ("café", "two words")


def test_the_demo_leaves_other_folders_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    outcome = run("demo", "--out", tmp_path)
    assert outcome.code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(OutputExistsError):
        check_out(tmp_path / "thesis.txt")


def test_the_demo_takes_a_new_folder_and_its_own(tmp_path: Path) -> None:
    check_out(tmp_path / "new" / "demo")
    own = tmp_path / "new" / "demo"
    (own / "report.json").write_text("{}")
    check_out(own)
    (own / "digits.edge").mkdir()
    (own / "digits.keras").write_text("")
    (own / "note.txt").write_text("added later")
    check_out(own)
    assert {path.name for path in own.iterdir()} == {"report.json", "digits.edge", "digits.keras", "note.txt"}


def test_the_demo_from_start_to_end(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    first = run("demo", "--out", out)
    assert first.code == 0, first.err
    assert {path.name for path in out.iterdir()} == {"digits.keras", "digits.edge", "report.html", "report.json"}
    for words in ("int8.tflite", "float32.xml", "report.html", "next:", "inspect"):
        assert words in first.out
    assert run("verify", out / "digits.edge").code == 0
    accuracy = json.loads(run("evaluate", out / "digits.edge", "digits", "--all", "--json").out)["artifacts"]
    assert all(item["top1"] > 0.9 for item in accuracy.values())
