"""What can be asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import layers as kl

import edgevision
from edgevision.benchmarks.verify import verify
from edgevision.cli.convert import summary
from edgevision.converters.convert import convert
from edgevision.converters.parity import LIMITS_DB
from edgevision.runtime.spec import named_preprocessing
from tests.converters.convert.common import ONE
from tests.converters.models import CLASSES, SIZE, pictures, sequential, write_folder


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
