"""tune: the table, the choice, and that every later load knows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import edgevision
from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEVISION_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGEVISION_TUNE")


def test_tune_prints_what_it_tried_and_load_follows(run: Run, bundle: Path) -> None:
    outcome = run("tune", bundle, "--precision", "float32", "--threads", 1, "--seconds", 0.2)
    assert outcome.code == 0
    assert "measuring" in outcome.err
    lines = outcome.out.splitlines()
    assert len([line for line in lines if "float32." in line]) == 4, "three of them, and the choice"
    assert lines[-1].startswith("measured: float32.")
    found = json.loads(run("tune", bundle, "--precision", "float32", "--threads", 1, "--json").out)
    assert found["chosen"] in lines[-1]
    with edgevision.load(bundle, precision="float32", threads=1) as predictor:
        assert predictor.describe()["choice"] == lines[-1]
        assert predictor.describe()["artifact"] == found["trials"][0]["artifact"]


def test_again_measures_again(run: Run, bundle: Path) -> None:
    words = ("tune", bundle, "--artifact", "int8.onnx", "--seconds", 0.1, "--json")
    first, second = (json.loads(run(*words).out) for _ in range(2))
    assert first == second
    again = json.loads(run(*words, "--again").out)
    assert (again["seconds"], again["trials"]) != (first["seconds"], first["trials"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--backend", "tensorflow"), "backend is unknown"),
        (("--precision", "int4"), "precision is unknown"),
        (("--provider", "fpga"), "provider is unknown"),
        (("--provider", "cuda"), "does not run on 'cuda' here"),
        (("--artifact", "int8.none"), "no artifact fits"),
    ],
)
def test_what_cannot_be_had_is_said(run: Run, bundle: Path, words: tuple[str, ...], says: str) -> None:
    outcome = run("tune", bundle, *words)
    assert (outcome.code, outcome.out) == (1, "")
    assert says in outcome.err


def test_verify_on_a_provider(run: Run, bundle: Path) -> None:
    outcome = run("verify", bundle, "--provider", "auto")
    assert outcome.code == 0
    assert "not run: int8.onnx: onnx has no auto" in outcome.out
    outcome = run("verify", bundle, "--provider", "cuda")
    assert outcome.code == 1
    assert "int8.onnx: onnxruntime does not run on 'cuda' here" in outcome.out
