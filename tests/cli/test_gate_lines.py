"""How the gate's verdict and the calibration are told, and what --strict-gate makes of too few images."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from edgevision.cli.gate import calibration_lines, check_word, gate_lines
from edgevision.converters.card import model_card
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.manifest import Agreement, Gate, Manifest, Verdict
from tests.cli.conftest import Run

_CONVERT = ("convert", "m.keras", "--calibration", "photos", "--out", "m.edge")
_USED = {
    "summary": "180 images, grey level 120 \N{PLUS-MINUS SIGN} 30, 32x32",
    "convergence_summary": "ranges converged",
}


def changed(manifest: Manifest, found: Verdict, **values: Any) -> Manifest:
    """The manifest as if 300 images had judged."""
    passed, needed = found != "fail", 390 if found == "undecided" else None
    agreement = Agreement(300, 1.0, 0.9, 0.9, 0.0, (-1.3, 1.3), passed, found, needed, 0, 0, 1.0, 0.99, 0.98)
    gate = Gate(passed, 1.0, "accuracy", 300, "", found, needed, **values)
    artifacts = tuple(dataclasses.replace(item, agreement=agreement) for item in manifest.artifacts)
    provenance = {"source": {"name": "m.keras"}, "calibration": {"used": _USED}}
    return dataclasses.replace(manifest, artifacts=artifacts, gate=gate, provenance=provenance)


@pytest.fixture
def manifest(bundle: Path) -> Manifest:
    return Bundle.open(bundle).manifest


@pytest.mark.parametrize(
    ("found", "words", "code"), [("pass", (), 0), ("undecided", (), 0), ("undecided", ("--strict-gate",), 3)]
)
def test_too_few_images_are_said_and_are_a_failure_only_when_asked(
    run: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch, found: Verdict, words: tuple[str, ...], code: int
) -> None:
    def convert(*_: Any, **__: Any) -> Bundle:
        opened = Bundle.open(bundle)
        return Bundle(opened.path, changed(opened.manifest, found, overlap=3))

    monkeypatch.setattr("edgevision.converters.convert.convert", convert)
    outcome = run(*_CONVERT, *words)
    assert outcome.code == code
    assert ("not enough images to tell: need about 390" in outcome.out) is (found == "undecided")
    assert ("too few images" in outcome.out) is (found == "undecided")
    assert "3 of them among the 300 judging images" in outcome.out and "ranges converged" in outcome.out
    assert "marked as failed" not in outcome.out
    assert json.loads(run(*_CONVERT, *words, "--json").out)["gate"]["verdict"] == found


def test_gate_lines_warn(manifest: Manifest) -> None:
    gate = changed(manifest, "fail", warnings=("the images are odd",)).gate
    assert gate is not None
    assert gate_lines(gate) == [
        "gate FAILED: at most 1 point lost in accuracy on 300 images",
        "warning: the images are odd",
    ]
    assert gate_lines(Gate(True, 2.0, "agreement", 9, "so")) == [
        "gate passed: at most 2 points lost in agreement on 9 images",
        "so",
    ]


def test_older_bundles_say_nothing_of_calibration(manifest: Manifest) -> None:
    assert calibration_lines(manifest) == []
    assert {check_word(item) for item in manifest.artifacts} == {"passed"}


@pytest.mark.parametrize(
    ("found", "expected"),
    [("pass", "**passed**"), ("fail", "**FAILED**"), ("undecided", "**not enough images to tell")],
)
def test_the_card_says_it_too(manifest: Manifest, found: Verdict, expected: str) -> None:
    text = model_card("m.edge", changed(manifest, found, overlap=3, warnings=("the images are odd",)))
    assert expected in text
    assert "- Calibration images among the 300 judging ones: 3." in text
    assert "- **Warning**: the images are odd." in text and "- Ranges converged." in text
    assert "Right class among the best five: float 98.00%, " in text
