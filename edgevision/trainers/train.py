"""train(): data in, a trained .keras file out that knows its task, labels and preprocessing."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import edgevision
from edgevision.converters.metadata import write_metadata
from edgevision.runtime.bundle_writer import check_target
from edgevision.runtime.errors import InputError, OutputExistsError
from edgevision.runtime.manifest import to_plain
from edgevision.runtime.spec import Preprocessing, named_preprocessing
from edgevision.trainers.augment import Policy
from edgevision.trainers.augment.sheet import augmentation_sheet
from edgevision.trainers.checkpoint import Checkpoint, has_state, interrupted
from edgevision.trainers.deploy import deploy
from edgevision.trainers.engine import import_keras, package_version
from edgevision.trainers.examples import Progress, TrainingData
from edgevision.trainers.families import Family, checked_options, named_family
from edgevision.trainers.fit import fit
from edgevision.trainers.folds import choose_on_folds
from edgevision.trainers.history import Epoch, History, OnEpoch, OnStep
from edgevision.trainers.logs import Logs
from edgevision.trainers.names import check_name
from edgevision.trainers.optimizers import check_optimizer
from edgevision.trainers.qat import train_quantized
from edgevision.trainers.recipe import Recipe, check_fields, read_recipe, recipe_of
from edgevision.trainers.report import check_report, write_report
from edgevision.trainers.step import answering
from edgevision.trainers.tasks import Task, guessed_task, named_task
from edgevision.trainers.weights import Transfer, build, check_weights

if TYPE_CHECKING:
    from edgevision.benchmarks.report import Report
    from edgevision.runtime.bundle import Bundle


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
        seconds: Of all epochs, validation included.
        folds: Figures of networks like it on what was held out of their training alone (``folds``); empty without.
        report: The page that was written.
        bundle: What the model was converted to.
        latency: A quick measurement of the bundle.
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
    seconds: float = 0.0
    folds: Mapping[str, float] = field(default_factory=dict)
    report: Path | None = None
    bundle: Bundle | None = None
    latency: Report | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values ready for JSON."""
        plain = {name: to_plain(value) for name, value in vars(self).items() if name not in ("bundle", "latency")}
        plain |= {"path": str(self.path), "report": self.report and str(self.report), "bundle": None, "latency": None}
        if self.bundle is not None and self.latency is not None:
            plain |= {"bundle": str(self.bundle.path), "latency": self.latency.to_dict()["summary"]}
        return plain


