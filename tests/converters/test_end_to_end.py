"""Real images through everything: train, convert with calibration and evaluation, load, predict."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import edgevision
from edgevision.converters.answers import top1
from edgevision.converters.convert import convert
from edgevision.datasets import Dataset, open_dataset
from edgevision.runtime.bundle import Bundle
from edgevision.trainers.train import train
from tests.shared_data import shared_path


@pytest.fixture(scope="module")
def test_images() -> Dataset:
    return open_dataset(shared_path("cifar10_png.zip"), "test")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, test_images: Dataset) -> Bundle:
    folder = tmp_path_factory.mktemp("cifar")
    zipped = shared_path("cifar10_png.zip")
    training = open_dataset(zipped, "train")
    few = training.subset(np.random.default_rng(0).permutation(len(training))[:1500])
    assert few.labels == test_images.labels
    train(few, folder / "cifar.keras", epochs=3, validation_split=0.0)
    return convert(folder / "cifar.keras", zipped, folder / "cifar.edge", evaluate=zipped, precisions=("int8",))


def test_every_artifact_passes(bundle: Bundle) -> None:
    gate = bundle.manifest.gate
    assert gate is not None and gate.passed and gate.basis == "accuracy" and gate.images == 1000
    assert len(bundle.manifest.artifacts) == 3
    for item in bundle.manifest.artifacts:
        assert item.parity is not None and item.parity.passed and item.agreement is not None
        # After so little training many images lie between two classes; a fully trained one is measured elsewhere.
        assert item.agreement.same_top1 is not None and item.agreement.same_top1 >= 0.95
        assert item.agreement.difference >= -1.0
        assert item.agreement.float_top1 is not None and item.agreement.float_top1 > 0.2, "it learned something"
        assert item.int8_macs == 1.0 and item.int8_weight_bytes == 1.0


def test_the_three_are_one_model(bundle: Bundle, test_images: Dataset) -> None:
    """Pairwise the same top-1 on at least 98 % of the test images, through the predictor that devices use."""
    images = [test_images[index].decode() for index in range(0, 1000, 2)]
    found = {}
    for item in bundle.manifest.artifacts:
        with edgevision.load(bundle.path, artifact=item.name) as predictor:
            found[item.name] = np.array([predictor(image).index for image in images])
    for one, two in combinations(found, 2):
        assert (found[one] == found[two]).mean() >= 0.98
    golden = bundle.golden().outputs
    first = [top1(golden[name]["output"], "logits", 10)[0] for name in found]
    assert len(set(first)) == 1


def test_an_image_gets_a_label(bundle: Bundle, test_images: Dataset, tmp_path: Path) -> None:
    image = test_images[0].image
    assert isinstance(image, bytes)
    (tmp_path / "photo.png").write_bytes(image)
    with edgevision.load(bundle.path) as predictor:
        answer = predictor(tmp_path / "photo.png")
        assert predictor.labels == test_images.labels
    assert answer.label == test_images.labels[answer.index] and answer.scores.shape == (10,)
    assert answer.scores.sum() == pytest.approx(1, abs=1e-5) and len(answer.top(3)) == 3


def test_bundle_numbers_are_those_of_evaluate(bundle: Bundle) -> None:
    """What conversion wrote down is what anybody measures afterwards."""
    found = edgevision.evaluate(bundle.path, shared_path("cifar10_png.zip"), artifact="int8.onnx").to_dict()
    agreement = bundle.artifact("int8.onnx").agreement
    assert agreement is not None
    assert found["artifacts"]["int8.onnx"]["top1"] == pytest.approx(agreement.top1)
    assert found["artifacts"]["int8.onnx"]["n"] == 1000
