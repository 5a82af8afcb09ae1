"""Every kind of classifier from images to a bundle that predicts, at the smallest size that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevision
from edgevision.datasets import Dataset
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.results import Classification
from edgevision.trainers.train import train

INT8 = ("int8.tflite", "int8.onnx", "int8.xml")
#: name -> input size and options; of numbered networks the smallest. Those that enlarge each rounding from block to
#: block get more than one cell of their last map.
KINDS: dict[str, tuple[int, dict[str, Any]]] = {
    "cnn-cifar": (32, {}),
    "cnn-cifar-wide": (32, {}),
    "cnn-folder": (32, {}),
    "cnn-mnist": (28, {}),
    "cnn-224": (40, {}),
    "resnet-20": (16, {}),
    "resnet-quick": (16, {"width": 16}),
    "vit-small": (16, {"width": 32, "blocks": 2}),
    "attention-cnn": (16, {"width": 32}),
    "mobilenet": (32, {"alpha": 0.25}),
    "mobilenet-v2": (32, {"alpha": 0.35}),
    "mobilenet-v3-small": (64, {}),
    "mobilenet-v3-large": (64, {}),
    "efficientnet-b0": (64, {}),
    "efficientnetv2-b0": (64, {}),
    "resnet50": (32, {}),
    "resnet50v2": (64, {}),
    "vgg16": (32, {}),
    "vgg19": (32, {}),
    "inception-v3": (75, {}),
    "xception": (71, {}),
    "densenet121": (32, {}),
    "nasnet-mobile": (64, {}),
    "convnext-tiny": (32, {}),
}
#: Epochs, where one is not enough for answers to differ between images by more than rounding.
EPOCHS = {
    **dict.fromkeys(("mobilenet-v3-small", "mobilenet-v3-large"), 15),
    **dict.fromkeys(("efficientnet-b0", "efficientnetv2-b0"), 10),
    **dict.fromkeys(("nasnet-mobile", "xception"), 6),
    **dict.fromkeys(("resnet50", "resnet50v2", "densenet121", "inception-v3"), 3),
}


@pytest.fixture(scope="session")
def images(few: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 of each class: too few to learn from, enough to see that all parts fit."""
    path = tmp_path_factory.mktemp("images") / "d.npz"
    pixels = np.stack([sample.decode() for sample in few])
    np.savez(path, images=pixels, labels=few.targets, label_names=np.array(few.labels))
    return path


def through(name: str, size: int, options: dict[str, Any], images: Path, folder: Path) -> Bundle:
    """Train, convert and predict; what has to hold of any classifier."""
    asked: dict[str, Any] = {"input_size": (size, size), "options": options, "batch_size": 20, "validation_split": 0.0}
    result = train(images, folder / "m.keras", model=name, epochs=EPOCHS.get(name, 1), **asked)
    assert np.isfinite(result.history[0].figures["loss"])
    # After so few steps most answers hang by a hair: that the files are right is seen by parity, not by the gate.
    asked = {"precisions": ["int8"], "budget": 0, "max_drop": 50}
    bundle = edgevision.convert(folder / "m.keras", images, folder / "m.edge", **asked)
    assert [artifact.name for artifact in bundle.manifest.artifacts] == list(INT8)
    assert all(artifact.parity is not None and artifact.parity.passed for artifact in bundle.manifest.artifacts)
    with np.load(images) as file:
        image = file["images"][3]
    for artifact in INT8:
        with edgevision.load(bundle.path, artifact=artifact, tune=False) as predictor:
            found = predictor(image)
            assert isinstance(found, Classification)
            assert found.label in result.labels and found.scores.sum() == pytest.approx(1, abs=1e-3)
    return bundle


@pytest.mark.slow
def test_a_residual_network(images: Path, tmp_path: Path) -> None:
    bundle = through("resnet-8", 16, {"width": 8}, images, tmp_path)
    assert not any(artifact.float_ops for artifact in bundle.manifest.artifacts)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_every_kind(name: str, images: Path, tmp_path: Path) -> None:
    through(name, *KINDS[name], images, tmp_path)
