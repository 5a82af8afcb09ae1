"""Networks that are trained on parts of the data alone, so that something can be chosen on the rest, which is new to
them, while the network that is kept learns from everything (cross-validatory choice; Stone 1974).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevision.trainers.checkpoint import Checkpoint
from edgevision.trainers.engine import import_keras
from edgevision.trainers.examples import Examples, Progress, TrainingData
from edgevision.trainers.families import Family
from edgevision.trainers.fit import fit
from edgevision.trainers.step import answering
from edgevision.trainers.tasks import Task
from edgevision.trainers.tasks.task import Predict
from edgevision.trainers.weights import build


def choose_on_folds(
    task: Task, family: Family, data: TrainingData, folder: Path, what: dict[str, Any], progress: Progress = None
) -> dict[str, float]:
    """Trains a network on each of the task's folds, as its own was, and lets it choose on what each has not seen.

    Args:
        task: Trained.
        family: Of its network.
        data: What it was trained on.
        folder: Where the states of the fold's trainings are kept, from which they go on after an interruption.
        what: All that decides the training.
        progress: Called with ("fold 1 of 3", steps done, steps in all).

    Returns:
        The task's figures on what was held out of the folds; empty where it has none.
    """
    folds, found = task.folds(data), list[tuple[Predict, Examples]]()
    for number, part in enumerate(folds, 1):
        assert part.validation is not None, "what a fold is for"
        stage = f"fold {number} of {len(folds)}"
        checkpoint = Checkpoint(folder / f"fold-{number}.keras", {**what, "fold": stage})
        twin = _twin(task, family, data)
        fit(twin, TrainingData(part.train, None), checkpoint, _named(stage, progress))
        found.append((answering(twin.built.model, twin.p), part.validation))
    return task.choose(found) if found else {}


def _twin(task: Task, family: Family, data: TrainingData) -> Task:
    """The same untrained, with the same first weights."""
    import_keras().utils.set_random_seed(task.recipe.seed)
    built, _ = build(family, task.shape(task.recipe, task.p), data.labels, task.recipe)
    return type(task)(task.recipe, built, data.labels, task.p)


def _named(stage: str, progress: Progress) -> Progress:
    return None if progress is None else lambda _, done, total: progress(stage, done, total)
