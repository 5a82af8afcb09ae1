"""Fine-tuning as a stage of a conversion: all formats, what the bundle says, what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.cli.gate import calibration_lines
from edgevision.converters import convert as module
from edgevision.converters import visible
from edgevision.converters.convert import convert
from edgevision.converters.quantize.quantize import Quantized, quantize
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import InputError
from tests.converters.models import CLASSES, pictures, write_folder

LOST = 0.3


@pytest.fixture(scope="module")
def plenty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 labelled images: 160 train, 80 choose, 160 judge."""
    return write_folder(tmp_path_factory.mktemp("plenty"), *pictures(400, seed=31))


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module, "convert_file", lambda options, limits, progress: module.convert_here(**options, progress=progress)
    )


@pytest.fixture
def poor_calibration(in_this_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A calibration that lost much: kernels 30 % off."""

    def damaged(*arguments: Any) -> Quantized:
        found, random = quantize(*arguments), np.random.default_rng(0)
        graph = found.graph.copy()
        for op in (op for op in graph if op.has_kernel):
            noise = random.normal(0, LOST * op.weights[0].std(), op.weights[0].shape)
            op.weights[0] = (op.weights[0] + noise).astype(np.float32)
        return dataclasses.replace(found, graph=graph)

    monkeypatch.setattr(visible, "quantize", damaged)


def tuning(bundle: Bundle) -> dict[str, Any]:
    found: dict[str, Any] = bundle.manifest.provenance["recipe"]["finetuning"]
    return found


@pytest.mark.usefixtures("poor_calibration")
def test_all_formats_have_what_was_learnt(keras_file: Path, plenty: Path, tmp_path: Path) -> None:
    stages: list[tuple[str, int, int]] = []
    made = convert(
        keras_file, plenty, tmp_path / "m.edge", precisions=("int8",), finetune=3,
        progress=lambda *stage: stages.append(stage),
    )  # fmt: skip
    found = tuning(made)
    assert found["kept"] > 0 and found["distance"][found["kept"]] < 0.5 * found["distance"][0]
    assert (found["images"], found["labelled"], found["notes"], found["asked"]) == (160, 160, [], 3)
    assert len(found["sha256"]) == 64 and len(found["distance"]) == found["epochs"] + 1
    for artifact in made.manifest.artifacts:
        assert artifact.parity is not None and artifact.parity.passed and (artifact.parity.same_top1 or 0) > 0.98
        assert (artifact.int8_macs, artifact.int8_weight_bytes, artifact.float_ops) == (1.0, 1.0, ())
    outputs = {name: values["output"] for name, values in made.golden().outputs.items()}
    step = np.ptp(outputs["int8.onnx"]) / 255
    assert all(np.abs(outputs[name] - outputs["int8.onnx"]).max() <= 2 * step for name in outputs)
    said = [stage for stage, _, _ in stages if stage.startswith("fine-tuning, pass")]
    assert len(said) == found["epochs"] and said[0].startswith("fine-tuning, pass 1 of 3 (")
    assert stages[-1] == ("writing the bundle", 9, 10)
    assert "- Fine-tuning: 160 samples, 160 with labels; distance from float " in made.read("README.md").decode()
    assert any(line.startswith("fine-tuning: 160 samples") for line in calibration_lines(made.manifest))


@pytest.mark.usefixtures("poor_calibration")
def test_it_is_the_better_model_that_is_exported(keras_file: Path, plenty: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"formats": ("onnx",), "precisions": ("int8",), "evaluate": plenty, "max_drop": 100}
    options["labels"] = CLASSES
    same = []
    for passes in (0, 2):
        made = convert(keras_file, plenty, tmp_path / f"{passes}.edge", finetune=passes, **options)
        agreement, gate = made.manifest.artifacts[0].agreement, made.manifest.gate
        assert agreement is not None and agreement.same_top1 is not None and gate is not None
        same.append((agreement.same_top1, gate.overlap))
        assert (tuning(made) is None) == (passes == 0)
    assert same[1][0] > same[0][0] + 0.01
    assert same[0][1] == same[1][1] == 240, "what trains is among what sets ranges here"


def test_a_file_in_its_own_process(keras_file: Path, tmp_path: Path) -> None:
    """Labels with other names: said, and not used."""
    images, targets = pictures(40, seed=3)
    np.savez(tmp_path / "c.npz", images=images, labels=targets, label_names=np.array(["a", "b", "c", "d"]))
    stages: list[str] = []
    made = convert(
        keras_file, tmp_path / "c.npz", tmp_path / "m.edge", formats=("onnx",), precisions=("int8",), finetune=1,
        finetune_data=tmp_path / "c.npz", progress=lambda stage, *_: stages.append(stage),
    )  # fmt: skip
    found = tuning(made)
    assert found["labelled"] == 0 and found["epochs"] == 1 and "distilled from the float model" in found["summary"]
    assert len(found["notes"]) == 2 and found["notes"][0].startswith("labels of c.npz are not used")
    assert any(stage.startswith("fine-tuning, pass 1 of 1") for stage in stages)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"finetune": -1}, "0 or more"),
        ({"finetune": 1.5}, "0 or more"),
        ({"finetune": True}, "0 or more"),
        ({"finetune": 1, "precisions": ("float32",)}, "nothing to fine-tune"),
        ({"finetune_data": "photos"}, "no fine-tuning"),
    ],
)
def test_options_that_cannot_be_meant(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        convert("a model that is never read.keras", "photos", tmp_path / "m.edge", **options)
