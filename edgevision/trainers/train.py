"""train(): labelled images in, a trained .keras file that knows its labels and preprocessing out."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import edgevision
from edgevision.converters.metadata import write_metadata
from edgevision.datasets import Dataset, DataSource
from edgevision.runtime.errors import InputError, OutputExistsError
from edgevision.runtime.manifest import to_plain
from edgevision.runtime.spec import Interpolation, Preprocessing, ResizePolicy, named_preprocessing
from edgevision.trainers.data import TrainingData, open_training_data
from edgevision.trainers.engine import import_keras, package_version
from edgevision.trainers.fit import Epoch, Images, Recipe, fit
from edgevision.trainers.networks import Network, build, check_size, named_network
from edgevision.trainers.pixels import Progress, is_colored, load_pixels

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class TrainingResult:
    """What came out of a training.

    Attributes:
        path: The .keras file.
        labels: Class names in the order of the model's outputs.
        history: Figures of every epoch.
        best_epoch: Number of the epoch whose weights were kept.
        val_accuracy: Of that epoch, 0..1; None without validation images.
        images: How many images were trained on.
        val_images: How many images were held out to choose the epoch.
        parameters: Of the model.
    """

    path: Path
    labels: tuple[str, ...]
    history: tuple[Epoch, ...]
    best_epoch: int
    val_accuracy: float | None
    images: int
    val_images: int
    parameters: int

    def to_dict(self) -> dict[str, Any]:
        """As plain values ready for JSON."""
        return {**to_plain(self), "path": str(self.path)}


def train(
    data: DataSource | Dataset,
    out: str | Path,
    *,
    model: str = "cnn-cifar",
    epochs: int = 10,
    input_size: tuple[int, int] | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    augment: str | None = None,
    validation_split: float = 0.1,
    preprocess: str = "unit",
    resize: ResizePolicy = "stretch",
    interpolation: Interpolation = "bilinear",
    antialias: bool = True,
    seed: int = 0,
    force: bool = False,
    progress: Progress = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> TrainingResult:
    """Train a network by name and save it with its labels and preprocessing.

    Images are decoded and resized by the code that runs on the device, and held in memory as uint8: pixels
    of up to 4 GiB or half of the machine's memory. Sets Keras' global random seed.

    Args:
        data: What ``open_dataset`` takes (its train split; its val split judges the epochs), or an open Dataset.
        out: The .keras file to write.
        model: One of ``networks.NETWORKS``.
        epochs: Passes over the training images.
        input_size: (height, width) in pixels; None for the network's own.
        batch_size: Images a step; None for the network's own.
        learning_rate: Adam's at the start, decaying to 0 along half a cosine; None for the network's own.
        augment: One of ``augment.AUGMENTATIONS``; None for the network's own on colour images, "none" on grey.
        validation_split: Share of each class held out where the data has no val split, 0 <= share < 1.
        preprocess: One of ``spec.NORMALIZATIONS``; done before the model, never a layer of it.
        resize: How images come to the input size.
        interpolation: Kernel of the resize.
        antialias: Whether the kernel widens when shrinking.
        seed: Decides the held-out images, the first weights, the order and the augmentation.
        force: Replace ``out`` when it exists.
        progress: Called with (stage, done, total).
        on_epoch: Called after each epoch.

    Raises:
        OutputExistsError: ``out`` exists.
        InputError: An option is not usable, or the input size does not suit the network.
        DatasetError: The data has too few classes or images, or does not fit in memory.
        ImageError: An image is damaged.
        MissingPackageError: Keras is not installed.
    """
    path = _checked_out(Path(out), force)
    network = named_network(model)
    height, width = input_size or (network.height, network.width)
    p = named_preprocessing(
        preprocess, height, width, network.channels, resize=resize, interpolation=interpolation, antialias=antialias
    )
    recipe = Recipe(
        epochs,
        network.batch_size if batch_size is None else batch_size,
        network.learning_rate if learning_rate is None else learning_rate,
        network.augment if augment is None else augment,
        seed,
    )
    import_keras().utils.set_random_seed(seed)
    source = open_training_data(data, validation_split, seed)
    check_size(network, height, width, len(source.labels))
    images, held = _loaded(source, p, progress)
    if augment is None and not is_colored(images.pixels):
        recipe = dataclasses.replace(recipe, augment="none")
    net = build(network, height, width, len(source.labels))
    history, best = fit(net, network.scores == "logits", p, images, held, recipe, progress, on_epoch)
    val_accuracy = history[best - 1].val_accuracy
    provenance = {**to_plain(recipe), "best_epoch": best, "val_accuracy": val_accuracy, **source.provenance()}
    _save(net, path, _metadata(network, source.labels, p, provenance))
    counts = (len(source.train), len(source.validation) if source.validation else 0, int(net.count_params()))
    return TrainingResult(path, source.labels, history, best, val_accuracy, *counts)


def _checked_out(path: Path, force: bool) -> Path:
    if path.suffix != ".keras":
        raise InputError("the model's file name is not usable", expected="NAME.keras", got=str(path))
    if path.is_dir() or (path.exists() and not force):
        raise OutputExistsError(path)
    return path


def _loaded(source: TrainingData, p: Preprocessing, progress: Progress) -> tuple[Images, Images | None]:
    images = Images(load_pixels(source.train, p, progress), source.train.targets)
    if source.validation is None:
        return images, None
    return images, Images(load_pixels(source.validation, p, progress), source.validation.targets)


def _metadata(
    network: Network, labels: tuple[str, ...], p: Preprocessing, provenance: dict[str, Any]
) -> dict[str, Any]:
    # The engine below Keras may be another than TensorFlow: only what is there has a version.
    installed = {package: package_version(package) for package in ("keras", "tensorflow", "numpy")}
    versions = {"edgevision": edgevision.__version__, **{name: text for name, text in installed.items() if text}}
    return {
        "task": "classification",
        "labels": list(labels),
        "preprocessing": to_plain(p),
        "scores": network.scores,
        "provenance": {"model": network.name, **provenance, "versions": versions},
    }


def _save(net: keras.Model, path: Path, metadata: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp.keras")
    try:
        net.save(temporary)
        write_metadata(temporary, metadata)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
