"""What is judged, and by which images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevision
from edgevision.converters.convert import convert
from edgevision.converters.formats import onnx as onnx_format
from edgevision.runtime.bundle import Bundle
from tests.converters.convert.common import ONE
from tests.converters.models import CLASSES, pictures, write_folder


def test_without_labels_agreement_is_judged_and_said(keras_file: Path, photos: Path, tmp_path: Path) -> None:
    made = convert(keras_file, photos, tmp_path / "a.edge", golden="synthetic", **ONE)
    gate = made.manifest.gate
    assert gate is not None and gate.passed and gate.basis == "agreement" and gate.images == 32
    assert "no labelled images" in gate.note
    (artifact,) = made.manifest.artifacts
    assert artifact.agreement is not None and artifact.agreement.top1 is None
    assert made.manifest.provenance["evaluation"] is None
    assert "by agreement" in made.read("README.md").decode()


def test_too_few_images_for_groups_is_said(keras_file: Path, tmp_path: Path) -> None:
    calibration = write_folder(tmp_path / "c", pictures(5)[0])
    made = convert(keras_file, calibration, tmp_path / "m.edge", **ONE)
    assert made.manifest.gate is not None and "too few images" in made.manifest.gate.note
    assert made.golden().inputs["image"].shape[0] == 5


def test_labels_in_another_order_are_matched_by_name(keras_file: Path, photos: Path, tmp_path: Path) -> None:
    """Folders come in alphabetical order, the model's outputs do not: mixed up, three of four would count as wrong."""
    assert sorted(CLASSES) != list(CLASSES)
    made = convert(keras_file, photos, tmp_path / "m.edge", evaluate=photos, **ONE)
    assert made.manifest.labels == CLASSES
    found = made.manifest.artifacts[0].agreement
    assert found is not None and found.float_top1 is not None and found.float_top1 > 0.9


def test_a_gate_that_fails_still_writes_the_bundle(
    keras_file: Path, photos: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Biases lost on the way to one format, as happens: parity and gate must both notice."""
    original = onnx_format._quantize_constants

    def careless(graph: Any, node: Any) -> None:
        original(graph, node)
        if node.op_type == "Conv":
            name = graph.producer(node.input[2]).input[0]
            (item,) = (item for item in graph.model.graph.initializer if item.name == name)
            item.raw_data = np.zeros_like(graph.constant(name)).tobytes()

    monkeypatch.setattr(onnx_format, "_quantize_constants", careless)
    made = convert(
        keras_file, photos, tmp_path / "m.edge", evaluate=labelled, formats=("tflite", "onnx"), precisions=("int8",)
    )
    gate = Bundle.open(made.path).manifest.gate
    assert gate is not None and not gate.passed and gate.note == "failed: int8.onnx"
    good, bad = made.manifest.artifacts
    assert good.passed and not bad.passed and bad.parity is not None and not bad.parity.passed
    card = made.read("README.md").decode()
    assert "**FAILED**" in card and "failed: int8.onnx" in card
    with edgevision.load(made.path) as predictor:
        assert predictor.describe()["artifact"] == "int8.tflite", "what failed is not chosen by itself"


def test_max_drop_is_what_the_gate_allows(keras_file: Path, photos: Path, labelled: Path, tmp_path: Path) -> None:
    made = convert(keras_file, photos, tmp_path / "m.edge", evaluate=labelled, max_drop=3.5, **ONE)
    assert made.manifest.gate is not None and made.manifest.gate.max_drop == 3.5
    assert "at most 3.5 points lost" in made.read("README.md").decode()
