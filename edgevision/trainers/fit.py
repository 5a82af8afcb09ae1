"""The training loop: epochs, validation, best epoch, checkpoints, early stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.runtime.errors import ModelError
from edgevision.trainers.augment import Policy
from edgevision.trainers.average import Average
from edgevision.trainers.checkpoint import Checkpoint
from edgevision.trainers.examples import Progress, TrainingData
from edgevision.trainers.history import Epoch, History, Live, OnEpoch, OnStep
from edgevision.trainers.optimizers import make_optimizer
from edgevision.trainers.pipeline import Pipeline
from edgevision.trainers.sparsity import Sparsifier
from edgevision.trainers.tasks.task import Task


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
    training = _Training(task, data, progress, on_step)
    history = None if checkpoint is None else checkpoint.restore(training.variables)
    history = history or History()
    while len(history.epochs) < recipe.epochs and not _is_over(history, recipe.patience):
        training.add_epoch(history)
        number = len(history.epochs)
        if samples is not None:
            _show(task.picture(training.step), samples, number)
        if checkpoint is not None:
            checkpoint.save(training.variables, history, number == recipe.epochs)
        if on_epoch is not None:
            on_epoch(history.epochs[-1])
    training.finish(history)
    task.finish(training.step.predict, data)
    return history


class _Training:
    """A network with all that its steps go along with."""

    def __init__(self, task: Task, data: TrainingData, progress: Progress, on_step: OnStep) -> None:
        self._task, self._recipe, self._data = task, task.recipe, data
        self._progress, self._on_step = progress, on_step
        recipe = task.recipe
        self._pipeline = Pipeline(data.train, Policy(recipe.augment), task.encode, recipe.batch_size, recipe.seed)
        self._total = len(self._pipeline) * recipe.epochs
        self.step = task.step(make_optimizer(recipe, self._total))
        self._average = Average(self.step.model, recipe.ema) if recipe.ema else None
        self._sparsifier = Sparsifier(self.step.model, recipe.sparsity, self._total) if recipe.sparsity else None

    @property
    def variables(self) -> list[Any]:
        """What a checkpoint has to hold."""
        return [*self.step.variables, *(self._average.variables if self._average else ())]

    def add_epoch(self, history: History) -> None:
        """Trains for one more, judges it and keeps its weights if it is the best."""
        number, start = len(history.epochs) + 1, time.perf_counter_ns()
        if self._recipe.freeze:
            self.step.hold(self._task.built.given if number <= self._recipe.freeze else ())
        figures, rate = self._one_pass(number)
        with self._average.in_place() if self._average else nullcontext():
            figures |= self._judged()
            history.epochs.append(Epoch(number, (time.perf_counter_ns() - start) / 1e9, figures, rate))
            if self._sparsifier is not None and not self._sparsifier.is_done:
                history.best = 0  # what is not sparse enough yet is no candidate
            self._rank(history)

    def finish(self, history: History) -> None:
        """Leaves the network with the weights that are kept."""
        if self._recipe.freeze:
            self.step.hold(())
        if history.weights:
            self.step.model.set_weights(history.weights)
        elif self._average is not None:
            self._average.apply()

    def _one_pass(self, number: int) -> tuple[dict[str, float], float]:
        """Means over the epoch, and the learning rate in its middle."""
        sums, means = dict[str, float](), dict[str, float]()
        seen, rate, count = 0, 0.0, len(self._pipeline)
        for index, (images, targets) in enumerate(self._pipeline.epoch(number)):
            if index == count // 2:
                rate = self.step.learning_rate
            figures = self.step(images, targets)
            if not math.isfinite(figures["loss"]):
                problem = f"the loss in epoch {number} is no number any more"
                cure = "choose a smaller learning_rate, or set gradient_clip to 1"
                raise ModelError(problem, got=str(figures["loss"]), cure=cure)
            size = int(images.shape[0])
            seen += size
            for name, value in figures.items():
                sums[name] = sums.get(name, 0.0) + value * size
            means = {name: value / seen for name, value in sums.items()}
            self._after_step(number, (number - 1) * count + index + 1, means)
        return means, rate

    def _after_step(self, number: int, done: int, figures: Mapping[str, float]) -> None:
        if self._sparsifier is not None:
            self._sparsifier(done)
        if self._average is not None:
            self._average.update()
        if self._progress is not None:
            self._progress("train", done, self._total)
        if self._on_step is not None:
            held = 0 if self._data.validation is None else len(self._data.validation)
            self._on_step(Live(self._recipe, len(self._data.train), held, number, done, self._total, figures))

    def _judged(self) -> dict[str, float]:
        if self._data.validation is None:
            return {}
        found = self._task.judge(self.step.predict, self._data.validation)
        return {f"val_{name}": float(value) for name, value in found.items()}

    def _rank(self, history: History) -> None:
        if self._data.validation is None:
            history.best = len(history.epochs)
            return
        found = self._task.worth(history.epochs[-1].held_out)
        if not history.best or found > self._task.worth(history.epochs[history.best - 1].held_out):
            history.best, history.weights = len(history.epochs), self.step.model.get_weights()


def _show(picture: NDArray[np.uint8] | None, samples: Path, number: int) -> None:
    if picture is not None:
        samples.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(samples / f"epoch-{number:04}.png")


def _is_over(history: History, patience: int) -> bool:
    return bool(patience) and history.best > 0 and len(history.epochs) - history.best >= patience
