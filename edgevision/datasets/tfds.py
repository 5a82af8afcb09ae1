"""Labelled images of TensorFlow Datasets, by name, where that package is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgevision.datasets.arrays import Found
from edgevision.datasets.dataset import UNDIVIDED, Entry
from edgevision.datasets.layout import SPLIT_NAMES
from edgevision.datasets.stores import BytesStore, Store
from edgevision.runtime.errors import DatasetError, MissingPackageError

#: Encoded images of one split held in memory, at most.
MAX_BYTES = 4 << 30


def read_tfds(name: str) -> Found:
    """A data set with one image and one class an example; a split is read, encoded as it is, when it is opened.

    Args:
        name: As ``tensorflow_datasets.builder`` takes it: "beans", "imagenette/320px-v2", ...

    Raises:
        MissingPackageError: tensorflow_datasets is not installed.
        DatasetError: There is none of that name, it could not be downloaded, or it has no images and classes.
    """
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise MissingPackageError("tensorflow-datasets", f"for tfds:{name}", "train") from error
    try:
        builder = tensorflow_datasets.builder(name)
        builder.download_and_prepare()
    except Exception as error:  # its own errors, TensorFlow's, the network's
        cure = "check the name and the network, or copy ~/tensorflow_datasets from a machine that has it"
        got = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DatasetError(f"tfds:{name} could not be prepared", got=got, cure=cure) from error
    image, label = _keys(name, tensorflow_datasets, builder.info.features)
    names = tuple(str(text) for text in builder.info.features[label].names)
    return names, True, _Splits(tensorflow_datasets, builder, image, label)


def _keys(name: str, tensorflow_datasets: Any, features: Any) -> tuple[str, str]:
    """Which features are the image and the class."""
    kinds = tensorflow_datasets.features
    images = [key for key, feature in features.items() if isinstance(feature, kinds.Image)]
    labels = [key for key, feature in features.items() if isinstance(feature, kinds.ClassLabel)]
    if not images or not labels:
        got = ", ".join(features.keys())
        raise DatasetError(f"tfds:{name} has no labelled images", expected="an Image and a ClassLabel", got=got)
    return images[0], "label" if "label" in labels else labels[0]


class _Splits(Mapping[str, tuple[Store, tuple[Entry, ...]]]):
    """The splits by our names; one is read when it is asked for."""

    def __init__(self, tensorflow_datasets: Any, builder: Any, image: str, label: str) -> None:
        self._package, self._builder, self._image, self._label = tensorflow_datasets, builder, image, label
        known: dict[str, str] = {SPLIT_NAMES[split]: split for split in builder.info.splits if split in SPLIT_NAMES}
        self._names: dict[str, str] = {split: known[split] for split in ("train", "val", "test") if split in known}
        if not self._names:
            self._names = {UNDIVIDED: next(iter(builder.info.splits))}

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __getitem__(self, split: str) -> tuple[Store, tuple[Entry, ...]]:
        decoders = {self._image: self._package.decode.SkipDecoding()}
        # In the order of the files: the same images at the same places in every run.
        data = self._builder.as_dataset(split=self._names[split], decoders=decoders, shuffle_files=False)
        images, entries, held = list[bytes](), list[Entry](), 0
        for place, example in enumerate(self._package.as_numpy(data)):
            images.append(bytes(example[self._image]))
            entries.append(Entry(f"{split}[{place}]", int(example[self._label]), place))
            held += len(images[-1])
            if held > MAX_BYTES:
                got, cure = f"more than {MAX_BYTES >> 30} GiB", "write its images into folders, one a class"
                raise DatasetError(f"{self._builder.name} does not fit in memory", got=got, cure=cure)
        return BytesStore(tuple(images)), tuple(entries)
