from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgevision.datasets import open_dataset, open_images
from edgevision.runtime.errors import DatasetError, MissingPackageError

Make = Callable[..., Path]
GREY = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)


def test_images_and_labels(arrays: Make) -> None:
    data = open_dataset(arrays())
    assert data.labels == ("0", "1", "2") and not data.named
    assert data.targets.tolist() == [0, 1, 2, 0, 1, 2]
    assert data[5].decode().shape == (4, 5, 3) and data[5].name == "all[5]"
    assert data[0].decode().ravel().tolist() == list(range(60))


@pytest.mark.parametrize("images", [GREY, GREY[..., None]], ids=["N,H,W", "N,H,W,1"])
def test_grey_images(arrays: Make, images: object) -> None:
    decoded = open_dataset(arrays(images=images))[1].decode()
    assert decoded.shape == (4, 5, 3) and (decoded == GREY[1][..., None]).all()


def test_label_names_and_column_labels(arrays: Make) -> None:
    data = open_dataset(arrays(labels=np.array([[0], [1], [2]] * 2), label_names=["a", "b", "c"]))
    assert data.labels == ("a", "b", "c") and data.named and data.targets[5] == 2


@pytest.mark.parametrize("names", [("train_images", "train_labels"), ("x_train", "y_train")])
def test_splits_in_one_file(arrays: Make, names: tuple[str, str]) -> None:
    test = {"test_images": GREY[:2], "test_labels": [0, 3]}
    path = arrays(images=None, labels=None, **{names[0]: GREY, names[1]: [0, 1, 2] * 2}, **test)
    assert len(open_dataset(path)) == 2
    assert open_dataset(path, "train").labels == ("0", "1", "2", "3")
    assert len(open_images(path)) == 6


def test_images_alone_calibrate(arrays: Make) -> None:
    path = arrays(labels=None)
    assert len(open_images(path)) == 6 and open_images(path)[0].label is None
    with pytest.raises(DatasetError, match="has no labels: expected an array labels, got images"):
        open_dataset(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": [0, 1]}, "expected 6, one an image, got 2"),
        ({"labels": [0.5] * 6}, "expected integers"),
        ({"labels": [-1, 0, 1, 0, 1, 0]}, "expected integers"),
        ({"labels": np.eye(6, dtype=int)}, "expected integers"),
        ({"label_names": ["a", "b"]}, "3 or more distinct strings"),
        ({"label_names": ["a", "b", "a"]}, "3 or more distinct strings"),
        ({"label_names": [1, 2, 3]}, "3 or more distinct strings"),
        ({"images": GREY.astype(np.float32)}, "expected uint8"),
        ({"images": GREY[0]}, "expected uint8"),
        ({"images": np.zeros((6, 4, 5, 4), np.uint8)}, "expected uint8"),
        ({"images": GREY[:0], "labels": np.zeros(0, int)}, "N >= 1"),
        ({"images": None}, "has no images: expected arrays images and labels.*got labels"),
    ],
)
def test_unusable_arrays_say_what_is_wrong(arrays: Make, changes: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        open_dataset(arrays(**changes))


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]

    path = tmp_path / "data.npz"
    np.savez(path, images=np.array([Trap()], dtype=object), labels=[0])
    with pytest.raises(DatasetError, match="no pickled objects"):
        open_dataset(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("cut", [0, 1, 100, -30])
def test_a_truncated_file(arrays: Make, cut: int) -> None:
    path = arrays()
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DatasetError, match="cannot be read"):
        open_dataset(path)


def test_a_single_array_is_no_npz(tmp_path: Path) -> None:
    with (tmp_path / "data.npz").open("wb") as file:
        np.save(file, GREY)
    with pytest.raises(DatasetError, match="a single array"):
        open_dataset(tmp_path / "data.npz")


def test_reading_does_not_open_the_array_for_writing(arrays: Make) -> None:
    image = open_dataset(arrays())[0].image
    assert isinstance(image, np.ndarray) and not image.flags.writeable


def test_nothing_there_and_other_files(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nothing at that path"):
        open_dataset(tmp_path / "gone")
    (tmp_path / "model.txt").write_text("x")
    with pytest.raises(DatasetError, match=r"expected a folder, a \.zip, an \.npz, idx files, digits or cifar10"):
        open_dataset(tmp_path / "model.txt")


def test_digits() -> None:
    train, test = open_dataset("digits", "train"), open_dataset("digits")
    assert (len(train), len(test), test.split) == (1438, 359, "test")
    assert test.labels == tuple("0123456789") and min(np.bincount(test.targets)) >= 34
    image = train[0].image
    assert isinstance(image, np.ndarray) and image.shape == (8, 8) and image.dtype == np.uint8
    assert max(int(sample.decode().max()) for sample in test) == 255
    # The split is a promise: figures measured on it are compared between versions.
    assert test.content_hash() == "02fe88cab2106e02dc6b3ffd2b0cab3dc038a15f9712123e5b48ef37eb921af2"


def test_digits_without_labels() -> None:
    assert len(open_images("digits")) == 1438 and open_images("digits")[0].label is None


def test_a_folder_called_digits_needs_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("digits").mkdir()
    assert len(open_dataset("digits")) == 359
    with pytest.raises(DatasetError, match="holds no images"):
        open_dataset("./digits")


@pytest.mark.parametrize(("name", "module"), [("digits", "sklearn.datasets"), ("keras:mnist", "keras.datasets")])
def test_a_missing_package_names_the_install_line(monkeypatch: pytest.MonkeyPatch, name: str, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=r"pip install 'edgevision\["):
        open_dataset(name)


@pytest.mark.parametrize(
    ("name", "first", "classes"),
    [("cifar10", "airplane", 10), ("keras:cifar10", "airplane", 10), ("keras:cifar100", "apple", 100)],
)
def test_what_keras_downloads(monkeypatch: pytest.MonkeyPatch, name: str, first: str, classes: int) -> None:
    # The download itself is Keras'; what is ours is what becomes of its arrays and of its failure.
    source = types.SimpleNamespace(load_data=lambda: ((np.zeros((9, 32, 32, 3), np.uint8), np.arange(9)[:, None]),) * 2)
    monkeypatch.setitem(sys.modules, "keras.datasets", types.SimpleNamespace(**{name.removeprefix("keras:"): source}))
    data = open_dataset(name)
    assert data.labels[0] == first and len(data.labels) == classes and data.splits == ("train", "test")

    def fail() -> None:
        raise Exception("URL fetch failure")

    source.load_data = fail
    with pytest.raises(DatasetError, match=r"could not be downloaded: got URL fetch failure; .*copy ~/\.keras"):
        open_dataset(name)


def test_what_keras_does_not_have() -> None:
    with pytest.raises(DatasetError, match=r"no such data set of images: expected mnist or .*, got 'imdb'"):
        open_dataset("keras:imdb")
