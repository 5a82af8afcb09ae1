"""What comes out of a conversion, file by file."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest

import edgevision
from edgevision.converters.convert import convert
from edgevision.converters.parity import LIMITS_DB
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.spec import named_preprocessing
from tests.converters.convert.common import STAGES
from tests.converters.models import CLASSES, SIZE, pictures


def test_six_artifacts_that_passed_everything(bundle: Bundle) -> None:
    manifest = bundle.manifest
    names = [f"{p}{suffix}" for p in ("int8", "float32") for suffix in (".tflite", ".onnx", ".xml")]
    assert [item.name for item in manifest.artifacts] == names
    assert sorted(item.name for item in bundle.path.iterdir()) == sorted(
        [*names, "int8.bin", "float32.bin", "flips.json", "golden.npz", "layers.json", "README.md", "manifest.json"]
    )
    assert manifest.labels == CLASSES and manifest.scores == "logits"
    assert manifest.preprocessing == named_preprocessing("unit", SIZE, SIZE)
    for item in manifest.artifacts:
        assert item.passed and item.parity is not None and item.agreement is not None
        assert item.parity.images == item.agreement.images == 60
        assert item.parity.sqnr_db >= LIMITS_DB[item.precision]
        assert item.agreement.float_top1 is not None and item.agreement.float_top1 > 0.9
        whole = item.precision == "int8"
        assert (item.int8_macs, item.int8_weight_bytes) == ((1.0, 1.0) if whole else (0.0, 0.0))
        assert item.float_ops == ()
    gate = manifest.gate
    assert gate is not None and (gate.passed, gate.basis, gate.images, gate.note) == (True, "accuracy", 60, "")


def test_three_int8_artifacts_are_one_model(bundle: Bundle) -> None:
    outputs = {name: found["output"] for name, found in bundle.golden().outputs.items()}
    step = np.ptp(outputs["int8.onnx"]) / 255
    for name in ("int8.tflite", "int8.xml"):
        assert np.abs(outputs[name] - outputs["int8.onnx"]).max() <= 2 * step
    for name in ("float32.tflite", "float32.xml"):
        np.testing.assert_allclose(outputs[name], outputs["float32.onnx"], atol=1e-4)


@pytest.mark.parametrize("name", ["int8.tflite", "int8.onnx", "int8.xml", "float32.onnx"])
def test_the_bundle_predicts(name: str, bundle: Bundle, labelled: Path) -> None:
    files = sorted(labelled.rglob("*.png"))
    with edgevision.load(bundle.path, artifact=name) as predictor:
        right = [predictor(file).label == file.parent.name for file in files]
    found = bundle.artifact(name).agreement
    assert found is not None and found.top1 is not None
    assert np.mean(right) == pytest.approx(found.top1), "the device does what the gate judged"


def test_golden_images_are_of_those_judged(bundle: Bundle) -> None:
    images, _ = pictures(60, seed=21)
    known = {image.tobytes() for image in images}
    golden = bundle.golden()
    inputs = golden.inputs["image"]
    assert inputs.shape == (8, SIZE, SIZE, 3) and {image.tobytes() for image in inputs} <= known
    assert set(golden.outputs) == {item.name for item in bundle.manifest.artifacts}
    with edgevision.load(bundle.path, artifact="int8.onnx") as predictor:
        found = predictor(inputs[0]).scores
    logits = golden.outputs["int8.onnx"]["output"][0]
    powers = np.exp(logits - logits.max())
    np.testing.assert_allclose(found, powers / powers.sum(), rtol=1e-5)


def test_provenance_is_enough_to_make_it_again(bundle: Bundle, keras_file: Path) -> None:
    plain = bundle.manifest.provenance
    digest = hashlib.sha256(keras_file.read_bytes()).hexdigest()
    assert plain["source"] == {"name": "plain.keras", "sha256": digest}
    groups = [plain["calibration"][key] for key in ("images", "ranges", "choice", "judgement")]
    assert groups == [80, 32, 16, 32] and len(plain["calibration"]["sha256"]) == 64
    assert plain["evaluation"]["images"] == 60 and plain["golden"] == "real"
    recipe = plain["recipe"]
    assert recipe["name"] == "static_wi8_ai8" and recipe["ranges"] in ("min-max", "least-squares", "99.99 %")
    tried, chosen = dict(recipe["divergence_nats"]), f"{recipe['ranges']}, {recipe['rounding']}"
    assert tried.pop(f"{chosen}, pair-safe") > 0
    assert len(tried) == 7 and tried[chosen] == min(tried.values())
    assert plain["versions"]["keras"] == keras.__version__
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", plain["created"])


def test_progress_counts_up_to_the_last_stage(bundle: Bundle, seen: list[tuple[str, int, int]]) -> None:
    assert bundle.manifest.artifacts
    stages = [f"exporting {item.name}" for item in bundle.manifest.artifacts]
    assert [stage for stage, _, _ in seen] == [*STAGES[:2], *stages, *STAGES[3:]]
    assert [(done, total) for _, done, total in seen] == [(number, 10) for number in range(10)]


def test_nothing_of_this_machine_goes_into_the_bundle(bundle: Bundle, photos: Path) -> None:
    for path in bundle.path.iterdir():
        data = path.read_bytes()
        for folder in (tempfile.gettempdir(), str(photos.parent)):
            assert folder.encode() + b"/" not in data, path.name


def test_the_same_model_and_images_give_the_same_files(
    bundle: Bundle, keras_file: Path, photos: Path, labelled: Path, tmp_path: Path
) -> None:
    again = convert(keras_file, photos, tmp_path / "shapes.edge", evaluate=labelled)
    for item, other in zip(bundle.manifest.artifacts, again.manifest.artifacts):
        assert item == other, "files' hashes, parity, agreement"
    assert again.manifest.files == bundle.manifest.files
    mine, its = dict(bundle.manifest.provenance), dict(again.manifest.provenance)
    assert mine.pop("created") <= its.pop("created") and mine == its
