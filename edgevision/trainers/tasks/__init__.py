"""Tasks by name, one file each; none of them imports Keras before something is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevision.runtime.errors import InputError
from edgevision.trainers.tasks.classification import Classification
from edgevision.trainers.tasks.detection import Detection
from edgevision.trainers.tasks.task import Predict as Predict
from edgevision.trainers.tasks.task import Task as Task

#: In the order in which they are asked whether data is theirs.
TASKS: dict[str, type[Task]] = {task.name: task for task in (Detection, Classification)}


def named_task(name: str) -> type[Task]:
    """The task of that name.

    Raises:
        InputError: There is none.
    """
    if name not in TASKS:
        raise InputError("the task is unknown", expected=" or ".join(TASKS), got=repr(name))
    return TASKS[name]


def guessed_task(data: Any) -> type[Task]:
    """The task that the data looks as if it were for."""
    if isinstance(data, (str, Path)):
        for task in TASKS.values():
            if task.recognises(data):
                return task
    return Classification
