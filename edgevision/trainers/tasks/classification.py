"""One class an image."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.metrics.classification import confusion, macro
from edgevision.datasets import Dataset, open_dataset
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.data import check_classes, open_labelled
from edgevision.trainers.deploy import write_npz
from edgevision.trainers.examples import Example, Examples, Progress, TrainingData
from edgevision.trainers.images import LabelledImages, is_colored
from edgevision.trainers.losses import CLASS_LOSSES, class_loss
from edgevision.trainers.pipeline import Targets
from edgevision.trainers.recipe import Recipe
from edgevision.trainers.tasks.task import Predict, Task, predicted

if TYPE_CHECKING:
    from edgevision.trainers.report.sections import Section

_BATCH = 256


class Classification(Task):
    """See ``Task``. Losses: ``losses.CLASS_LOSSES``."""

    name, default, metric = "classification", "cnn-cifar", "accuracy"
    figures: ClassVar[Mapping[str, bool]] = {"loss": False, "precision": True, "recall": True, "f1": True}
    losses = CLASS_LOSSES

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
        """Mean cross-entropy; accuracy, and means over the classes of precision, recall and F1, 0..1."""
        shares, truth = self.answers(predict, examples)
        loss = -np.log(np.maximum(shares[np.arange(len(truth)), truth], 1e-12)).mean()
        found = confusion(truth, shares.argmax(axis=1), len(self.labels))
        return {"loss": float(loss), "accuracy": float(np.trace(found)) / len(truth), **macro(found)}

    def answers(self, predict: Predict, examples: Examples) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Probabilities (examples, classes), 0..1, and the right classes (examples,)."""
        shares, truth = [], []
        for batch, outputs in predicted(predict, examples, _BATCH):
            truth.append(self.encode(batch)["label"].argmax(axis=1))
            shares.append(self.shares(*outputs.values()))
        return np.concatenate(shares), np.concatenate(truth)

    def sections(self, predict: Predict, data: TrainingData, pictures: bool) -> tuple[Section, ...]:
        """See ``Task.sections``; before them the confusion matrix."""
        if data.validation is None:
            return ()
        from edgevision.trainers.report.gallery import worst_first
        from edgevision.trainers.report.sections import confusion_section

        shares, truth = self.answers(predict, data.validation)
        losses = -np.log(np.maximum(shares[np.arange(len(truth)), truth], 1e-12))
        matrix = confusion_section(truth, shares.argmax(axis=1), self.labels)
        return (*worst_first(self, predict, data.validation, pictures, losses), matrix)

    def conversion_data(self, data: Any, examples: TrainingData, folder: Path) -> tuple[str, str | None]:
        """See ``Task.conversion_data``; where the data has no split to judge by, the shares that training made."""
        held = examples.validation
        whole = not examples.train.unreadable and not (held and held.unreadable)  # convert leaves nothing out
        if whole and isinstance(data, (str, Path)) and {"val", "test"} & {*open_dataset(data, prefer="train").splits}:
            return str(data), str(data)
        judging = None if held is None else write_npz(folder / "held_out.npz", held)
        return write_npz(folder / "train.npz", examples.train), judging

    def shares(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities, float64 (n, classes), of the network's answers (n, ...)."""
        wide = outputs.astype(np.float64)
        if self.built.scores != "logits":
            return wide
        found = np.exp(wide - wide.max(axis=-1, keepdims=True))
        return np.asarray(found / found.sum(axis=-1, keepdims=True))
