"""One class a window of frames."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets import ClipDataset, open_clips
from edgevision.runtime.errors import DatasetError, InputError
from edgevision.runtime.heads.classes import SequenceHead
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.clips import ClipWindows, divided
from edgevision.trainers.data import held_out
from edgevision.trainers.engine import import_tensorflow
from edgevision.trainers.examples import Progress, TrainingData
from edgevision.trainers.losses import class_loss
from edgevision.trainers.recipe import Recipe
from edgevision.trainers.tasks.classification import Classification
from edgevision.trainers.tasks.task import Task


class SequenceTask(Classification):
    """See ``Task``. Losses: ``losses.CLASS_LOSSES``; options "frames" and "stride" of every family cut the windows."""

    name, default, metric = "sequence", "cnn-3d", "accuracy"

    @classmethod
    def recognises(cls, data: str | Path) -> bool:
        """Folders CLASS/CLIP of frames whose names differ in their numbers alone."""
        clips = open_clips(data, prefer="train")
        return bool(clips.clips) and all(_is_clip(clips, name, indices) for name, indices in clips.clips)

    @classmethod
    def open(cls, data: Any, recipe: Recipe, p: Preprocessing, progress: Progress) -> TrainingData:
        """See ``Task.open``; windows overlap in training, and those that judge do not.

        Raises:
            InputError: The options "frames" or "stride" are not usable.
        """
        clips = data if isinstance(data, ClipDataset) else open_clips(data, prefer="train")
        if len(clips.labels) < 2:
            raise DatasetError("there is nothing to tell apart", expected="two or more classes of clips")
        frames, stride = (recipe.options[name] for name in ("frames", "stride"))
        if frames < 1 or stride < 1:
            got = f"frames {frames}, stride {stride}"
            raise InputError("the windows are not usable", expected="frames and stride of 1 or more", got=got)
        train, held = held_out(
            data, clips, open_clips, lambda: divided(clips, recipe.validation_split, frames, recipe.seed)
        )
        judging = None if held is None else ClipWindows(held.windows(frames), p, progress, strict=recipe.strict)
        return TrainingData(ClipWindows(train.windows(frames, stride), p, progress, strict=recipe.strict), judging)

    @classmethod
    def shape(cls, recipe: Recipe, p: Preprocessing) -> tuple[int, ...]:
        """(frames, height, width, channels)."""
        return (recipe.options["frames"], p.height, p.width, p.channels)

    def loss(self, outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe's loss, of a network that answers at each step at every step."""
        tf = import_tensorflow()
        (scores,), label = outputs.values(), targets["label"]
        if len(scores.shape) == 3:
            label = tf.repeat(label, scores.shape[1], axis=0)
            scores = tf.reshape(scores, (-1, scores.shape[2]))
        return class_loss(self.recipe, self.built.scores, scores, label)

    def conversion_data(self, data: Any, examples: TrainingData, folder: Path) -> tuple[str, str | None]:
        """See ``Task.conversion_data``: windows are cut from the clips by whoever reads them."""
        return Task.conversion_data(self, data, examples, folder)

    def shares(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """See ``Classification.shares``; steps come together as the head says."""
        found, head = super().shares(outputs), self.built.head
        assert isinstance(head, SequenceHead), "what the families of the task build"
        if found.ndim == 2:
            return found
        return np.asarray(found[:, -1] if head.steps == "last" else found.mean(axis=1))


def _is_clip(clips: ClipDataset, name: str, indices: NDArray[np.int64]) -> bool:
    images = clips.images
    frames = [images.entries[int(index)].name.rpartition("/")[2] for index in indices]
    label = images.entries[int(indices[0])].label
    # Images without folders, as in an .npz, are one "clip" without a name.
    is_deep = bool(name) and label is not None and name.rpartition("/")[2] != images.labels[label]
    return is_deep and len(frames) > 1 and len({re.sub(r"\d+", "", frame) for frame in frames}) == 1
