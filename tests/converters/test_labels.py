from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevision.converters.labels import settle_labels
from edgevision.converters.source import SourceModel, load_source
from edgevision.datasets import open_dataset
from edgevision.runtime.errors import InputError
from tests.converters.models import CLASSES, pictures, write_folder


@pytest.fixture(scope="module")
def source(bare_model: Any) -> SourceModel:
    return load_source(bare_model, preprocess="unit")


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "unlabelled", pictures(3)[0])


def test_the_callers_names_come_first(source: SourceModel, photos: Path) -> None:
    knowing = dataclasses.replace(source, labels=("a", "b", "c", "d"))
    tested = open_dataset(photos)
    assert settle_labels(knowing, ["w", "x", "y", "z"], tested, photos) == ("w", "x", "y", "z")
    assert settle_labels(knowing, None, tested, photos) == ("a", "b", "c", "d")


def test_then_the_datas_folders_in_alphabetical_order(source: SourceModel, photos: Path, unlabelled: Path) -> None:
    wanted = tuple(sorted(CLASSES))
    assert settle_labels(source, None, open_dataset(photos), unlabelled) == wanted
    assert settle_labels(source, None, None, photos) == wanted


def test_names_are_never_made_up(source: SourceModel, unlabelled: Path, tmp_path: Path) -> None:
    images, targets = pictures(8)
    np.savez(tmp_path / "numbers.npz", images=images, labels=targets)
    for calibration in (unlabelled, tmp_path / "numbers.npz"):
        with pytest.raises(InputError, match=r"not known: expected 4 names; give --labels FILE"):
            settle_labels(source, None, None, calibration)


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"], list("abcdefghij")])
def test_another_number_of_names(names: list[str], source: SourceModel, photos: Path) -> None:
    with pytest.raises(InputError, match=rf"expected 4 names, one per output, got {len(names)} \(a") as caught:
        settle_labels(source, names, None, photos)
    assert "--labels" in caught.value.cure
    assert ("..." in caught.value.got) is (len(names) > 6)


def test_folders_of_another_number(source: SourceModel, tmp_path: Path) -> None:
    images, targets = pictures(8)
    data = write_folder(tmp_path / "two", images[targets < 2], targets[targets < 2])
    with pytest.raises(InputError, match=r"got 2 \(columns, rows\)"):
        settle_labels(source, None, None, data)


def test_a_repeated_name(source: SourceModel, photos: Path) -> None:
    with pytest.raises(InputError, match=r"repeated.*got b"):
        settle_labels(source, ["a", "b", "b", "c"], None, photos)