def train(
    data: Any,
    out: str | Path,
    *,
    config: str | Path | None = None,
    to: str | Path | None = None,
    report: str | Path | None = None,
    pictures: bool = True,
    sheet: str | Path | None = None,
    tensorboard: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    progress: Progress = None,
    on_epoch: OnEpoch = None,
    on_step: OnStep = None,
    **fields: Any,
) -> TrainingResult:
    """Train a network by name and save it with its labels, preprocessing and recipe.

    Task and network are told from the data where they are not given. Images are decoded and resized by the code that
    runs on the device, once, and kept as uint8 (``cache``). Sets Keras' global random seed. After epochs the state goes
    to a hidden folder beside ``out``, from which ``resume`` goes on as if nothing had happened; the folder is removed
    at the end.

    Args:
        data: Path or name of the data, or an open data set of ``edgevision.datasets``. Its train split is trained on;
            its val split, or a share of train, judges the epochs.
        out: The .keras file to write.
        config: Fields of ``recipe.Recipe``: a TOML file, or the .keras file of a training to repeat; ``fields`` come
            before it.
        to: A bundle to go on to: the model is converted, calibrated with the training images and judged by those held
            out, verified and measured quickly.
        report: An .html file to write: curves, recipe, what the network confuses, examples, the worst first.
        pictures: Whether images may be part of the report.
        sheet: A .png file to write before training: what augmentation makes of some examples.
        tensorboard: Folder for logs that TensorBoard shows.
        resume: Go on from the state that an interrupted training of the same ``out`` left, with its recipe; where
            there is none, begin.
        force: Replace what is at ``out``, ``to`` and ``report``, and the state of an interrupted training.
        progress: Called with (stage, done, total).
        on_epoch: Called after each epoch.
        on_step: Called after each step with the figures so far.
        fields: Of ``recipe.Recipe``, such as ``model="cnn-cifar"``, ``epochs=10``; None is as if not given.

    Raises:
        OutputExistsError: ``out``, ``to`` or ``report`` exists.
        InputError: A field is unknown or not usable, the input size does not suit the network, or the state to go on
            from is of another training.
        DatasetError: The data has too few classes or images, or fits neither in memory nor on the disk.
        ImageError: An image is damaged, and the recipe ``strict``; or no image can be read.
        ModelError: The loss is no number any more, or the state to go on from or the file of ``weights`` is damaged.
        ConversionError: ``to``: an exporter refused the model.
        MissingPackageError: Keras is not installed.
    """
    path = _checked_out(Path(out), force, resume)
    _check_others(to, report, force)
    asked = _asked(path, config, resume, fields)
    kind, family, recipe = settled(data, asked)
    import_keras().utils.set_random_seed(recipe.seed)
    p = model_input(recipe, family, kind, data)
    examples = kind.open(data, recipe, p, progress)
    recipe = kind.settle(recipe, examples, asked)
    built, transfer = build(family, kind.shape(recipe, p), examples.labels, recipe)
    task = kind(recipe, built, examples.labels, p)
    provenance = {"recipe": to_plain(recipe), **examples.provenance(), "versions": _versions()}
    if transfer is not None:
        provenance["transfer"] = to_plain(transfer)
    if sheet is not None:
        augmentation_sheet(examples.train, Policy(recipe.augment), sheet, seed=recipe.seed, color=p.color)
    checkpoint = Checkpoint(path, provenance)
    if not resume:
        checkpoint.remove()
    logs = Logs(tensorboard) if tensorboard else None
    samples = path.with_suffix(".samples")
    history = fit(task, examples, checkpoint, progress, _each(on_epoch, logs), on_step, samples=samples)
    folds = choose_on_folds(task, family, examples, checkpoint.folder, provenance, progress)
    result = dataclasses.replace(_result(task, path, examples, history, transfer), folds=folds)
    provenance |= {"model": recipe.model, "best_epoch": history.best, result.metric: result.value}
    provenance |= {"folds": folds} if folds else {}
    _save(task, examples, path, checkpoint.folder, provenance, progress)
    if report:
        write_report(Path(report), result, task, answering(built.model, p), examples, pictures)
        result = dataclasses.replace(result, report=Path(report))
    checkpoint.remove()
    return result if to is None else _deployed(result, task, data, examples, Path(to), force, progress)


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
    named = {"task": kind.name, "model": family.name, "metric": asked.get("metric") or kind.metric}
    recipe = recipe_of({**kind.defaults, **family.defaults, **asked, **named, "options": options})
    Policy(recipe.augment)
    check_optimizer(recipe)
    check_weights(recipe, family)
    check_name("metric", recipe.metric, (kind.metric, *kind.figures))
    if kind.losses:
        check_name("loss", recipe.loss, kind.losses)
    return kind, family, recipe


