"""Images and labels of an .npz file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets.dataset import UNDIVIDED, Entry
from edgevision.datasets.stores import ArrayStore, Store
from edgevision.runtime.errors import DatasetError

#: Array names of (images, labels), by split; the first pair of a split that is there is taken.
_NAMES: dict[str, tuple[tuple[str, str], ...]] = {
    "train": (("train_images", "train_labels"), ("x_train", "y_train")),
    "val": (("val_images", "val_labels"), ("x_val", "y_val")),
    "test": (("test_images", "test_labels"), ("x_test", "y_test")),
    UNDIVIDED: (("images", "labels"),),
}
_EXPECTED = "arrays images and labels (or train_images, train_labels, test_images, ...)"

Splits = Mapping[str, tuple[Store, tuple[Entry, ...]]]
#: Class names, whether the data names them, and store and entries of each split.
Found = tuple[tuple[str, ...], bool, Splits]


def read_npz(path: Path, labels_needed: bool) -> Found:
    """Class names, whether the file names them, and store and entries of each split.

    Images are uint8 (N, H, W) or (N, H, W, 1|3), labels integers (N,) or (N, 1) from 0; optional
    ``label_names`` are strings. The arrays are held in memory; pickled objects are refused.

    Raises:
        DatasetError: The file is damaged, or its arrays are missing or of the wrong kind.
    """
    arrays = load_arrays(path, "write it with numpy.savez_compressed(path, images=..., labels=...)")
    splits = {split: pair for split, pairs in _NAMES.items() for pair in reversed(pairs) if pair[0] in arrays}
    if not splits:
        raise DatasetError(f"{path} has no images", expected=_EXPECTED, got=", ".join(arrays) or "no arrays")
    return assemble(
        str(path),
        {
            split: (arrays[images], _labels(path, arrays, labels) if labels_needed else None)
            for split, (images, labels) in splits.items()
        },
        arrays.get("label_names"),
    )


def assemble(
    where: str,
    splits: Mapping[str, tuple[NDArray[Any], NDArray[Any] | None]],
    names: NDArray[Any] | tuple[str, ...] | None,
) -> Found:
    """Checked stores and entries from plain arrays; the names default to "0", "1", ...

    Raises:
        DatasetError: Shapes, dtypes, counts or label values are not usable.
    """
    parts: dict[str, tuple[Store, tuple[Entry, ...]]] = {}
    most = -1
    for split, (images, labels) in splits.items():
        _check_images(where, images)
        indices = None if labels is None else _indices(where, labels, len(images))
        most = max([most, *(indices or ())])
        width = len(str(len(images) - 1))
        entries = tuple(
            Entry(f"{split}[{i:0{width}d}]", None if indices is None else indices[i], i) for i in range(len(images))
        )
        parts[split] = (ArrayStore(images), entries)
    if most < 0:
        return (), False, parts
    return *_label_names(where, names, most + 1), parts


def load_arrays(path: Path, cure: str) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz by name.

    Args:
        path: The file.
        cure: How to write a proper one.

    Raises:
        DatasetError: It cannot be read, or holds objects.
    """
    try:
        with path.open("rb") as stream:  # numpy leaves a damaged file open
            opened = np.load(stream, allow_pickle=False)
            if isinstance(opened, np.ndarray):
                raise ValueError("a single array")
            with opened as file:
                return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError, TypeError) as error:
        raise DatasetError(
            f"{path} cannot be read",
            expected="an .npz of plain arrays (no pickled objects)",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            cure=cure,
        ) from error


def _labels(path: Path, arrays: dict[str, NDArray[Any]], name: str) -> NDArray[Any]:
    if name not in arrays:
        raise DatasetError(f"{path} has no labels", expected=f"an array {name}", got=", ".join(arrays))
    return arrays[name]


def _check_images(where: str, images: NDArray[Any]) -> None:
    fits = images.ndim == 3 or (images.ndim == 4 and images.shape[3] in (1, 3))
    if images.dtype != np.uint8 or not fits or 0 in images.shape:
        raise DatasetError(
            f"images of {where} are not usable",
            expected="uint8 (N, H, W) or (N, H, W, 1 or 3), values 0..255, N >= 1",
            got=f"{images.dtype} {images.shape}",
            cure="store pixels as they come from the image file",
        )


def _indices(where: str, labels: NDArray[Any], count: int) -> list[int]:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if not np.issubdtype(labels.dtype, np.integer) or labels.ndim != 1 or (labels.size and labels.min() < 0):
        raise DatasetError(
            f"labels of {where} are not usable",
            expected="integers (N,) from 0",
            got=f"{labels.dtype} {labels.shape}",
            cure="give each image the number of its class, and the names as label_names",
        )
    if len(labels) != count:
        raise DatasetError(f"labels of {where} do not match", expected=f"{count}, one an image", got=str(len(labels)))
    return [int(label) for label in labels]


def _label_names(where: str, names: NDArray[Any] | tuple[str, ...] | None, least: int) -> tuple[tuple[str, ...], bool]:
    if names is None:
        return tuple(str(index) for index in range(least)), False
    array = np.asarray(names)
    if array.ndim != 1 or array.dtype.kind != "U" or len(array) < least or len(set(array.tolist())) < len(array):
        raise DatasetError(
            f"label_names of {where} do not match",
            expected=f"{least} or more distinct strings",
            got=f"{array.dtype} {array.shape}",
        )
    return tuple(str(name) for name in array), True
