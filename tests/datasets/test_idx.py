from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgevision.datasets import open_dataset, open_images
from edgevision.runtime.errors import DatasetError
from tests.shared_data import shared_path

IMAGES: NDArray[np.uint8] = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
LABELS = np.array([0, 1, 2, 2, 1, 0], np.uint8)


def idx(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "d"
    root.mkdir()
    (root / "train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    (root / "train-labels-idx1-ubyte").write_bytes(idx(LABELS))
    (root / "t10k-images.idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES[:2])))
    (root / "t10k-labels.idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS[:2])))
    (root / "ABOUT.json").write_text("{}")
    return root


def test_folders_zips_and_single_files(folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / "d.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"inner/{path.name}")
    for data in (folder, packed):
        train, test = open_dataset(data, "train"), open_dataset(data)
        assert train.splits == ("train", "test") and test.split == "test" and test.targets.tolist() == [0, 1]
        assert train.targets.tolist() == LABELS.tolist() and train.labels == ("0", "1", "2") and not train.named
        assert (train[4].decode() == IMAGES[4][..., None]).all()
    alone = open_dataset(folder / "t10k-images.idx3-ubyte.gz")
    assert alone.splits == ("test",) and len(alone) == 2


def test_images_without_labels(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").unlink()
    assert len(open_images(folder)) == 6 and open_images(folder)[0].label is None
    with pytest.raises(DatasetError, match="has no labels: expected train-labels-idx1-ubyte beside"):
        open_dataset(folder)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (idx(IMAGES)[:-1], "119 bytes for 6x4x5"),
        (idx(IMAGES) + b"\0", "121 bytes for 6x4x5"),
        (struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 2**31) + b"\0" * 9, "9 bytes for 2147483648x"),
        (gzip.compress(idx(IMAGES))[:-30], "Compressed file ended"),
        (b"\x89PNG\r\n", "a head 8950"),
        (b"", "requires a buffer of 4 bytes"),
    ],
)
def test_damaged_files_are_named(folder: Path, content: bytes, got: str) -> None:
    (folder / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"train-images of .* is no idx file: expected MNIST's format, got .*{got}"):
        open_dataset(folder)


def test_it_is_plain_which_file_is_meant(folder: Path) -> None:
    (folder / "balanced-train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    (folder / "balanced-train-labels-idx1-ubyte").write_bytes(idx(LABELS))
    with pytest.raises(DatasetError, match="several idx files of images for one split"):
        open_dataset(folder)
    assert len(open_dataset(folder / "balanced-train-images-idx3-ubyte")) == 6


def test_real_digits() -> None:
    data = open_dataset(shared_path("mnist_t10k.zip"))
    assert len(data) == 10_000 and data.split == "test"
    assert np.bincount(data.targets).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data[0].label == 7 and data[0].decode().shape == (28, 28, 3)
