from __future__ import annotations

import dataclasses

from edgevision.converters.card import model_card
from edgevision.runtime.manifest import Agreement, Artifact, FileEntry, Gate, Manifest, Parity
from edgevision.runtime.spec import Preprocessing

AGREEMENT = Agreement(500, 0.986, 0.871, 0.875, -0.4, (-1.13, 0.31), True)
ARTIFACT = Artifact(
    "int8.xml",
    "openvino",
    "int8",
    (FileEntry("int8.xml", 1024, "a"), FileEntry("int8.bin", 2048, "b")),
    (),
    (),
    int8_macs=1.0,
    parity=Parity(500, 40.0, 0.1, 0.99, True),
    agreement=AGREEMENT,
)
MANIFEST = Manifest(
    "classification",
    ("cat", "dog"),
    "logits",
    Preprocessing(24, 32, "bgr", "letterbox", "bicubic", antialias=False),
    (ARTIFACT,),
    gate=Gate(True, 1.0, "accuracy", 500),
    provenance={
        "source": {"name": "pets.keras", "sha256": "0"},
        "calibration": {"used": {"summary": "500 images", "convergence_summary": ""}},
    },
)


def test_everything_a_reader_needs() -> None:
    text = model_card("pets.edge", MANIFEST)
    assert text.startswith("# pets.edge\n") and text.endswith("Classes: cat, dog\n")
    assert "Classification into 2 classes, made by edgevision from `pets.keras`." in text
    assert 'with edgevision.load("pets.edge") as predictor:' in text
    assert "Input: 24x32 bgr, resized by letterbox (bicubic, antialias off)." in text
    assert "Accuracy gate: **passed** on 500 images, by accuracy, at most 1 point lost." in text
    row = "| int8.xml | 3 | 100% | 87.10% | 87.50% | 98.60% | -0.40 (-1.13 to +0.31) |  | passed |"
    assert row in text.splitlines()


def test_the_table_is_a_table() -> None:
    lines = [line for line in model_card("pets.edge", MANIFEST).splitlines() if line.startswith("|")]
    assert len(lines) == 3 and {line.count("|") for line in lines} == {10}


def test_a_failure_is_not_hidden() -> None:
    failed = dataclasses.replace(ARTIFACT, agreement=dataclasses.replace(AGREEMENT, passed=False))
    gate = Gate(False, 0.5, "agreement", 9, "failed: int8.xml")
    text = model_card("pets.edge", dataclasses.replace(MANIFEST, artifacts=(failed,), gate=gate))
    assert "**FAILED** on 9 images, by agreement, at most 0.5 points lost (failed: int8.xml)." in text
    assert "| failed |" in text and "| passed |" not in text


def test_without_labels_there_is_no_accuracy_to_show() -> None:
    unlabelled = dataclasses.replace(ARTIFACT, agreement=dataclasses.replace(AGREEMENT, top1=None, float_top1=None))
    text = model_card("pets.edge", dataclasses.replace(MANIFEST, artifacts=(unlabelled,)))
    assert "| int8.xml | 3 | 100% |  |  | 98.60% |" in text
    unchecked = dataclasses.replace(ARTIFACT, agreement=None)
    text = model_card("pets.edge", dataclasses.replace(MANIFEST, artifacts=(unchecked,), gate=None))
    assert "Accuracy gate" not in text and "| int8.xml | 3 | 100% |  |  |  |  |  | passed |" in text
