from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgevision.datasets import Dataset, open_dataset
from edgevision.runtime.errors import DatasetError, ImageError
from edgevision.runtime.preprocess import resize
from edgevision.runtime.spec import named_preprocessing
from edgevision.trainers.images import LabelledImages, is_colored, load_pixels, readable_pixels
from edgevision.trainers.recipe import recipe_of
from edgevision.trainers.tasks.classification import Classification

P = named_preprocessing("unit", 16, 20, 3)


@pytest.fixture
def folder(few: Dataset, tmp_path: Path) -> Path:
    """Two good images of each of two classes, and a damaged one between them."""
    for index, name in enumerate(("cat/1", "cat/2", "dog/1", "dog/2", "dog/3")):
        content = few[index].image
        assert isinstance(content, bytes)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.png").write_bytes(content[:99] if name == "dog/2" else content)
    return tmp_path


def test_pixels_are_those_of_the_device(few: Dataset) -> None:
    pixels, _, sizes, _ = readable_pixels(few, P, strict=True)
    assert all((pixels[index] == resize(few[index].decode(), P)).all() for index in (0, 57, 199))
    assert sizes == ((32, 32),) * 200 and is_colored(pixels)
    assert (load_pixels(few.subset(range(3)), P)[:] == pixels[:3]).all()


def test_what_cannot_be_read_is_left_out_and_named(folder: Path) -> None:
    images = LabelledImages(open_dataset(folder), P, strict=False)
    assert [images.name(index) for index in range(len(images))] == ["cat/1.png", "cat/2.png", "dog/1.png", "dog/3.png"]
    assert images.targets.tolist() == [0, 0, 1, 1] and len(images.sizes) == len(images.pixels) == 4
    assert (images[3].pixels == resize(open_dataset(folder)[4].decode(), P)).all()
    (line,) = images.unreadable
    assert "dog/2.png" in line and images[3].label is not None and images[3].label.tolist() == [0, 1]


def test_strictness_is_a_setting(folder: Path) -> None:
    fields = {"task": "classification", "model": "cnn-cifar", "input_size": (16, 20), "validation_split": 0.0}
    found = Classification.open(folder, recipe_of(fields), P, None)
    assert len(found.train) == 4 and found.provenance()["unreadable_images"] == 1
    with pytest.raises(ImageError, match=r"dog/2\.png"):
        Classification.open(folder, recipe_of({**fields, "strict": True}), P, None)


def test_a_class_that_loses_all_its_images_is_an_error(folder: Path) -> None:
    for name in ("dog/1", "dog/3"):
        (folder / f"{name}.png").write_bytes(b"")
    fields = {"task": "classification", "model": "cnn-cifar", "input_size": (16, 20), "validation_split": 0.0}
    with pytest.raises(DatasetError, match=r"class 'dog' has no images.*mend what cannot be read: .*dog/1\.png"):
        Classification.open(folder, recipe_of(fields), P, None)


def test_nothing_readable_is_an_error(folder: Path) -> None:
    data = open_dataset(folder)
    with pytest.raises(ImageError, match=r"dog/2\.png"):
        LabelledImages(data.subset(np.array([3])), P, strict=False)
