"""train(): data in, a trained .keras file out that knows its task, labels and preprocessing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edgevision
from edgevision.converters.metadata import write_metadata
from edgevision.runtime.errors import InputError, OutputExistsError
from edgevision.runtime.manifest import to_plain
from edgevision.runtime.spec import Preprocessing, named_preprocessing
from edgevision.trainers.augment import Policy
from edgevision.trainers.checkpoint import Checkpoint
from edgevision.trainers.engine import import_keras, package_version
from edgevision.trainers.examples import Progress, TrainingData
from edgevision.trainers.families import Family, checked_options, named_family
from edgevision.trainers.fit import Epoch, OnEpoch, fit
from edgevision.trainers.optimizers import check_optimizer
from edgevision.trainers.qat import train_quantized
from edgevision.trainers.recipe import Recipe, check_fields, read_recipe, recipe_of
from edgevision.trainers.tasks import Task, guessed_task, named_task
from edgevision.trainers.weights import Transfer, build, check_weights


@dataclass(frozen=True)
class TrainingResult:
    """What came out of a training.

    Attributes:
        path: The .keras file.
        recipe: What was done.
        labels: Class names in the order of the model's outputs; empty where there are none.
        history: Figures of every epoch.
        best_epoch: Number of the epoch whose weights were kept.
        metric: Name of the figure that chose it.
        value: That figure on the validation examples; None without any.
        images: How many examples were trained on.
        val_images: How many were held out to choose the epoch.
        parameters: Of the model.
        transfer: What the network began with; None where that was chance.
    """

    path: Path
    recipe: Recipe
    labels: tuple[str, ...]
    history: tuple[Epoch, ...]
    best_epoch: int
    metric: str
    value: float | None
    images: int
    val_images: int
    parameters: int
    transfer: Transfer | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values ready for JSON."""
        return {**to_plain(self), "path": str(self.path)}


def train(
    data: Any,
    out: str | Path,
    *,
    config: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    progress: Progress = None,
    on_epoch: OnEpoch = None,
    **fields: Any,
) -> TrainingResult:
    """Train a network by name and save it with its labels and preprocessing.

    Images are decoded and resized by the code that runs on the device, and held in memory as uint8: pixels
    of up to 4 GiB or half of the machine's memory. Sets Keras' global random seed. After epochs the state goes to a
    hidden folder beside ``out``, which is removed at the end.

    Args:
        data: Path or name of the data, or an open data set of ``edgevision.datasets``. Its train split is trained on;
            its val split, or a share of train, judges the epochs.
        out: The .keras file to write.
        config: TOML file with fields of ``recipe.Recipe``; ``fields`` come before it.
        resume: Go on from the state that an interrupted training of the same ``out`` left.
        force: Replace ``out`` when it exists.
        progress: Called with (stage, done, total).
        on_epoch: Called after each epoch.
        fields: Of ``recipe.Recipe``, such as ``model="cnn-cifar"``, ``epochs=10``; None is as if not given.

    Raises:
        OutputExistsError: ``out`` exists.
        InputError: A field is unknown or not usable, the input size does not suit the network, or the state to go on
            from is of another training.
        DatasetError: The data has too few classes or images, or does not fit in memory.
        ImageError: An image is damaged.
        ModelError: The loss is no number any more, or the file of ``weights`` cannot be read.
        MissingPackageError: Keras is not installed.
    """
    path = _checked_out(Path(out), force)
    asked = {**(read_recipe(config) if config else {}), **_given(fields)}
    kind, family, recipe = settled(data, asked)
    import_keras().utils.set_random_seed(recipe.seed)
    p = _preprocessing(recipe, family)
    examples = kind.open(data, recipe, p, progress)
    recipe = kind.settle(recipe, examples, asked)
    built, transfer = build(family, kind.shape(recipe, p), examples.labels, recipe)
    task = kind(recipe, built, examples.labels, p)
    provenance = {"recipe": to_plain(recipe), **examples.provenance(), "versions": _versions()}
    if transfer is not None:
        provenance["transfer"] = to_plain(transfer)
    checkpoint = Checkpoint(path, provenance)
    if not resume:
        checkpoint.remove()
    history = fit(task, examples, checkpoint, progress, on_epoch)
    value = history.epochs[history.best - 1].figures.get(f"val_{kind.metric}")
    provenance |= {"model": recipe.model, "best_epoch": history.best, kind.metric: value}
    _save(task, examples, path, provenance, progress)
    checkpoint.remove()
    held = 0 if examples.validation is None else len(examples.validation)
    counts = (len(examples.train), held, int(built.model.count_params()))
    labels, epochs = examples.labels, tuple(history.epochs)
    return TrainingResult(path, recipe, labels, epochs, history.best, kind.metric, value, *counts, transfer)


def settled(data: Any, asked: Mapping[str, Any]) -> tuple[type[Task], Family, Recipe]:
    """Task, family and recipe: what was asked for comes first, then the family's defaults, then the task's.

    Raises:
        InputError: Something asked for is unknown or not usable.
    """
    check_fields(asked)
    if "task" in asked:
        kind = named_task(asked["task"])
    else:
        kind = named_task(named_family(asked["model"]).task) if "model" in asked else guessed_task(data)
    family = named_family(asked.get("model", kind.default))
    if family.task != kind.name:
        raise InputError(f"{family.name} is not for {kind.name}", expected="a network for it", got=family.task)
    options = checked_options(family, asked.get("options", {}))
    named = {"task": kind.name, "model": family.name}
    recipe = recipe_of({**kind.defaults, **family.defaults, **asked, **named, "options": options})
    Policy(recipe.augment)
    check_optimizer(recipe)
    check_weights(recipe, family)
    return kind, family, recipe


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _preprocessing(recipe: Recipe, family: Family) -> Preprocessing:
    geometry: dict[str, Any] = {name: getattr(recipe, name) for name in ("resize", "interpolation", "antialias")}
    return named_preprocessing(recipe.preprocess, *recipe.input_size, family.channels or 3, **geometry)


def _checked_out(path: Path, force: bool) -> Path:
    if path.suffix != ".keras":
        raise InputError("the model's file name is not usable", expected="NAME.keras", got=str(path))
    if path.is_dir() or (path.exists() and not force):
        raise OutputExistsError(path)
    return path


def _versions() -> dict[str, str]:
    installed = {package: package_version(package) for package in ("keras", "tensorflow", "numpy")}
    return {"edgevision": edgevision.__version__, **{name: text for name, text in installed.items() if text}}


def _metadata(task: Task, provenance: dict[str, Any]) -> dict[str, Any]:
    head = task.head()
    return {
        "task": task.name,
        "labels": list(task.labels),
        "preprocessing": to_plain(task.p),
        "scores": task.built.scores,
        "head": None if head is None else to_plain(head),
        "provenance": provenance,
    }


def _save(task: Task, data: TrainingData, path: Path, provenance: dict[str, Any], progress: Progress) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp.keras")
    try:
        task.built.model.save(temporary)
        write_metadata(temporary, _metadata(task, provenance))
        if task.recipe.qat:
            found = train_quantized(temporary, task, data, task.recipe.qat, progress)
            write_metadata(temporary, _metadata(task, {**provenance, "qat": to_plain(found)}))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
