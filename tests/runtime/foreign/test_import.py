"""Bundles around models from elsewhere: whole, verifiable, and honest about what nobody judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edgevision
from edgevision.benchmarks.verify import verify
from edgevision.runtime.bundle import Bundle, write_bundle
from edgevision.runtime.errors import BundleError, InputError, OutputExistsError
from edgevision.runtime.foreign.importing import import_model
from edgevision.runtime.spec import QuantParams
from tests import foreign_models, tiny
from tests.constant import constant_model


def _model(folder: Path, name: str) -> Path:
    made = {
        "planar.onnx": lambda: foreign_models.planar_onnx(),
        "half.onnx": lambda: foreign_models.planar_onnx("float16"),
        "int8.onnx": lambda: foreign_models.integer_onnx(QuantParams(1 / 255, -128), QuantParams(0.25, 3)),
        "int8.tflite": lambda: foreign_models.quantised_tflite("int8", QuantParams(1 / 210, -125)),
        "raw.xml": lambda: tiny.model("openvino").model,
    }
    path = folder / name
    path.write_bytes(made[name]())
    if name.endswith(".xml"):
        path.with_suffix(".bin").write_bytes(tiny.model("openvino").weights or b"")
    return path


@pytest.mark.parametrize("name", ["planar.onnx", "half.onnx", "int8.onnx", "int8.tflite", "raw.xml"])
def test_an_imported_bundle_is_verified_and_answers_as_the_lone_file(tmp_path: Path, name: str) -> None:
    model, pixels = _model(tmp_path, name), tiny.pixels(5)[0]
    preprocess = "raw" if name == "raw.xml" else "unit"
    bundle = import_model(model, tmp_path / "m.edge", preprocess=preprocess, labels=tiny.LABELS)
    manifest = bundle.manifest
    (artifact,) = manifest.artifacts
    assert bundle.read(artifact.name) == model.read_bytes()
    assert manifest.gate is None
    assert manifest.provenance["imported"]["name"] == name
    assert "not judged" in bundle.read("README.md").decode()
    found = verify(tmp_path / "m.edge")
    assert found.passed
    assert found.checks[0].images == 8
    with pytest.warns(UserWarning, match="guessed"):
        lone = edgevision.load(model, preprocess=preprocess, labels=tiny.LABELS)
    with lone, edgevision.load(tmp_path / "m.edge") as predictor:
        np.testing.assert_array_equal(predictor(pixels).scores, lone(pixels).scores)
        assert predictor.describe()["guessed"] == manifest.provenance["guessed"]


def test_given_images_are_the_golden_inputs_and_a_wrong_answer_is_found(tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    Image.fromarray(np.arange(300, dtype=np.uint16).astype(np.uint8).reshape(10, 10, 3)).save(image)
    out = tmp_path / "m.edge"
    model = _model(tmp_path, "planar.onnx")
    bundle = import_model(model, out, preprocess="unit", golden=[image, image])
    assert bundle.golden().inputs["images"].shape == (2, 8, 8, 3)
    other = import_model(model, tmp_path / "o.edge", preprocess="tf", golden=[image, image])
    files = {entry.name: bundle.read(entry.name) for entry in bundle.manifest.artifacts[0].files}
    files["README.md"] = bundle.read("README.md")
    wrong = {**files, "golden.npz": other.read("golden.npz")}
    entries = tuple(entry for entry in other.manifest.files if entry.name == "golden.npz")
    kept = tuple(entry for entry in bundle.manifest.files if entry.name == "README.md")
    values = {**vars(bundle.manifest), "files": (*entries, *kept)}
    write_bundle(out, type(bundle.manifest)(**values), wrong, force=True)
    assert not verify(out).passed
    with pytest.raises(BundleError, match="golden outputs"):
        edgevision.load(out)


def test_detectors_and_arrays(tmp_path: Path) -> None:
    rows = np.zeros((1, 6, 40), np.float32)
    rows[0, :, 7] = (16, 16, 8, 8, 0.9, 0.1)
    path = tmp_path / "d.onnx"
    path.write_bytes(constant_model((1, 32, 32, 3), "uint8", rows))
    bundle = import_model(path, tmp_path / "d.edge", task="detection", labels=("car", "dog"))
    assert "head yolo: columns" in " ".join(bundle.manifest.provenance["guessed"])
    assert verify(tmp_path / "d.edge").passed
    with edgevision.load(tmp_path / "d.edge") as predictor:
        found = predictor(np.zeros((32, 32, 3), np.uint8))
    assert found.names == ["car"] or tuple(found.names) == ("car",)
    np.testing.assert_allclose(found.boxes, [[12, 12, 20, 20]])
    with pytest.raises(InputError, match="the labels contradict the model"):
        import_model(path, tmp_path / "e.edge", task="detection", labels=("car",))
    import_model(_model(tmp_path, "planar.onnx"), tmp_path / "t.edge", task="tensors")
    assert verify(tmp_path / "t.edge").passed


def test_nothing_is_written_where_something_is_wrong(tmp_path: Path) -> None:
    model, out = _model(tmp_path, "planar.onnx"), tmp_path / "m.edge"
    with pytest.raises(InputError):
        import_model(model, out)
    with pytest.raises(InputError):
        import_model(model, out, preprocess="unit", golden=[tmp_path / "missing.png"])
    assert not out.exists()
    import_model(model, out, preprocess="unit")
    with pytest.raises(OutputExistsError):
        import_model(model, out, preprocess="unit")
    assert Bundle.open(import_model(model, out, preprocess="unit", force=True).path).manifest.task == "classification"
