"""Models that are no image classifiers, through the whole of convert, in all formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevision
from edgevision.benchmarks.verify import verify
from edgevision.converters.convert import convert
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import BundleError, DatasetError, InputError, TensorError
from edgevision.runtime.predictor import load_classifier
from edgevision.runtime.tensor_predictor import TensorPredictor
from tests.converters import tensor_models
from tests.converters.models import SIZE, pictures, write_folder

#: Model -> inputs and outputs of its artifacts, and the layers that have no 8-bit form.
TENSORS: dict[str, tuple[list[str], list[str], set[str]]] = {
    "two_heads": (["photo float32 1x16x16x3", "facts float32 1x5"], ["kind float32 1x4", "age float32 1x1"], set()),
    "tokens": (["tokens int32 1x9"], ["topic float32 1x3"], {"Embedding", "LSTM"}),
    "frames": (["frames float32 1x4x8x8x3"], ["motion float32 1x3"], {"LSTM"}),
    "generator": (["latent float32 1x12"], ["image float32 1x16x16x3"], set()),
    "unet": (["image uint8 1x16x16x3"], ["mask float32 1x16x16x3"], set()),
    "fcn": (["image uint8 1x16x16x3"], ["best int32 1x16x16", "scores float32 1x16x16x4"], {"ArgMax"}),
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("images"), pictures(60, seed=3)[0])


def saved(name: str, folder: Path, images: Path) -> Path:
    data = tensor_models.arrays(name)
    if data is None:
        return images
    np.savez(folder / f"{name}.npz", **data)
    return folder / f"{name}.npz"


@pytest.fixture(scope="module", params=list(TENSORS))
def bundle(request: pytest.FixtureRequest, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp(request.param)
    data = saved(request.param, folder, images)
    return convert(tensor_models.made(request.param), data, folder / f"{request.param}.edge")


def spelled(specs: Any) -> list[str]:
    return [f"{spec.name} {spec.dtype} {'x'.join(map(str, spec.shape))}" for spec in specs]


def test_all_formats_follow_keras(bundle: Bundle) -> None:
    inputs, outputs, in_float = TENSORS[bundle.path.stem]
    manifest = bundle.manifest
    assert (manifest.task, manifest.labels, manifest.scores) == ("tensors", (), None)
    assert (manifest.preprocessing is None) is ("uint8" not in inputs[0])
    assert len(manifest.artifacts) == 6
    for item in manifest.artifacts:
        assert sorted(spelled(item.inputs)) == sorted(inputs) and spelled(item.outputs) == outputs
        assert item.parity is not None and item.parity.passed, (item.name, item.parity)
        assert item.agreement is not None and item.agreement.verdict != "fail", (item.name, item.agreement)
        assert [signal.output for signal in item.agreement.signals] == [each.split()[0] for each in outputs]
        kinds = {op.kind for op in item.float_ops if op.reason != "an operand is not 8-bit"}
        assert kinds == (in_float if item.precision == "int8" else set())
        if item.precision == "int8" and not in_float - {"ArgMax"}:
            assert item.int8_macs == item.int8_weight_bytes == 1.0


def test_the_gate_says_what_it_judged(bundle: Bundle) -> None:
    gate = bundle.manifest.gate
    assert gate is not None and (gate.basis, gate.least_sqnr_db, gate.passed) == ("signal", 20.0, True)
    assert gate.images == (24 if bundle.manifest.preprocessing else 48) and gate.overlap == 0
    text = bundle.read("README.md").decode()
    assert "at least 20 dB" in text and all(each.split()[0] in text for each in TENSORS[bundle.path.stem][1])


def test_golden_arrays_are_repeated_here(bundle: Bundle) -> None:
    golden = bundle.golden()
    names = [each.split()[0] for each in TENSORS[bundle.path.stem][0]]
    assert sorted(golden.inputs) == sorted(names) and {len(array) for array in golden.inputs.values()} == {8}
    found = verify(bundle.path)
    assert found.passed and len(found.checks) == 6
    with edgevision.load(bundle.path, artifact="int8.onnx") as predictor:
        answers = predictor.run({name: array[3:4] for name, array in golden.inputs.items()})
        for name, values in answers.items():
            np.testing.assert_array_equal(values[0], golden.outputs["int8.onnx"][name][3])
        assert predictor.describe()["artifact"] == "int8.onnx"
        with pytest.raises(TensorError, match=names[0]):
            predictor.run({})


def test_closing_functions_work_on_floats_in_every_format(bundle: Bundle) -> None:
    """TFLite's converter alone would give softmax in steps of 1/256 and tanh in steps of 1/128."""
    for name, steps in (("kind", 256), ("mask", 256), ("image", 128)):
        for artifact in ("int8.tflite", "int8.onnx", "int8.xml"):
            values = bundle.golden().outputs[artifact].get(name)
            if values is not None:
                assert np.abs(values * steps - np.rint(values * steps)).max() > 0.2, (name, artifact)


