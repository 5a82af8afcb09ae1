"""What a task is to the training loop: its data, its loss, its validation figure, its head."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.errors import InputError
from edgevision.runtime.heads import Head
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.examples import Example, Examples, Progress, TrainingData
from edgevision.trainers.families import Built
from edgevision.trainers.pipeline import Targets
from edgevision.trainers.recipe import Recipe
from edgevision.trainers.step import Step
from edgevision.trainers.teacher import Teacher

if TYPE_CHECKING:
    from edgevision.trainers.report.sections import Section

#: From uint8 images (n, H, W, C) to the network's outputs by name, n first.
Predict = Callable[[NDArray[np.uint8]], dict[str, NDArray[Any]]]


def predicted(
    predict: Predict, examples: Examples, size: int
) -> Iterator[tuple[list[Example], dict[str, NDArray[Any]]]]:
    """All examples in their order, ``size`` at a time, each batch with what the network makes of it."""
    for start in range(0, len(examples), size):
        batch = [examples[index] for index in range(start, min(start + size, len(examples)))]
        yield batch, predict(np.stack([example.pixels for example in batch]))


class Task(ABC):
    """One run's task.

    Attributes:
        name: One of the manifest's tasks.
        default: Family where none is named.
        metric: The validation figure that tells the best epoch, unless the recipe names another.
        higher: Whether more of it is better.
        figures: Others that may choose the epoch, and whether more of each is better.
        losses: Names that the recipe's ``loss`` may have; empty where ``loss`` itself checks it.
        defaults: What the task wants of the recipe unless told otherwise.
        teacher: Whose answers the network learns from beside the labels; None without.
    """

    name: ClassVar[str]
    default: ClassVar[str]
    metric: ClassVar[str]
    higher: ClassVar[bool] = True
    figures: ClassVar[Mapping[str, bool]] = {}
    losses: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, recipe: Recipe, built: Built, labels: tuple[str, ...], p: Preprocessing) -> None:
        self.recipe, self.built, self.labels, self.p = recipe, built, labels, p
        self.teacher: Teacher | None = None
        if recipe.teacher:
            self.teacher = Teacher(recipe.teacher, labels, p, built.scores, recipe.temperature)

    @property
    def chooses(self) -> tuple[str, bool]:
        """The validation figure that tells the best epoch, and whether more of it is better."""
        name = self.recipe.metric or self.metric
        return name, self.higher if name == self.metric else self.figures[name]

    def worth(self, figures: Mapping[str, float]) -> tuple[float, float]:
        """What figures of ``judge`` are worth, for comparison: by the one that chooses, of equals by the loss."""
        name, higher = self.chooses
        value = figures[name] if higher else -figures[name]
        return value if math.isfinite(value) else -math.inf, -figures.get("loss", 0.0)

    @classmethod
    def recognises(cls, data: str | Path) -> bool:
        """Whether the data looks as if it were for this task; here never.

        Raises:
            EdgevisionError, OSError, ValueError: It cannot be opened as such data.
        """
        return False

    @classmethod
    @abstractmethod
    def open(cls, data: Any, recipe: Recipe, p: Preprocessing, progress: Progress) -> TrainingData:
        """The data, at the input size.

        Raises:
            DatasetError: It cannot be trained on.
            ImageError: An image is damaged.
        """

    @classmethod
    def settle(cls, recipe: Recipe, data: TrainingData, asked: Mapping[str, Any]) -> Recipe:
        """The recipe for just this data; ``asked`` are the fields that the user set, which stay."""
        return recipe

    @classmethod
    def shape(cls, recipe: Recipe, p: Preprocessing) -> tuple[int, ...]:
        """Of the network's input, without the batch."""
        return (p.height, p.width, p.channels)

    def prepare(self, data: TrainingData) -> None:
        """Called once before training: what ``loss`` has to know of the data, and variables of its own."""
        return

    @property
    def trained(self) -> list[Any]:
        """Variables that are trained with the network and not part of it: keras.Variables, once prepared."""
        return []

    @abstractmethod
    def encode(self, examples: Sequence[Example]) -> Targets:
        """What ``loss`` compares the outputs with: arrays by name, a batch's length first."""

    @abstractmethod
    def loss(self, outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, Any]:
        """Of a batch, as scalar tensors by name: "loss" is what is minimised, the others are shown.

        Args:
            outputs: Tensors by the names of the network's outputs, the batch first.
            targets: Tensors of ``encode``.
        """

    @abstractmethod
    def judge(self, predict: Predict, examples: Examples) -> dict[str, float]:
        """Figures on validation examples by name; ``metric`` is one of them."""

    def finish(self, predict: Predict, data: TrainingData) -> None:
        """After training, with the weights that are kept: chooses what is chosen on data, such as thresholds."""
        return

    def folds(self, data: TrainingData) -> tuple[TrainingData, ...]:
        """Parts of the training data, what is held out of each being new to a network that is trained on its rest: for
        what must not be chosen on examples that a network knows (``folds.choose_on_folds``).
        """
        return ()

    def choose(self, folds: Sequence[tuple[Predict, Examples]]) -> dict[str, float]:
        """Chooses on examples that the networks of the folds have not seen, such as a threshold.

        Args:
            folds: Network and held-out examples of each of ``folds``.

        Returns:
            The task's figures on all of them together.
        """
        raise AssertionError("a task with folds has its own")

    @classmethod
    def channels(cls, data: Any) -> int:
        """Of the images, for families that take what the data has: 3, or 1 of grey ones."""
        return 3

    def preprocessing(self) -> Preprocessing | None:
        """What the saved model's input needs; None where it takes no image."""
        return self.p

    def picture(self, step: Step) -> NDArray[np.uint8] | None:
        """What can be seen of the network after an epoch, uint8 (rows, columns, 3); None where there is nothing."""
        return None

    def step(self, optimizer: Any) -> Step:
        """What trains the network batch by batch."""
        return Step(self, optimizer)

    def sections(self, predict: Predict, data: TrainingData, pictures: bool) -> tuple[Section, ...]:
        """What the training report shows beside curves and recipe: here validation examples, the worst first.

        Args:
            predict: The trained network.
            data: What it learned from, and what was held out.
            pictures: Whether images may be part of the report.
        """
        from edgevision.trainers.report.gallery import worst_first

        return worst_first(self, predict, data.validation, pictures)

    def conversion_data(self, data: Any, examples: TrainingData, folder: Path) -> tuple[str, str | None]:
        """Paths or names of what ``convert`` calibrates with, and of what its gate judges by, None for what is left
        over of the former. Here the data for both: convert takes its train split, and its test or val split.

        Args:
            data: As it was handed to ``train``.
            examples: What it became.
            folder: An empty one, for files to write.

        Raises:
            InputError: The data lies in memory alone.
        """
        if not isinstance(data, (str, Path)):
            raise InputError("what is to be converted needs data in a file", expected="a path", got=type(data).__name__)
        return str(data), str(data)

    def head(self) -> Head | None:
        """What the trained network's outputs are, for the manifest."""
        return self.built.head
