"""What becomes of a data set of TensorFlow Datasets; the package itself is a stand-in of the same interface."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from edgevision.datasets import open_dataset, open_images, tfds
from edgevision.runtime.errors import DatasetError, MissingPackageError
from tests.datasets.conftest import png


class Image:
    pass


class ClassLabel:
    names = ("cat", "dog")


class Builder:
    name = "pets"

    def __init__(self, features: dict[str, Any], splits: dict[str, int]) -> None:
        self.info = types.SimpleNamespace(features=features, splits=splits)
        self.read: list[str] = []

    def download_and_prepare(self) -> None:
        pass

    def as_dataset(self, split: str, decoders: dict[str, str], shuffle_files: bool) -> Iterator[dict[str, Any]]:
        assert decoders == {"image": "skipped"} and not shuffle_files
        self.read.append(split)
        return ({"image": png(place), "label": place % 2} for place in range(self.info.splits[split]))


def installed(monkeypatch: pytest.MonkeyPatch, builder: Any) -> None:
    package = types.SimpleNamespace(
        builder=builder,
        features=types.SimpleNamespace(Image=Image, ClassLabel=ClassLabel),
        decode=types.SimpleNamespace(SkipDecoding=lambda: "skipped"),
        as_numpy=lambda data: data,
    )
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", package)


def test_only_the_split_that_is_opened_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Builder({"id": object(), "image": Image(), "label": ClassLabel()}, {"train": 5, "validation": 3})
    installed(monkeypatch, {"pets/small": builder}.__getitem__)
    data = open_dataset("tfds:pets/small")
    assert data.splits == ("train", "val") and data.split == "val" and builder.read == ["validation"]
    assert data.labels == ("cat", "dog") and data.targets.tolist() == [0, 1, 0]
    assert data[2].decode()[0, 0].tolist() == [2, 2, 253]
    assert len(open_images("tfds:pets/small")) == 5 and open_images("tfds:pets/small").labels == ()


def test_other_names_of_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, lambda name: Builder({"image": Image(), "label": ClassLabel()}, {"everything": 2}))
    assert open_dataset("tfds:pets").splits == ("all",)


def test_what_cannot_be_used_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, lambda name: Builder({"text": object()}, {"train": 1}))
    with pytest.raises(DatasetError, match=r"tfds:words has no labelled images.*got text"):
        open_dataset("tfds:words")
    installed(monkeypatch, lambda name: 1 / 0)
    with pytest.raises(DatasetError, match=r"could not be prepared: got ZeroDivisionError.*copy ~/tensorflow_datasets"):
        open_dataset("tfds:pets")
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(MissingPackageError, match="tensorflow-datasets"):
        open_dataset("tfds:pets")


def test_more_than_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, lambda name: Builder({"image": Image(), "label": ClassLabel()}, {"train": 9}))
    monkeypatch.setattr(tfds, "MAX_BYTES", 200)
    with pytest.raises(DatasetError, match="pets does not fit in memory"):
        open_dataset("tfds:pets")