@pytest.mark.parametrize("name", ["int8.tflite", "float32.xml"])
def test_a_lone_file_knows_what_it_is(name: str, bundle: Bundle) -> None:
    with edgevision.load(bundle.path / name) as predictor:
        assert isinstance(predictor, TensorPredictor) and predictor.manifest.task == "tensors"
        assert sorted(spelled(predictor.session.inputs)) == sorted(TENSORS[bundle.path.stem][0])


def test_an_image_goes_in_as_it_is_where_there_is_one(bundle: Bundle, images: Path) -> None:
    photo = next(images.glob("*.png"))
    with edgevision.load(bundle.path, artifact="int8.onnx") as predictor:
        if bundle.manifest.preprocessing is None:
            with pytest.raises(InputError, match=r"takes no image.*run\("):
                predictor(photo)
            return
        pixels = pictures(60, seed=3)[0][int(photo.stem)]
        expected = predictor.run({"image": pixels[None]})
        for name, values in predictor(photo).items():
            np.testing.assert_array_equal(values, expected[name])


def test_what_needs_a_classifier_says_so(bundle: Bundle, images: Path) -> None:
    with pytest.raises(BundleError, match=r"no image classifier.*run\("):
        load_classifier(bundle.path)
    with pytest.raises(BundleError, match="is not measured"):
        edgevision.evaluate(bundle.path, images)
    with pytest.raises(BundleError, match="no image classifier"):
        edgevision.benchmark(bundle.path, images)


# --- one artifact is enough for the rest --------------------------------------------------------------------------

ONE: dict[str, Any] = {"formats": ("onnx",), "precisions": ("int8",)}


def test_evaluation_arrays_judge_and_are_counted(tmp_path: Path) -> None:
    data, judged = tensor_models.arrays("two_heads"), tensor_models.arrays("two_heads", 30, seed=5)
    assert data is not None and judged is not None
    judged["facts"][:3], judged["photo"][:3] = data["facts"][:3], data["photo"][:3]
    judged["facts"][9:, 0] = 40.0
    np.savez(tmp_path / "c.npz", **data)
    np.savez(tmp_path / "e.npz", **judged)
    made = convert(
        tensor_models.made("two_heads"), tmp_path / "c.npz", tmp_path / "a.edge", evaluate=tmp_path / "e.npz", **ONE
    )
    gate, about = made.manifest.gate, made.manifest.provenance["evaluation"]
    assert gate is not None and gate.images == about["images"] == 30 and gate.overlap is not None
    assert 1 <= gate.overlap <= 3
    assert any("of the evaluation values of facts lie outside" in warning for warning in gate.warnings)


def test_a_mask_is_judged_on_images_without_labels(images: Path, tmp_path: Path) -> None:
    judged = write_folder(tmp_path / "e", pictures(20, seed=9)[0])
    made = convert(tensor_models.made("unet"), images, tmp_path / "a.edge", evaluate=judged, golden="synthetic", **ONE)
    assert made.manifest.gate is not None and made.manifest.gate.images == 20
    assert made.golden().inputs["image"].shape == (8, SIZE, SIZE, 3)
    agreement = made.manifest.artifacts[0].agreement
    assert agreement is not None and agreement.same_top1 is not None and agreement.same_top1 > 0.9


def test_synthetic_golden_arrays_are_none_of_the_users(tmp_path: Path, images: Path) -> None:
    data = saved("tokens", tmp_path, images)
    made = convert(tensor_models.made("tokens"), data, tmp_path / "a.edge", golden="synthetic", **ONE)
    golden, real = made.golden().inputs["tokens"], np.load(data)["tokens"]
    assert golden.dtype == np.int32 and golden.min() >= 0 and golden.max() < 40
    assert not {row.tobytes() for row in golden} & {row.astype(np.int32).tobytes() for row in real}
    assert verify(made.path).passed


def test_labels_and_images_are_refused_where_they_mean_nothing(tmp_path: Path, images: Path) -> None:
    data = saved("generator", tmp_path, images)
    with pytest.raises(InputError, match=r"outputs have no class names.*leave --labels out"):
        convert(tensor_models.made("generator"), data, tmp_path / "a.edge", labels=["a", "b"], **ONE)
    with pytest.raises(DatasetError, match=r"is no \.npz.*latent float32 \(samples, 12\)"):
        convert(tensor_models.made("generator"), images, tmp_path / "a.edge", **ONE)
