from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from edgevision.converters.metadata import read_metadata
from edgevision.datasets import Dataset
from edgevision.runtime.errors import DatasetError, ImageError, InputError, OutputExistsError
from edgevision.runtime.manifest import from_plain
from edgevision.runtime.preprocess import normalize, resize
from edgevision.runtime.spec import Preprocessing, named_preprocessing
from edgevision.trainers import cache
from edgevision.trainers.data import open_labelled
from edgevision.trainers.history import Epoch
from edgevision.trainers.train import train


def npz(path: Path, labels: list[int], **more: Any) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 32, 32, 3), dtype=np.uint8)
    np.savez(path, images=images, labels=labels, **more)
    return path


def test_a_model_that_knows_what_it_needs(few: Dataset, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    epochs: list[Epoch] = []
    out = tmp_path / "new folder" / "m.keras"
    result = train(few, out, epochs=2, batch_size=32, progress=lambda *step: seen.append(step), on_epoch=epochs.append)
    assert result.path == out and result.labels == few.labels and result.parameters == 122_570
    assert (result.images, result.val_images) == (180, 20)
    assert tuple(epochs) == result.history and [epoch.number for epoch in epochs] == [1, 2]
    assert result.value == max(epoch.figures["val_accuracy"] for epoch in epochs)
    assert seen[-1] == ("train", 12, 12) and ("read images", 180, 180) in seen
    assert [path.name for path in out.parent.iterdir()] == ["m.keras"]

    metadata = read_metadata(out)
    assert metadata is not None and metadata["labels"] == list(few.labels)
    assert (metadata["task"], metadata["scores"]) == ("classification", "logits")
    assert from_plain(Preprocessing, metadata["preprocessing"]) == named_preprocessing("unit", 32, 32)
    provenance = metadata["provenance"]
    assert (
        len(provenance["data_sha256"]) == 64
        and provenance["recipe"]["seed"] == 0
        and provenance["recipe"]["epochs"] == 2
    )
    assert provenance["model"] == "cnn-cifar" and provenance["versions"]["keras"] == keras.__version__
    assert provenance["accuracy"] == result.value and provenance["best_epoch"] == result.best_epoch
    assert result.to_dict()["history"][0]["number"] == 1 and result.to_dict()["path"] == str(out)


def test_the_saved_weights_are_those_of_the_best_epoch(few: Dataset, tmp_path: Path) -> None:
    result = train(few, tmp_path / "m.keras", epochs=3, learning_rate=3e-3, validation_split=0.3, seed=4)
    model = keras.saving.load_model(tmp_path / "m.keras")
    assert not any("Rescaling" in type(layer).__name__ or "Random" in type(layer).__name__ for layer in model.layers)
    assert not model.compiled, "no optimiser travels with the model"
    _, held = open_labelled(few, 0.3, 4)
    assert held is not None and len(held) == 60
    p = named_preprocessing("unit", 32, 32)
    images = np.stack([normalize(resize(sample.decode(), p), p) for sample in held])
    accuracy = (model.predict_on_batch(images).argmax(axis=1) == held.targets).mean()
    assert accuracy == pytest.approx(result.value)


def test_the_same_seed_gives_the_same_model(few: Dataset, tmp_path: Path) -> None:
    weights = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(few, tmp_path / f"{name}.keras", epochs=1, seed=seed, validation_split=0.0)
        weights.append(keras.saving.load_model(tmp_path / f"{name}.keras").get_weights())
    assert all(np.allclose(one, two, atol=1e-6) for one, two in zip(weights[0], weights[1]))
    assert not all(np.allclose(one, two, atol=1e-3) for one, two in zip(weights[0], weights[2]))


def test_figures_of_an_epoch_are_means_over_its_images(few: Dataset, tmp_path: Path) -> None:
    # So slow that the weights stay what they are; 200 images leave a last batch of 8.
    result = train(few, tmp_path / "m.keras", epochs=1, learning_rate=1e-12, augment=(), validation_split=0.0)
    model = keras.saving.load_model(tmp_path / "m.keras")
    p = named_preprocessing("unit", 32, 32)
    logits = model.predict_on_batch(normalize(np.stack([sample.decode() for sample in few]), p)).astype(np.float64)
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(200), few.targets]
    assert result.history[0].figures["loss"] == pytest.approx(losses.mean(), rel=1e-4)
    assert result.history[0].figures["accuracy"] == pytest.approx((logits.argmax(axis=1) == few.targets).mean())


@pytest.mark.parametrize("model", ["cnn-cifar-wide", "cnn-folder"])
def test_other_networks_learn_too(few: Dataset, tmp_path: Path, model: str) -> None:
    result = train(few, tmp_path / "m.keras", model=model, epochs=2, input_size=(40, 36), validation_split=0.0)
    assert result.history[1].figures["loss"] < result.history[0].figures["loss"]
    assert result.value is None and result.best_epoch == 2
    assert keras.saving.load_model(tmp_path / "m.keras").input_shape == (None, 40, 36, 3)


