"""The training loop: epochs, validation, best epoch, checkpoints, early stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.runtime.errors import ModelError
from edgevision.trainers.augment import Policy
from edgevision.trainers.average import Average
from edgevision.trainers.checkpoint import Checkpoint
from edgevision.trainers.examples import Examples, Progress, TrainingData
from edgevision.trainers.optimizers import make_optimizer
from edgevision.trainers.pipeline import Pipeline
from edgevision.trainers.recipe import Recipe
from edgevision.trainers.sparsity import Sparsifier
from edgevision.trainers.step import Step
from edgevision.trainers.tasks.task import Task


@dataclass(frozen=True)
class Epoch:
    """One pass over the data.

    Attributes:
        number: From 1.
        seconds: Including validation.
        figures: Means over the augmented training examples as they were trained on, and, as "val_...", the task's
            figures on the validation examples.
        learning_rate: In the middle of it.
    """

    number: int
    seconds: float
    figures: dict[str, float]
    learning_rate: float = 0.0

    @property
    def held_out(self) -> dict[str, float]:
        """The task's figures on the validation examples, by the task's names."""
        return {name.removeprefix("val_"): value for name, value in self.figures.items() if name.startswith("val_")}


@dataclass
class History:
    """What a training has come to; a checkpoint holds it.

    Attributes:
        epochs: Every epoch so far.
        best: Number of the epoch whose weights are kept: of the best validation figure, without validation the last.
        weights: Of that epoch, in the order of ``model.get_weights()``; empty without validation.
    """

    epochs: list[Epoch] = field(default_factory=list)
    best: int = 0
    weights: list[NDArray[Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Live:
    """A training as it stands after a step, to be shown.

    Attributes:
        recipe: What is done.
        images: How many examples are trained on.
        val_images: How many are held out.
        epoch: Number of the epoch, from 1.
        done: Steps done, those of earlier epochs too.
        total: Steps of all epochs.
        figures: Means over the epoch so far.
    """

    recipe: Recipe
    images: int
    val_images: int
    epoch: int
    done: int
    total: int
    figures: Mapping[str, float]


OnEpoch = Callable[[Epoch], None] | None
OnStep = Callable[[Live], None] | None


def fit(
    task: Task,
    data: TrainingData,
    checkpoint: Checkpoint | None = None,
    progress: Progress = None,
    on_epoch: OnEpoch = None,
    on_step: OnStep = None,
    *,
    samples: Path | None = None,
) -> History:
    """Train the task's network in place; it ends with the weights of the best epoch.

    The same recipe on the same machine and versions gives the same weights up to the order of float sums, whether
    or not it was interrupted.

    Args:
        task: Recipe, network and loss.
        data: What it learns from.
        checkpoint: Where the state is kept after epochs, and taken from where there is one.
        progress: Called with ("train", steps done, steps in all).
        on_epoch: Called after each epoch.
        on_step: Called after each step.
        samples: Folder for pictures of what the network makes after each epoch, where the task has any.

    Raises:
        ModelError: The loss is no number any more.
        InputError: The recipe names what does not exist.
    """
    recipe = task.recipe
    task.prepare(data)
    pipeline = Pipeline(data.train, Policy(recipe.augment), task.encode, recipe.batch_size, recipe.seed)
    step = task.step(make_optimizer(recipe, len(pipeline) * recipe.epochs))
    average = Average(step.model, recipe.ema) if recipe.ema else None
    variables = [*step.variables, *(average.variables if average else ())]
    sparsifier = Sparsifier(step.model, recipe.sparsity, len(pipeline) * recipe.epochs) if recipe.sparsity else None
    history = History()
    if checkpoint is not None:
        history = checkpoint.restore(variables) or history

    def watch(number: int, done: int, figures: Mapping[str, float]) -> None:
        if sparsifier is not None:
            sparsifier(done)
        if average is not None:
            average.update()
        if progress is not None:
            progress("train", done, recipe.epochs * len(pipeline))
        if on_step is not None:
            held = 0 if data.validation is None else len(data.validation)
            on_step(Live(recipe, len(data.train), held, number, done, recipe.epochs * len(pipeline), figures))

    while len(history.epochs) < recipe.epochs and not _is_over(history, recipe.patience):
        number, start = len(history.epochs) + 1, time.perf_counter_ns()
        if recipe.freeze:
            step.hold(task.built.given if number <= recipe.freeze else ())
        figures, rate = _one_pass(step, pipeline, number, watch)
        with average.in_place() if average else nullcontext():
            _judge(task, step, data.validation, figures)
            history.epochs.append(Epoch(number, (time.perf_counter_ns() - start) / 1e9, figures, rate))
            if sparsifier is not None and not sparsifier.is_done:
                history.best = 0  # what is not sparse enough yet is no candidate
            _rank(task, history, step, data.validation)
        _show(task.picture(step) if samples is not None else None, samples, number)
        if checkpoint is not None:
            checkpoint.save(variables, history, number == recipe.epochs)
        if on_epoch is not None:
            on_epoch(history.epochs[-1])
    if recipe.freeze:
        step.hold(())
    if history.weights:
        step.model.set_weights(history.weights)
    elif average is not None:
        average.apply()
    task.finish(step.predict, data)
    return history


def _one_pass(
    step: Step, pipeline: Pipeline, number: int, watch: Callable[[int, int, Mapping[str, float]], None]
) -> tuple[dict[str, float], float]:
    """Means over the epoch, and the learning rate in its middle."""
    sums: dict[str, float] = {}
    seen, rate, before = 0, 0.0, (number - 1) * len(pipeline)
    for index, (images, targets) in enumerate(pipeline.epoch(number)):
        if index == len(pipeline) // 2:
            rate = step.learning_rate
        figures = step(images, targets)
        if not math.isfinite(figures["loss"]):
            cure = "choose a smaller learning_rate, or set gradient_clip to 1"
            raise ModelError(f"the loss in epoch {number} is no number any more", got=str(figures["loss"]), cure=cure)
        count = int(images.shape[0])
        seen += count
        for name, value in figures.items():
            sums[name] = sums.get(name, 0.0) + value * count
        watch(number, before + index + 1, {name: value / seen for name, value in sums.items()})
    return {name: value / seen for name, value in sums.items()}, rate


def _judge(task: Task, step: Step, validation: Examples | None, figures: dict[str, float]) -> None:
    if validation is not None:
        found = task.judge(step.predict, validation)
        figures.update({f"val_{name}": float(value) for name, value in found.items()})


def _show(picture: NDArray[np.uint8] | None, samples: Path | None, number: int) -> None:
    if picture is not None and samples is not None:
        samples.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(samples / f"epoch-{number:04}.png")


def _rank(task: Task, history: History, step: Step, validation: Examples | None) -> None:
    if validation is None:
        history.best = len(history.epochs)
        return
    found = task.worth(history.epochs[-1].held_out)
    if not history.best or found > task.worth(history.epochs[history.best - 1].held_out):
        history.best, history.weights = len(history.epochs), step.model.get_weights()


def _is_over(history: History, patience: int) -> bool:
    return bool(patience) and history.best > 0 and len(history.epochs) - history.best >= patience
