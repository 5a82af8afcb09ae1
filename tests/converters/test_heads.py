"""Keras models of tasks with a head, converted to bundles that predict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

import edgevision
from edgevision.converters.convert import convert
from edgevision.converters.metadata import write_metadata
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import BundleError, InputError, ModelError
from edgevision.runtime.heads import Head
from edgevision.runtime.heads.classes import MultiLabelHead
from edgevision.runtime.heads.detection import FcosHead
from edgevision.runtime.heads.embedding import EmbeddingHead
from edgevision.runtime.heads.maps import SegmentationHead
from edgevision.runtime.results import Classification, Detections, Embedding, SegmentationMap
from tests.converters.models import SIZE, pictures, scrambled, write_folder

LABELS = ("cat", "dog", "car")


def detector() -> Any:
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = kl.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(image)
    x = kl.ReLU()(kl.BatchNormalization()(x))
    x = kl.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    boxes = kl.Conv2D(4, 1, activation="relu", name="sides")(x)
    return keras.Model(image, [boxes, kl.Conv2D(3, 1, name="kinds")(x)], name="detector")


def segmenter() -> Any:
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = kl.Conv2D(8, 3, padding="same", activation="relu")(image)
    return keras.Model(image, kl.Conv2D(3, 1, name="mask")(x), name="segmenter")


def describer(units: int = 16, activation: str | None = None) -> Any:
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = kl.GlobalAveragePooling2D()(kl.Conv2D(8, 3, activation="relu")(image))
    return keras.Model(image, kl.Dense(units, activation=activation, name="vector")(x), name="describer")


CASES: dict[str, tuple[Callable[[], Any], Head, tuple[str, ...], type]] = {
    "detector": (
        detector,
        FcosHead(strides=(4,), boxes=("sides",), scores=("kinds",), score_threshold=0.4),
        LABELS,
        Detections,
    ),
    "segmenter": (segmenter, SegmentationHead(), LABELS, SegmentationMap),
    "embedder": (describer, EmbeddingHead(threshold=0.5), (), Embedding),
    "tagger": (lambda: describer(3, "sigmoid"), MultiLabelHead(), LABELS, Classification),
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("images"), pictures(60, seed=5)[0])


@pytest.mark.parametrize("name", list(CASES))
def test_a_bundle_of_every_format_predicts_the_task(name: str, images: Path, tmp_path: Path) -> None:
    made, head, labels, kind = CASES[name]
    asked: dict[str, Any] = {"labels": labels} if labels else {}
    asked["precisions"] = ["int8", "float32"] if name == "detector" else ["int8"]
    bundle = convert(scrambled(made()), images, tmp_path / "a.edge", preprocess="unit", head=head, **asked)
    manifest = bundle.manifest
    assert (manifest.task, manifest.labels, manifest.head) == (head.task, labels, head)
    assert manifest.scores == ("sigmoid" if name == "tagger" else None)
    assert manifest.gate is not None and (manifest.gate.basis, manifest.gate.passed) == ("signal", True)
    assert all(item.passed and item.parity is not None for item in manifest.artifacts)
    photo = pictures(1, seed=9)[0][0]
    answers = [predicted(bundle, item.name, photo, kind) for item in manifest.artifacts]
    for artifact, answer in zip(manifest.artifacts, answers):
        if artifact.precision == "int8":  # as the other int8 files within a step of their grids, near float
            np.testing.assert_allclose(answer, answers[0], atol=0.02 * np.ptp(answers[0]) + 1e-6)
    text = bundle.read("README.md").decode()
    assert ("Classes: cat" in text) is bool(labels) and "Named arrays" not in text


def predicted(bundle: Bundle, artifact: str, photo: Any, kind: type) -> Any:
    with edgevision.load(bundle.path, artifact=artifact) as predictor:
        result = predictor(photo)
        assert type(result) is kind
        outputs = predictor.infer(predictor.preprocess(predictor.decode(photo)))
    return np.concatenate([outputs[name].ravel() for name in sorted(outputs)])


def test_a_lone_file_knows_its_head(images: Path, tmp_path: Path) -> None:
    made, head, labels, kind = CASES["detector"]
    asked: dict[str, Any] = {"formats": ["onnx"], "precisions": ["int8"], "preprocess": "unit"}
    bundle = convert(scrambled(made()), images, tmp_path / "a.edge", head=head, labels=labels, **asked)
    with edgevision.load(bundle.path / "int8.onnx") as predictor:
        assert type(predictor(pictures(1)[0][0])) is kind and predictor.manifest.head == head


def test_a_file_carries_its_head_and_takes_another(images: Path, tmp_path: Path) -> None:
    model = scrambled(segmenter())
    path = tmp_path / "model.keras"
    model.save(path)
    stored = {"kind": "segmentation", "upsample": "bilinear"}
    write_metadata(path, {"labels": list(LABELS), "head": stored})
    asked: dict[str, Any] = {"formats": ["onnx"], "precisions": ["int8"], "preprocess": "unit"}
    bundle = convert(path, images, tmp_path / "a.edge", **asked)
    assert bundle.manifest.head == SegmentationHead(upsample="bilinear") and bundle.manifest.labels == LABELS
    other = json.dumps({"kind": "segmentation", "upsample": "nearest"})
    bundle = convert(path, images, tmp_path / "b.edge", head=other, **asked)
    assert bundle.manifest.head == SegmentationHead()
    write_metadata(path, {"labels": list(LABELS), "head": {"kind": "hat"}})
    with pytest.raises(ModelError, match="head stored with model"):
        convert(path, images, tmp_path / "c.edge", **asked)


@pytest.mark.parametrize(
    ("head", "labels", "error", "words"),
    [
        (EmbeddingHead(output="vectors"), None, BundleError, "vectors"),
        (SegmentationHead(), ("one", "two"), BundleError, "2 channels, one per label"),
        (
            FcosHead(strides=(8,), boxes=("sides",), scores=("kinds",)),
            LABELS,
            BundleError,
            "about 2 x 2 cells at stride 8",
        ),
        ("hat", None, InputError, "kind of head is unknown"),
        ("{", None, InputError, "no JSON"),
    ],
)
def test_what_does_not_fit_is_refused_before_quantising(
    head: Any, labels: Any, error: type[Exception], words: str, images: Path, tmp_path: Path
) -> None:
    model = detector() if isinstance(head, FcosHead) else segmenter() if labels else describer()
    stages: list[str] = []
    with pytest.raises(error, match=words):
        convert(
            model,
            images,
            tmp_path / "a.edge",
            head=head,
            labels=labels,
            preprocess="unit",
            progress=lambda stage, done, total: stages.append(stage),
        )
    assert "quantising" not in stages and not (tmp_path / "a.edge").exists()
