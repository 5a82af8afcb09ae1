"""Tasks by name, one file each; none of them imports Keras before something is trained."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from edgevision.runtime.errors import EdgevisionError
from edgevision.trainers.names import check_name
from edgevision.trainers.tasks.classification import Classification
from edgevision.trainers.tasks.detection import Detection
from edgevision.trainers.tasks.embedding import Embedding
from edgevision.trainers.tasks.generation import Generation
from edgevision.trainers.tasks.segmentation import Segmentation
from edgevision.trainers.tasks.sequence import SequenceTask
from edgevision.trainers.tasks.task import Predict as Predict
from edgevision.trainers.tasks.task import Task as Task

#: In the order in which they are asked whether data is theirs.
_ORDER: tuple[type[Task], ...] = (Detection, Segmentation, SequenceTask, Generation, Embedding, Classification)
TASKS: dict[str, type[Task]] = {task.name: task for task in _ORDER}


def named_task(name: str) -> type[Task]:
    """The task of that name.

    Raises:
        InputError: There is none.
    """
    check_name("task", name, TASKS)
    return TASKS[name]


def guessed_task(data: Any) -> type[Task]:
    """The task that the data looks as if it were for; warns where it could be for several."""
    if not isinstance(data, (str, Path)):
        return Classification
    found = [task for task in TASKS.values() if _recognises(task, data)]
    if len(found) > 1:
        others = " or ".join(task.name for task in found[1:])
        message = f"{data} is taken for {found[0].name}, and could be for {others}: choose with --task"
        warnings.warn(message, stacklevel=2)
    return found[0] if found else Classification


def _recognises(task: type[Task], data: str | Path) -> bool:
    try:
        return task.recognises(data)
    except (EdgevisionError, OSError, ValueError):
        return False
