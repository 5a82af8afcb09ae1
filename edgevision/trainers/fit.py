"""The training loop: epochs, validation, best epoch, checkpoints, early stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.errors import ModelError
from edgevision.trainers.augment import Policy
from edgevision.trainers.checkpoint import Checkpoint
from edgevision.trainers.examples import Examples, Progress, TrainingData
from edgevision.trainers.optimizers import make_optimizer
from edgevision.trainers.pipeline import Pipeline
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
    """

    number: int
    seconds: float
    figures: dict[str, float]


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


OnEpoch = Callable[[Epoch], None] | None


def fit(
    task: Task,
    data: TrainingData,
    checkpoint: Checkpoint | None = None,
    progress: Progress = None,
    on_epoch: OnEpoch = None,
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

    Raises:
        ModelError: The loss is no number any more.
        InputError: The recipe names what does not exist.
    """
    recipe = task.recipe
    pipeline = Pipeline(data.train, Policy(recipe.augment), task.encode, recipe.batch_size, recipe.seed)
    step = task.step(make_optimizer(recipe, len(pipeline) * recipe.epochs))
    sparsifier = Sparsifier(step.model, recipe.sparsity, len(pipeline) * recipe.epochs) if recipe.sparsity else None
    history = History()
    if checkpoint is not None:
        history = checkpoint.restore(step.variables) or history
    while len(history.epochs) < recipe.epochs and not _is_over(history, recipe.patience):
        start = time.perf_counter_ns()
        number = len(history.epochs) + 1
        if recipe.freeze:
            step.hold(task.built.given if number <= recipe.freeze else ())
        figures = _one_pass(step, pipeline, number, recipe.epochs, progress, sparsifier)
        _judge(task, step, data.validation, figures)
        history.epochs.append(Epoch(number, (time.perf_counter_ns() - start) / 1e9, figures))
        if sparsifier is not None and not sparsifier.is_done:
            history.best = 0  # what is not sparse enough yet is no candidate
        _rank(task, history, step, data.validation)
        if checkpoint is not None:
            checkpoint.save(step.variables, history, number == recipe.epochs)
        if on_epoch is not None:
            on_epoch(history.epochs[-1])
    if recipe.freeze:
        step.hold(())
    if history.weights:
        step.model.set_weights(history.weights)
    task.finish(step.predict, data)
    return history


def _one_pass(
    step: Step, pipeline: Pipeline, number: int, epochs: int, progress: Progress, sparsifier: Sparsifier | None
) -> dict[str, float]:
    sums: dict[str, float] = {}
    seen, done = 0, (number - 1) * len(pipeline)
    for images, targets in pipeline.epoch(number):
        figures = step(images, targets)
        if not math.isfinite(figures["loss"]):
            cure = "choose a smaller learning_rate, or set gradient_clip to 1"
            raise ModelError(f"the loss in epoch {number} is no number any more", got=str(figures["loss"]), cure=cure)
        count = int(images.shape[0])
        seen, done = seen + count, done + 1
        if sparsifier is not None:
            sparsifier(done)
        for name, value in figures.items():
            sums[name] = sums.get(name, 0.0) + value * count
        if progress is not None:
            progress("train", done, epochs * len(pipeline))
    return {name: value / seen for name, value in sums.items()}


def _judge(task: Task, step: Step, validation: Examples | None, figures: dict[str, float]) -> None:
    if validation is not None:
        found = task.judge(step.predict, validation)
        figures.update({f"val_{name}": float(value) for name, value in found.items()})


def _rank(task: Task, history: History, step: Step, validation: Examples | None) -> None:
    if validation is None:
        history.best = len(history.epochs)
        return
    key = f"val_{task.metric}"

    def worth(number: int) -> tuple[float, float]:
        figures = history.epochs[number - 1].figures
        value = figures[key] if np.isfinite(figures[key]) else -math.inf
        return value if task.higher else -value, -figures.get("val_loss", 0.0)

    if not history.best or worth(len(history.epochs)) > worth(history.best):
        history.best, history.weights = len(history.epochs), step.model.get_weights()


def _is_over(history: History, patience: int) -> bool:
    return bool(patience) and history.best > 0 and len(history.epochs) - history.best >= patience
