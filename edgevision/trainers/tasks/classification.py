"""One class an image."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.datasets import Dataset
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.data import check_classes, open_labelled
from edgevision.trainers.examples import Example, Examples, Progress, TrainingData
from edgevision.trainers.images import LabelledImages, is_colored
from edgevision.trainers.losses import class_loss
from edgevision.trainers.pipeline import Targets
from edgevision.trainers.recipe import Recipe
from edgevision.trainers.tasks.task import Predict, Task

_BATCH = 256


class Classification(Task):
    """See ``Task``. Losses: ``losses.CLASS_LOSSES``."""

    name, default, metric = "classification", "cnn-cifar", "accuracy"

    @classmethod
    def recognises(cls, data: str | Path) -> bool:
        """What nothing else claims."""
        return True

    @classmethod
    def open(cls, data: Any, recipe: Recipe, p: Preprocessing, progress: Progress) -> TrainingData:
        """See ``Task.open``; the train split, and the val split or a stratified share of train."""
        train, held = open_labelled(data, recipe.validation_split, recipe.seed)

        def loaded(part: Dataset) -> LabelledImages:
            return LabelledImages(part, p, progress, strict=recipe.strict)

        images = loaded(train)
        check_classes(images.data, images.unreadable)
        return TrainingData(images, None if held is None else loaded(held))

    @classmethod
    def settle(cls, recipe: Recipe, data: TrainingData, asked: Mapping[str, Any]) -> Recipe:
        """Grey images are digits, letters and the like more often than not: not augmented unless told."""
        images = data.train
        if "augment" in asked or not isinstance(images, LabelledImages) or is_colored(images.pixels):
            return recipe
        return dataclasses.replace(recipe, augment=())

    def encode(self, examples: Sequence[Example]) -> Targets:
        """Shares of the classes, float32 (batch, classes)."""
        return {"label": np.stack([example.label for example in examples if example.label is not None])}

    def loss(self, outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe's loss, and the share of right answers."""
        (scores,) = outputs.values()
        return class_loss(self.recipe, self.built.scores, scores, targets["label"])

    def judge(self, predict: Predict, examples: Examples) -> dict[str, float]:
        """Mean cross-entropy and accuracy, 0..1."""
        total, right = 0.0, 0
        for start in range(0, len(examples), _BATCH):
            found = [examples[index] for index in range(start, min(start + _BATCH, len(examples)))]
            (outputs,) = predict(np.stack([example.pixels for example in found])).values()
            wanted = self.encode(found)["label"].argmax(axis=1)
            shares = _probabilities(outputs.astype(np.float64), self.built.scores)
            total -= np.log(np.maximum(shares[np.arange(len(wanted)), wanted], 1e-12)).sum()
            right += int((outputs.argmax(axis=1) == wanted).sum())
        return {"loss": float(total) / len(examples), "accuracy": right / len(examples)}


def _probabilities(outputs: Any, scores: str | None) -> Any:
    if scores != "logits":
        return outputs
    found = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return found / found.sum(axis=1, keepdims=True)
