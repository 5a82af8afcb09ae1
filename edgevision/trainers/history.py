"""What a training has come to, as it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from edgevision.trainers.recipe import Recipe


@dataclass(frozen=True)
class Epoch:
    """One pass over the data.

    Attributes:
        number: From 1.
        seconds: Including validation.
        figures: Means over the augmented training examples as they were trained on, and, as "val_...", the task's
            figures on the validation examples.
        learning_rate: In the middle of it.
    """

    number: int
    seconds: float
    figures: dict[str, float]
    learning_rate: float = 0.0

    @property
    def held_out(self) -> dict[str, float]:
        """The task's figures on the validation examples, by the task's names."""
        return {name.removeprefix("val_"): value for name, value in self.figures.items() if name.startswith("val_")}


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


@dataclass(frozen=True)
class Live:
    """A training as it stands after a step, to be shown.

    Attributes:
        recipe: What is done.
        images: How many examples are trained on.
        val_images: How many are held out.
        epoch: Number of the epoch, from 1.
        done: Steps done, those of earlier epochs too.
        total: Steps of all epochs.
        figures: Means over the epoch so far.
    """

    recipe: Recipe
    images: int
    val_images: int
    epoch: int
    done: int
    total: int
    figures: Mapping[str, float]


OnEpoch = Callable[[Epoch], None] | None
OnStep = Callable[[Live], None] | None
