from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import edgevision
from edgevision.converters.metadata import read_metadata
from edgevision.datasets import MaskDataset, open_masks
from edgevision.runtime.bundle import Bundle
from edgevision.runtime.errors import InputError
from edgevision.runtime.spec import named_preprocessing
from edgevision.trainers.examples import Example
from edgevision.trainers.families import named_family
from edgevision.trainers.recipe import recipe_of
from edgevision.trainers.tasks import guessed_task
from edgevision.trainers.tasks.segmentation import Segmentation
from edgevision.trainers.train import train
from tests.shared_data import shared_path


def test_a_rare_class_is_on_both_sides_of_the_split(tmp_path: Path) -> None:
    for index in range(12):
        for folder, value in (("images", 100 + index), ("masks", 2 if index < 2 else 1 if index % 2 else 0)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.new("L", (16, 16), value).save(tmp_path / folder / f"{index:02d}.png")
    for seed in range(5):
        fields = {
            "task": "segmentation",
            "model": "unet",
            "input_size": (16, 16),
            "validation_split": 0.5,
            "seed": seed,
        }
        data = Segmentation.open(tmp_path, recipe_of(fields), named_preprocessing("unit", 16, 16), None)
        assert data.validation is not None
        for part in (data.train, data.validation):
            rare = [index for index in range(len(part)) if np.any(part[index].mask == 2)]
            assert len(part) == 6 and len(rare) == 1


SMALL: dict[str, dict[str, Any]] = {
    "unet": {"width": 4, "levels": 2},
    "fcn": {"width": 4},
    "deeplab-mobilenet": {"width": 4, "pyramid": 8},
}


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images to train on and four to validate with, as a folder."""
    folder = tmp_path_factory.mktemp("data") / "streets"
    with zipfile.ZipFile(shared_path("camvid_240x180.zip")) as archive:
        for split, step, count in (("train", 30, 12), ("val", 25, 4)):
            images = sorted(name for name in archive.namelist() if name.startswith(f"images/{split}/"))
            for name in images[: step * count : step]:
                mask = name.replace("images/", "masks/").replace(".jpg", ".png")
                archive.extractall(folder, [name, mask])
        archive.extract("classes.json", folder)
    return folder


def trained_and_converted(model: str, data: Path, out: Path, **settings: Any) -> Bundle:
    train(data, out / "m.keras", model=model, options=SMALL[model], input_size=(64, 96), batch_size=4, **settings)
    return edgevision.convert(
        keras.saving.load_model(out / "m.keras"), data, out / "m.edge", precisions=["int8"], budget=0, **told(out)
    )


def told(out: Path) -> dict[str, Any]:
    """What a file says of itself, for a model in memory: no other process has to be started."""
    metadata = read_metadata(out / "m.keras")
    assert metadata is not None
    return {"head": metadata["head"], "labels": metadata["labels"], "preprocess": "unit"}


def check(bundle: Bundle, image: Any) -> None:
    """Every file is all int8 and gives a map of the image's size."""
    for item in bundle.manifest.artifacts:
        assert item.int8_macs == 1 and not item.float_ops, item
        with edgevision.load(bundle.path, artifact=item.name) as predictor:
            found = predictor(image)
        assert found.classes.shape == (180, 240) and "Void" not in found.labels and len(found.labels) == 11


def test_from_masks_to_a_map(streets: Path, tmp_path: Path) -> None:
    assert guessed_task(streets) is Segmentation
    bundle = trained_and_converted("unet", streets, tmp_path, epochs=2)
    check(bundle, open_masks(streets, "val").images[0].decode())
    assert all(item.parity is not None and item.parity.passed for item in bundle.manifest.artifacts)
    metadata = read_metadata(tmp_path / "m.keras")
    assert metadata is not None and metadata["task"] == "segmentation"
    assert metadata["provenance"]["images"] == 12 and metadata["provenance"]["val_images"] == 4
    assert 0 < metadata["provenance"]["miou"] < 1


# At this size TFLite's file of deeplab-mobilenet fails its check (19 dB, docs/models.md); held here is the int8 share.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*failed the checks of its conversion")
@pytest.mark.parametrize("model", ["fcn", "deeplab-mobilenet"])
def test_other_families_keep_their_dilations_in_int8(model: str, streets: Path, tmp_path: Path) -> None:
    check(trained_and_converted(model, streets, tmp_path, epochs=12), open_masks(streets, "val").images[0].decode())


def task(data: MaskDataset) -> Segmentation:
    recipe = recipe_of({"task": "segmentation", "model": "unet", "input_size": (64, 96), "options": SMALL["unet"]})
    labels = data.labels[:-1]
    family = named_family("unet")
    built = family.build((64, 96, 3), labels, {**family.options, **SMALL["unet"]})
    return Segmentation(recipe, built, labels, named_preprocessing("unit", 64, 96))


def test_validation_is_that_of_evaluate(streets: Path) -> None:
    """Of a map that is right but for one class, at half the size: known in advance."""
    data = open_masks(streets, "val")
    found = task(data)
    opened = found.open(streets, found.recipe, found.p, None)
    assert opened.validation is not None and opened.labels == data.labels[:-1]
    truth = np.zeros((64, 96), np.uint8)
    truth[32:] = 3
    truth[:2] = 255
    example = Example(np.zeros((64, 96, 3), np.uint8), mask=truth)

    class One:
        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> Example:
            return example

    def predict(images: Any) -> dict[str, Any]:
        scores = np.zeros((1, 32, 48, 11), np.float32)
        scores[:, :16, :, 0] = scores[:, 16:, :24, 3] = scores[:, 16:, 24:, 5] = 30
        return {"map": scores}

    figures = found.judge(predict, One())  # type: ignore[arg-type]
    assert figures["miou"] == pytest.approx((1 + 0.5) / 2, abs=0.02)
    assert figures["pixel_accuracy"] == pytest.approx((30 + 16) / 62, abs=0.02)


def test_a_loss_and_a_size_that_do_not_fit(streets: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"loss is unknown: expected cross-entropy or dice or cross-entropy\+dice"):
        train(streets, tmp_path / "m.keras", loss="focal", options=SMALL["unet"], input_size=(64, 96))
    with pytest.raises(InputError, match=r"does not suit unet: expected multiples of 32, got 180x240.*192x256"):
        train(streets, tmp_path / "m.keras", input_size=(180, 240))
    with pytest.raises(InputError, match=r"class_balance is not usable: expected 0\.\.1, got 2"):
        train(streets, tmp_path / "m.keras", class_balance=2.0)
