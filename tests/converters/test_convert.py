from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

import edgevision
from edgevision.benchmarks.verify import verify
from edgevision.cli.convert import summary
from edgevision.converters import convert as module
from edgevision.converters import formats
from edgevision.converters.convert import convert
from edgevision.converters.formats import onnx as onnx_format
from edgevision.converters.parity import LIMITS_DB
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import (
    ConversionError,
    DatasetError,
    ImageError,
    InputError,
    ModelError,
    OutputExistsError,
)
from edgevision.runtime.spec import named_preprocessing
from tests.converters.models import CLASSES, SIZE, pictures, sequential, write_folder

ONE: dict[str, Any] = {"formats": ("onnx",), "precisions": ("int8",)}
STAGES = ["reading the model", "quantising", "exporting int8.onnx", "checking", "writing the bundle"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The conversion itself is tested, with parts replaced; tests/converters/files has the child process."""
    monkeypatch.setattr(
        module, "convert_file", lambda options, limits, progress: module.convert_here(**options, progress=progress)
    )


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("evaluation"), *pictures(60, seed=21))


@pytest.fixture(scope="module")
def seen() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture(scope="module")
def bundle(
    keras_file: Path,
    photos: Path,
    labelled: Path,
    seen: list[tuple[str, int, int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Bundle:
    """All six artifacts, judged on labelled images."""
    out = tmp_path_factory.mktemp("bundle") / "shapes.edge"
    return convert(keras_file, photos, out, evaluate=labelled, progress=lambda *step: seen.append(step))


@pytest.fixture(scope="module")
def old_bytes(keras_file: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a small bundle, to be put where an interrupted conversion would replace it."""
    small = convert(keras_file, photos, tmp_path_factory.mktemp("old") / "old.edge", **ONE)
    return {path.name: path.read_bytes() for path in small.path.iterdir()}


def put(path: Path, files: dict[str, bytes]) -> Path:
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


def read(path: Path) -> dict[str, bytes]:
    return {item.name: item.read_bytes() for item in path.iterdir()}


# -- what comes out ------------------------------------------------------------------------------------------------


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


def test_more_precisions_and_what_a_format_lacks(keras_file: Path, photos: Path, tmp_path: Path) -> None:
    precisions = ("float16", "int16x8", "dynamic-int8")
    made = convert(keras_file, photos, tmp_path / "m.edge", formats=("tflite", "openvino"), precisions=precisions)
    names = [item.name for item in made.manifest.artifacts]
    assert names == ["float16.tflite", "float16.xml", "int16x8.tflite", "dynamic-int8.tflite", "dynamic-int8.xml"]
    assert made.manifest.gate is not None and made.manifest.gate.passed
    for item in made.manifest.artifacts:
        assert item.parity is not None and item.parity.sqnr_db >= LIMITS_DB[item.precision]
    (left,) = made.manifest.provenance["left_out"]
    assert (left["format"], left["precision"]) == ("openvino", "int16x8")
    card = (made.path / "README.md").read_text()
    assert "int16x8 in openvino was left out" in card and "dynamic-int8.tflite needs TensorFlow Lite 2.17" in card
    assert "left out: int16x8 in openvino" in summary(made)
    assert verify(made.path).passed
    with edgevision.load(made.path) as predictor:
        assert predictor.artifact.name == "dynamic-int8.tflite"


def test_a_bundle_for_any_processor_or_one(keras_file: Path, photos: Path, tmp_path: Path) -> None:
    found = {}
    for target in ("any", "vnni"):
        made = convert(keras_file, photos, tmp_path / f"{target}.edge", target=target, **ONE)
        errors = made.manifest.provenance["recipe"]["divergence_nats"]
        found[target] = (made.manifest.artifacts[0].needs, any("pair-safe" in name for name in errors))
        is_safe = "saturate" in made.manifest.provenance["recipe"]["weights"]
        assert (made.manifest.artifacts[0].needs == ()) == is_safe
        assert ("needs VNNI" in (made.path / "README.md").read_text()) != is_safe
    assert found["vnni"] == (("vnni",), False) and found["any"][1]


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


# -- options -------------------------------------------------------------------------------------------------------


def test_without_labels_agreement_is_judged_and_said(keras_file: Path, photos: Path, tmp_path: Path) -> None:
    made = convert(keras_file, photos, tmp_path / "a.edge", golden="synthetic", **ONE)
    gate = made.manifest.gate
    assert gate is not None and gate.passed and gate.basis == "agreement" and gate.images == 32
    assert "no labelled images" in gate.note
    (artifact,) = made.manifest.artifacts
    assert artifact.agreement is not None and artifact.agreement.top1 is None
    assert made.manifest.provenance["evaluation"] is None
    assert "by agreement" in made.read("README.md").decode()


def test_synthetic_golden_carries_no_photo(keras_file: Path, photos: Path, labelled: Path, tmp_path: Path) -> None:
    made = convert(keras_file, photos, tmp_path / "a.edge", evaluate=labelled, golden="synthetic", **ONE)
    images = np.concatenate([pictures(80, seed=7)[0], pictures(60, seed=21)[0]]).astype(float)
    golden = made.golden().inputs["image"].astype(float)
    assert len(golden) == 8 and made.manifest.provenance["golden"] == "synthetic"
    for photo in golden:
        away = np.abs(images - photo).mean((1, 2, 3))
        assert away.min() > 20, "nothing even like one of the photos"


def test_a_model_in_memory_with_everything_given(bare_model: Any, tmp_path: Path) -> None:
    calibration = write_folder(tmp_path / "c", pictures(12)[0])
    options: dict[str, Any] = {"preprocess": "tf", "resize": "crop", "interpolation": "nearest", "antialias": False}
    made = convert(bare_model, calibration, tmp_path / "m.edge", labels=["a", "b", "c", "d"], **options, **ONE)
    assert made.manifest.labels == ("a", "b", "c", "d")
    assert made.manifest.preprocessing == named_preprocessing(
        "tf", SIZE, SIZE, resize="crop", interpolation="nearest", antialias=False
    )
    assert made.manifest.provenance["source"] == {"name": "plain", "sha256": ""}


def test_an_open_size_is_fixed_by_the_caller(photos: Path, tmp_path: Path) -> None:
    model = sequential(
        kl.Rescaling(1 / 255), kl.Conv2D(6, 3), kl.GlobalAveragePooling2D(), kl.Dense(4), shape=(None, None, 3)
    )
    made = convert(model, photos, tmp_path / "m.edge", input_size=(12, 20), **ONE)
    (spec,) = made.manifest.artifacts[0].inputs
    assert spec.shape == (1, 12, 20, 3) and made.golden().inputs["image"].shape[1:] == (12, 20, 3)
    assert made.manifest.preprocessing is not None and made.manifest.preprocessing.is_raw


def test_two_classes_with_one_sigmoid(tmp_path: Path) -> None:
    images, targets = pictures(40)
    data = write_folder(tmp_path / "d", images[targets < 2], targets[targets < 2])
    ends = kl.Dense(1, activation="sigmoid")
    model = sequential(kl.Rescaling(1 / 255), kl.Conv2D(6, 3), kl.GlobalAveragePooling2D(), ends)
    made = convert(model, data, tmp_path / "m.edge", evaluate=data, max_drop=100, **ONE)
    assert made.manifest.labels == ("columns", "rows") and made.manifest.scores == "sigmoid"
    with edgevision.load(made.path) as predictor:
        found = predictor(images[0])
    assert found.scores.shape == (2,) and found.scores.sum() == pytest.approx(1)


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


# -- the gate ------------------------------------------------------------------------------------------------------


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


# -- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"formats": ("tensorrt",)}, "formats.*expected one or more of tflite, onnx, openvino, got tensorrt"),
        ({"formats": ()}, "formats.*got none"),
        ({"formats": ("onnx", "onnx")}, "formats"),
        ({"precisions": ("int4",)}, "precisions.*expected one or more of int8, .*, got int4"),
        ({"precisions": ("int16x8",), "formats": ("onnx", "openvino")}, "none of the precisions.*no kernels"),
        ({"target": "x86"}, "target.*expected one or more of any, vnni, arm"),
        ({"golden": "none"}, "golden.*expected one or more of real, synthetic"),
        ({"max_drop": -1}, "max_drop.*from 0 to 100"),
        ({"max_drop": float("nan")}, "max_drop.*got nan"),
        ({"labels": ["a", "b"]}, "number of class names"),
        ({"preprocess": "torch"}, "contradicts"),
        ({"input_size": (8, 8)}, "--input-size contradicts"),
    ],
)
def test_options_that_cannot_be_used(
    options: dict[str, Any], message: str, keras_file: Path, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        convert(keras_file, photos, tmp_path / "m.edge", **options)
    assert not list(tmp_path.iterdir())


def test_data_that_cannot_be_used(keras_file: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    strange = tmp_path / "strange"
    for name in ("cat", "dog"):
        (strange / name).mkdir(parents=True)
        (strange / name / "1.png").write_bytes(next(photos.rglob("*.png")).read_bytes())
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "1.png").write_bytes(b"no image")
    out = tmp_path / "m.edge"
    with pytest.raises(DatasetError, match="empty"):
        convert(keras_file, tmp_path / "empty", out, **ONE)
    with pytest.raises(DatasetError, match="gone"):
        convert(keras_file, tmp_path / "gone", out, **ONE)
    with pytest.raises(DatasetError, match="empty"):
        convert(keras_file, photos, out, evaluate=tmp_path / "empty", **ONE)
    with pytest.raises(DatasetError, match=r"not the model's.*rows.*cat, dog"):
        convert(keras_file, photos, out, evaluate=strange, **ONE)
    with pytest.raises(ImageError, match=r"1\.png"):
        convert(keras_file, broken, out, **ONE)
    assert not out.exists()


def test_models_that_cannot_be_used(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.edge"
    with pytest.raises(ModelError, match="nothing at that path"):
        convert(tmp_path / "gone.keras", photos, out)
    assert not out.exists()


def test_a_layer_without_an_8_bit_form_is_named_in_the_bundle(photos: Path, tmp_path: Path) -> None:
    model = sequential(
        kl.Rescaling(1 / 255),
        kl.Conv2D(4, 3, activation="relu"),
        kl.LayerNormalization(name="odd"),
        kl.Flatten(),
        kl.Dense(4),
    )
    made = convert(model, photos, tmp_path / "m.edge", labels=CLASSES)
    for artifact in made.manifest.artifacts:
        assert artifact.parity is not None and artifact.parity.passed
        found = {(item.name, item.kind) for item in artifact.float_ops}
        assert found == ({("odd", "LayerNormalization")} if artifact.precision == "int8" else set())


def test_an_exporters_refusal_names_the_format(
    keras_file: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("cannot legalise\n  op Foo")

    monkeypatch.setattr(formats.of("onnx"), "export", refuse)
    with pytest.raises(
        ConversionError, match=r"int8\.onnx could not be made: got RuntimeError: cannot legalise op Foo"
    ):
        convert(keras_file, photos, tmp_path / "m.edge", **ONE)
    assert not list(tmp_path.iterdir())


def test_an_output_that_exists(keras_file: Path, photos: Path, tmp_path: Path, old_bytes: dict[str, bytes]) -> None:
    out = put(tmp_path / "m.edge", old_bytes)
    with pytest.raises(OutputExistsError, match=r"--force"):
        convert(keras_file, photos, out, **ONE)
    assert read(out) == old_bytes
    made = convert(keras_file, photos, out, labels=["w", "x", "y", "z"], force=True, **ONE)
    assert made.manifest.labels == ("w", "x", "y", "z") and sorted(tmp_path.iterdir()) == [out]


def test_what_is_no_bundle_is_refused_before_any_work(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    for out in (photos, tmp_path / "file"):
        with pytest.raises(OutputExistsError, match="not a bundle"):
            convert("a model that is never read.keras", photos, out, force=True)
    assert (tmp_path / "file").read_text() == "precious" and len(list(photos.iterdir())) == 4


# -- interruption --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_an_interruption_leaves_the_old_bundle_and_nothing_else(
    stage: str,
    keras_file: Path,
    photos: Path,
    old_bytes: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    old = put(tmp_path / "old.edge", old_bytes)

    def interrupt(name: str, done: int, total: int) -> None:
        if name == stage:
            raise KeyboardInterrupt

    for out, force in ((old, True), (tmp_path / "new.edge", False)):
        with pytest.raises(KeyboardInterrupt):
            convert(keras_file, photos, out, force=force, progress=interrupt, **ONE)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["old.edge", "scratch"]
    assert read(old) == old_bytes and Bundle.open(old).manifest.labels == CLASSES
    assert not list(scratch.iterdir()), "intermediate files are removed too"


CHILD = """
import os, signal, sys
from edgevision.converters import convert as module
from edgevision.runtime import bundle_writer
model, photos, out, killed_at = sys.argv[1:]
write, count = bundle_writer._write_synced, 0

def dying(path, data):
    global count
    count += 1
    if count == int(killed_at):
        path.write_bytes(data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, data)

bundle_writer._write_synced = dying
module.convert_file = lambda options, limits, progress: module.convert_here(**options, progress=progress)
module.convert(model, photos, out, force=True, formats=("onnx",), precisions=("int8",))
"""


def test_a_killed_conversion_leaves_the_old_bundle_whole(
    keras_file: Path, photos: Path, old_bytes: dict[str, bytes], tmp_path: Path
) -> None:
    """kill -9 half way through the second file of the new bundle: nobody is left to clean up."""
    out = put(tmp_path / "m.edge", old_bytes)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(keras_file), str(photos), str(out), "2"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()[-2000:]
    assert read(out) == old_bytes
    with edgevision.load(out) as predictor:
        assert predictor.labels == CLASSES
    (left,) = (item for item in tmp_path.iterdir() if item not in (out, scratch))
    assert re.fullmatch(r"\.m\.edge\.\w+\.tmp", left.name), "hidden, and never taken for a bundle"
    assert not (left / "manifest.json").exists()
    again = convert(keras_file, photos, out, force=True, **ONE)
    assert json.loads((again.path / "manifest.json").read_bytes())["labels"] == list(CLASSES)


def test_the_stages_are_those_the_tests_interrupt(
    keras_file: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(module, "write", lambda *_: None)
    convert(keras_file, photos, tmp_path / "m.edge", progress=lambda stage, *_: seen.append(stage), **ONE)
    assert seen == STAGES