def test_digits_are_learned_and_never_mirrored(tmp_path: Path) -> None:
    result = train("digits", tmp_path / "m.keras", model="cnn-mnist", epochs=3)
    assert result.value is not None and result.value > 0.85
    metadata = read_metadata(tmp_path / "m.keras")
    assert metadata is not None and metadata["preprocessing"]["color"] == "gray"
    assert metadata["provenance"]["recipe"]["augment"] == [] and metadata["scores"] == "probabilities"


@pytest.mark.parametrize(("grey", "augment"), [(True, []), (False, ["flip", "shift=0.1"])])
def test_grey_images_are_not_augmented_unless_told(tmp_path: Path, grey: bool, augment: list[str]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 1 if grey else 3), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", images=images, labels=[0, 1] * 4)
    for told, wanted in ((None, augment), (["flip"], ["flip"])):
        train(tmp_path / "d.npz", tmp_path / "m.keras", epochs=1, augment=told, force=True)
        metadata = read_metadata(tmp_path / "m.keras")
        assert metadata is not None and metadata["provenance"]["recipe"]["augment"] == wanted


def test_the_datas_own_validation_split_judges(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    path = tmp_path / "d.npz"
    np.savez(path, x_train=images, y_train=[0, 1, 2] * 4, x_val=images[:5], y_val=[0, 1, 2, 0, 1])
    result = train(path, tmp_path / "m.keras", epochs=1)
    assert (result.images, result.val_images) == (12, 5)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0] * 6, "nothing to tell apart: expected two or more classes, got only '0'"),
        ([0, 0, 0, 7], "fewer images than classes: expected at least 8 images, got 4"),
        ([0, 0, 2, 2], "class '1' has no images: expected images of all 3 classes, got 1 without: 1"),
    ],
)
def test_data_that_cannot_be_trained_on(tmp_path: Path, labels: list[int], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        train(npz(tmp_path / "d.npz", labels), tmp_path / "m.keras")
    assert not (tmp_path / "m.keras").exists()


def test_classes_that_only_another_split_has(tmp_path: Path, few: Dataset) -> None:
    image = few[0].image
    assert isinstance(image, bytes)
    for path in ("train/cat/1.png", "train/dog/1.png", "train/dog/2.png", "val/cat/1.png", "val/eel/1.png"):
        (tmp_path / "d" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / path).write_bytes(image)
    with pytest.raises(DatasetError, match=r"class 'eel' has no images in the train split.*other splits"):
        train(tmp_path / "d", tmp_path / "m.keras")


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(DatasetError, match="holds no images"):
        train(tmp_path / "d", tmp_path / "m.keras")


def test_a_damaged_image_is_named(tmp_path: Path, few: Dataset) -> None:
    image = few[0].image
    assert isinstance(image, bytes)
    for path, content in (("cat/1.png", image), ("dog/2.png", image[: len(image) // 2])):
        (tmp_path / "d" / path).parent.mkdir(parents=True)
        (tmp_path / "d" / path).write_bytes(content)
    with pytest.raises(ImageError, match=r"dog/2\.png"):
        train(tmp_path / "d", tmp_path / "m.keras", validation_split=0.0, strict=True)


def test_more_images_than_memory(few: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = []
    for limit in (cache.MAX_BYTES, 100_000):
        monkeypatch.setattr(cache, "MAX_BYTES", limit)
        result = train(few, tmp_path / "m.keras", epochs=1, validation_split=0.0, force=True)
        losses.append(result.history[0].figures["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "resnet"}, "network is unknown"),
        ({"epochs": 0}, "epochs is not usable: expected at least 1, got 0"),
        ({"batch_size": 0}, "batch_size is not usable"),
        ({"learning_rate": 0.0}, "learning_rate is not usable"),
        ({"learning_rate": float("nan")}, "learning_rate is not usable"),
        ({"augment": ["sparkle"]}, "augmentation is unknown"),
        ({"validation_split": 1.0}, "validation_split is not usable"),
        ({"threshold_folds": 1}, "threshold_folds is not usable: expected 0, or at least 2"),
        ({"whitening": 1.0}, "whitening is not usable"),
        ({"preprocess": "imagenet"}, "preprocess is unknown"),
        ({"model": "cnn-mnist", "preprocess": "torch"}, "for colour images"),
        ({"input_size": (8, 32)}, "too small for cnn-cifar: expected at least 18x18, got 8x32"),
        ({"seed": -1}, "seed is not usable"),
    ],
)
def test_options_that_cannot_be_used(few: Dataset, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(few, tmp_path / "m.keras", **options)


def test_the_output_is_not_replaced_unasked(few: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "m.keras"
    out.write_bytes(b"precious")
    with pytest.raises(OutputExistsError, match="--force"):
        train(few, out)
    assert out.read_bytes() == b"precious"
    train(few, out, epochs=1, force=True)
    assert zipfile.is_zipfile(out)


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_is_never_replaced(few: Dataset, tmp_path: Path, force: bool) -> None:
    (tmp_path / "m.keras").mkdir()
    with pytest.raises(OutputExistsError):
        train(few, tmp_path / "m.keras", force=force)


def test_other_endings_are_refused(few: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected NAME\.keras"):
        train(few, tmp_path / "m.h5")


def test_an_interrupted_training_leaves_nothing(few: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "m.keras"
    out.write_bytes(b"old")

    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "train" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(few, out, force=True, progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"] and out.read_bytes() == b"old"