def _asked(out: Path, config: str | Path | None, resume: bool, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, before what the configuration says, before what the interrupted training was given."""
    given = {name: value for name, value in fields.items() if value is not None}
    before = interrupted(out) if resume else None
    base = {**(before[0] if before else {}), **(read_recipe(config) if config else {})}
    if "model" not in base or given.get("model", base["model"]) == base["model"]:  # options are those of one family
        given["options"] = {**base.get("options", {}), **given.get("options", {})}
    else:
        base = {name: value for name, value in base.items() if name not in ("task", "options")}
    return {**base, **given}


def model_input(recipe: Recipe, family: Family, kind: type[Task], data: Any) -> Preprocessing:
    """From an image of the data to the input of the family's network."""
    channels = family.channels or kind.channels(data)
    geometry: dict[str, Any] = {name: getattr(recipe, name) for name in ("resize", "interpolation", "antialias")}
    return named_preprocessing(recipe.preprocess, *recipe.input_size, channels, **geometry)


def _checked_out(path: Path, force: bool, resume: bool) -> Path:
    if path.suffix != ".keras":
        raise InputError("the model's file name is not usable", expected="NAME.keras", got=str(path))
    if path.is_dir() or (path.exists() and not force and not resume):
        raise OutputExistsError(path)
    if resume and path.exists() and not has_state(path) and not force:
        raise InputError(f"the training of {path} came to its end", cure="--force trains anew")
    if has_state(path) and not resume and not force:
        cure = "--resume goes on with it, --force begins anew"
        raise InputError(f"a training of {path} was interrupted", expected="a word what to do", got="none", cure=cure)
    return path


def _check_others(to: str | Path | None, report: str | Path | None, force: bool) -> None:
    """Refuses before the work what would be refused after it."""
    if to is not None:
        check_target(Path(to), force=force)
    if report is not None:
        check_report(Path(report), force)


def _each(first: OnEpoch, second: OnEpoch) -> OnEpoch:
    calls: list[Callable[[Epoch], None]] = [call for call in (first, second) if call]

    def all_of_them(epoch: Epoch) -> None:
        for call in calls:
            call(epoch)

    return all_of_them


def _result(
    task: Task, path: Path, examples: TrainingData, history: History, transfer: Transfer | None
) -> TrainingResult:
    metric, epochs, best = task.chooses[0], history.epochs, history.best
    value = epochs[best - 1].figures.get(f"val_{metric}")
    held = 0 if examples.validation is None else len(examples.validation)
    counts = (len(examples.train), held, int(task.built.model.count_params()))
    seconds = sum(epoch.seconds for epoch in epochs)
    told = (transfer, seconds)
    return TrainingResult(path, task.recipe, examples.labels, tuple(epochs), best, metric, value, *counts, *told)


def _deployed(
    result: TrainingResult,
    task: Task,
    data: Any,
    examples: TrainingData,
    to: Path,
    force: bool,
    progress: Progress,
) -> TrainingResult:
    with tempfile.TemporaryDirectory(prefix="edgevision-") as folder:
        calibration, judging = task.conversion_data(data, examples, Path(folder))
        bundle, latency = deploy(result.path, calibration, judging, to, force, progress)
    return dataclasses.replace(result, bundle=bundle, latency=latency)


def _versions() -> dict[str, str]:
    installed = {package: package_version(package) for package in ("keras", "tensorflow", "numpy")}
    return {"edgevision": edgevision.__version__, **{name: text for name, text in installed.items() if text}}


def _metadata(task: Task, provenance: dict[str, Any]) -> dict[str, Any]:
    head, p = task.head(), task.preprocessing()
    return {
        "task": task.name,
        "labels": list(task.labels),
        "preprocessing": None if p is None else to_plain(p),
        "scores": task.built.scores,
        "head": None if head is None else to_plain(head),
        "provenance": provenance,
    }


def _save(
    task: Task, data: TrainingData, path: Path, folder: Path, provenance: dict[str, Any], progress: Progress
) -> None:
    """Written in the folder of the state, so that being killed leaves nothing that the next run would not remove."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "whole.keras"
    task.built.model.save(temporary)
    write_metadata(temporary, _metadata(task, provenance))
    if task.recipe.qat:
        found = train_quantized(temporary, task, data, task.recipe.qat, progress)
        write_metadata(temporary, _metadata(task, {**provenance, "qat": to_plain(found)}))
    temporary.replace(path)
