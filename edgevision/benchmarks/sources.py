"""The images that latency is measured on: chosen once, handed to every worker in the form that users have them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import Dataset, Sample
from edgevision.runtime.bundle import Bundle


@dataclass(frozen=True, eq=False)
class MeasuredImages:
    """Distinct images, checked to be readable, and where they come from.

    Attributes:
        samples: The images; of a bundle that takes no single image named arrays (1, ...).
        kind: "data" for a data set of the user's, "golden" for the bundle's own inputs, "golden arrays" where those are
            no images.
        name: Name of the data set, without its folder.
        split: Split of the data set, "" for golden inputs.
    """

    samples: Sequence[Sample | dict[str, NDArray[Any]]]
    kind: str
    name: str
    split: str


def from_dataset(dataset: Dataset, name: str, most: int) -> MeasuredImages:
    """Up to ``most`` images, evenly spread, so that data sorted by class is not measured on one class.

    Raises:
        ImageError: One of them cannot be read.
    """
    indices = np.unique(np.linspace(0, len(dataset) - 1, min(most, len(dataset))).astype(int))
    samples = [dataset[int(index)] for index in indices]
    for sample in samples:
        sample.decode()  # a damaged image is named here, not by a worker that died; and the page cache is warm
    return MeasuredImages(samples, "data", name, dataset.split)


def from_golden(bundle: Bundle, most: int) -> MeasuredImages:
    """The bundle's golden inputs: pixels that are already of the model's size.

    Raises:
        BundleError: The bundle holds none.
    """
    (inputs,) = bundle.golden().inputs.values()
    samples = [Sample(np.ascontiguousarray(pixels), None, f"golden {i}") for i, pixels in enumerate(inputs[:most])]
    return MeasuredImages(samples, "golden", "golden inputs of the bundle", "")


def from_golden_arrays(bundle: Bundle, most: int) -> MeasuredImages:
    """The golden inputs of a bundle that takes no single image, one at a time.

    Raises:
        BundleError: The bundle holds none.
    """
    inputs = bundle.golden().inputs
    count = min(most, len(next(iter(inputs.values()))))
    samples = [{name: array[index : index + 1] for name, array in inputs.items()} for index in range(count)]
    return MeasuredImages(samples, "golden arrays", "golden inputs of the bundle", "")


def lay_out(images: MeasuredImages, folder: Path) -> list[str]:
    """Files for the workers: encoded images as they are, arrays as .npy, named ones as .npz. Files on disk stay there.

    Returns:
        Absolute paths, one per image.
    """
    paths = []
    for number, sample in enumerate(images.samples):
        path = folder / f"{number:05d}"
        if isinstance(sample, dict):
            path = path.with_suffix(".npz")
            np.savez(path, **sample)  # type: ignore[arg-type]  # its own options are not among the names of inputs
        elif isinstance(sample.image, Path):
            path = sample.image.resolve()
            if path.suffix == ".npy":  # the workers would take it for an array of ours
                path = Path(shutil.copyfile(path, folder / f"{number:05d}.image"))
        elif isinstance(sample.image, bytes):
            path = path.with_suffix(".image")
            path.write_bytes(sample.image)
        else:
            path = path.with_suffix(".npy")
            np.save(path, np.asarray(sample.image), allow_pickle=False)
        paths.append(str(path))
    return paths
