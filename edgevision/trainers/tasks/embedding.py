"""A vector per image, near to those of the same person: for verification and search."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevision.benchmarks.metrics.verification import accuracies, equal_error, roc, sorted_pairs
from edgevision.datasets import Dataset, open_dataset
from edgevision.datasets.folders import is_tree
from edgevision.datasets.tree import open_tree
from edgevision.runtime.heads import Head
from edgevision.runtime.heads.embedding import EmbeddingHead
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.data import held_out
from edgevision.trainers.engine import import_keras
from edgevision.trainers.examples import Example, Examples, Progress, TrainingData
from edgevision.trainers.families import Built
from edgevision.trainers.margin_losses import MARGIN_LOSSES, arcface, triplet
from edgevision.trainers.people import People, check_people, divided
from edgevision.trainers.pipeline import Targets
from edgevision.trainers.recipe import Recipe
from edgevision.trainers.tasks.task import Predict, Task, predicted
from edgevision.trainers.whitening import fold, whitening

if TYPE_CHECKING:
    from edgevision.trainers.report.sections import Section

_BATCH = 64


class Embedding(Task):
    """See ``Task``. Losses: ``margin_losses.MARGIN_LOSSES``.

    The directions of the training people, which ArcFace compares with, are trained and kept in the checkpoint; the
    model has no part of them.
    """

    name, default, metric, higher = "embedding", "face-net", "eer", False
    figures: ClassVar[Mapping[str, bool]] = {"balanced_accuracy": True}
    losses = MARGIN_LOSSES
    defaults: ClassVar[Mapping[str, Any]] = {
        **{"loss": "arcface", "validation_split": 0.0, "threshold_folds": 3, "whitening": 0.8},
    }

    def __init__(self, recipe: Recipe, built: Built, labels: tuple[str, ...], p: Preprocessing) -> None:
        super().__init__(recipe, built, labels, p)
        self._directions: Any = None
        self._threshold: float | None = None

    @classmethod
    def recognises(cls, data: str | Path) -> bool:
        """A list of pairs beside the images."""
        names = open_tree(data).named(".csv", ".txt") if is_tree(Path(data)) else []
        return any(parts[-1].lower().startswith("pairs") for parts in names)

    @classmethod
    def open(cls, data: Any, recipe: Recipe, p: Preprocessing, progress: Progress) -> TrainingData:
        """See ``Task.open``; the train split, and the val split or a share of the people of train."""
        opened = data if isinstance(data, Dataset) else open_dataset(data, prefer="train")
        train, held = held_out(
            data, opened, open_dataset, lambda: divided(opened, recipe.validation_split, recipe.seed)
        )

        def loaded(part: Dataset) -> People:
            found = People(part, p, progress, strict=recipe.strict)
            check_people(found.data)
            return found

        return TrainingData(loaded(train), None if held is None else loaded(held))

    def prepare(self, data: TrainingData) -> None:
        """Gives each person of the training data a direction."""
        assert isinstance(data.train, People), "as opened"
        if self.recipe.loss == "arcface":
            keras = import_keras()
            shape = (int(self.built.model.outputs[0].shape[-1]), len(data.train.people))
            first = keras.initializers.RandomNormal(seed=self.recipe.seed)
            self._directions = keras.Variable(first(shape), name="directions")

    @property
    def trained(self) -> list[Any]:
        """The directions of ArcFace."""
        return [] if self._directions is None else [self._directions]

    def encode(self, examples: Sequence[Example]) -> Targets:
        """Shares of the people, float32 (batch, people)."""
        return {"label": np.stack([example.label for example in examples if example.label is not None])}

    def loss(self, outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe's loss, and the share of images that are nearest to their own person."""
        (vectors,), label, recipe = outputs.values(), targets["label"], self.recipe
        if self._directions is None:
            return triplet(vectors, label, recipe.margin)
        return arcface(vectors, self._directions.value, label, recipe.margin, recipe.margin_scale)

    def judge(self, predict: Predict, examples: Examples) -> dict[str, float]:
        """Equal error rate of verification, and the mean share of right answers at its threshold, 0..1."""
        assert isinstance(examples, People), "as opened"
        return _figures(self._cosines(predict, examples), examples.same)[0]

    def finish(self, predict: Predict, data: TrainingData) -> None:
        """Whitens the vectors, and takes the threshold of the equal error rate on the held-out images."""
        if self.recipe.whitening:
            self._whiten(predict, data.train)
        if data.validation is not None:
            self.choose([(predict, data.validation)])

    def folds(self, data: TrainingData) -> tuple[TrainingData, ...]:
        """Parts of the people, where no others are held out."""
        assert isinstance(data.train, People), "as opened"
        return () if data.validation is not None else data.train.folds(self.recipe.threshold_folds, self.recipe.seed)

    def choose(self, folds: Sequence[tuple[Predict, Examples]]) -> dict[str, float]:
        """Takes the threshold of the equal error rate of all pairs together; pairs are of one fold each."""
        cosines = [self._cosines(predict, examples) for predict, examples in folds]
        same = np.concatenate([examples.same for _, examples in folds if isinstance(examples, People)])
        figures, threshold = _figures(np.concatenate(cosines), same)
        self._threshold = float(np.clip(threshold, -1, 1))
        return figures

    def head(self) -> Head | None:
        """With the threshold, where images were held out."""
        assert isinstance(self.built.head, EmbeddingHead), "every family of this task has one"
        return dataclasses.replace(self.built.head, threshold=self._threshold)

    def sections(self, predict: Predict, data: TrainingData, pictures: bool) -> tuple[Section, ...]:
        """See ``Task.sections``: pairs of held-out images."""
        from edgevision.trainers.report.pairs import worst_pairs

        if data.validation is None or self._threshold is None:
            return ()
        assert isinstance(data.validation, People), "as opened"
        cosines = self._cosines(predict, data.validation)
        return worst_pairs(cosines, self._threshold, data.validation, self.p.color, pictures)

    def _whiten(self, predict: Predict, examples: Examples) -> None:
        """By the training images as they are; then the directions are those of the people."""
        assert isinstance(examples, People), "as opened"
        vectors, targets = _vectors(predict, examples), examples.targets
        middle, matrix = whitening(vectors, targets, self.recipe.whitening)
        fold(self.built.model, middle, matrix)
        if self._directions is not None:
            people = np.eye(len(examples.people))[targets]
            self._directions.assign(((vectors - middle) @ matrix).T @ people)

    def _cosines(self, predict: Predict, examples: Examples) -> Any:
        """float64 (pairs,)."""
        assert isinstance(examples, People), "as opened"
        vectors = _vectors(predict, examples)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        first, second = examples.pairs.T
        return np.einsum("ij,ij->i", vectors[first], vectors[second])


def _vectors(predict: Predict, examples: Examples) -> Any:
    """float64 (images, dimensions)."""
    parts = []
    for batch, outputs in predicted(predict, examples, _BATCH):
        (found,) = outputs.values()
        parts.append(found.reshape(len(batch), -1).astype(np.float64))
    return np.concatenate(parts)


def _figures(cosines: Any, same: NDArray[np.bool_]) -> tuple[dict[str, float], float]:
    """By name; and the threshold they are of."""
    rate, threshold = equal_error(roc(sorted_pairs(cosines, same)))
    return {"eer": rate, "balanced_accuracy": accuracies(cosines, same, threshold)[1]}, threshold
