"""The training loop: Adam on a cosine decay, best epoch kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevision.runtime.errors import InputError
from edgevision.runtime.preprocess import normalize
from edgevision.runtime.spec import Preprocessing
from edgevision.trainers.augment import augmented, check_augmentation
from edgevision.trainers.engine import import_keras
from edgevision.trainers.pixels import Progress

if TYPE_CHECKING:
    import keras

_EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images a step.
        learning_rate: Adam's at the first step; it falls to 0 along half a cosine.
        augment: One of ``augment.AUGMENTATIONS``.
        seed: Decides the first weights, the order of the images and their augmentation.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    augment: str
    seed: int

    def __post_init__(self) -> None:
        for name, value, least in (
            ("epochs", self.epochs, 1),
            ("batch_size", self.batch_size, 1),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise InputError(f"{name} is not usable", expected=f"at least {least}", got=str(value))
        if not 0 < self.learning_rate < float("inf"):
            raise InputError("learning_rate is not usable", expected="a number > 0", got=str(self.learning_rate))
        check_augmentation(self.augment)


@dataclass(frozen=True)
class Epoch:
    """One pass: mean ``loss`` and ``accuracy`` of the augmented images as they were trained on; accuracies 0..1.

    ``val_loss`` and ``val_accuracy`` are None without validation images; ``seconds`` includes validation.
    """

    number: int
    loss: float
    accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    seconds: float


@dataclass(frozen=True, eq=False)
class Images:
    """Pixels as they are held, uint8 (N, H, W, C), and label indices, int64 (N,)."""

    pixels: NDArray[np.uint8]
    targets: NDArray[np.int64]


def fit(
    model: keras.Model,
    logits: bool,
    p: Preprocessing,
    train: Images,
    validation: Images | None,
    recipe: Recipe,
    progress: Progress = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> tuple[tuple[Epoch, ...], int]:
    """Train ``model`` in place; every epoch's figures and the number of the epoch whose weights it now has.

    That is the epoch of the best validation accuracy (of equals, the lowest validation loss), or the last
    without validation. The same seed on the same machine and versions gives the same weights.
    """
    trainer = _compiled(model, logits, recipe, len(train.targets))
    history: list[Epoch] = []
    best, weights = 0, None
    for number in range(1, recipe.epochs + 1):
        start = time.perf_counter_ns()
        loss, accuracy = _one_pass(trainer, p, train, recipe, number, progress)
        val_loss, val_accuracy = _judge(trainer, logits, p, validation) if validation is not None else (None, None)
        seconds = (time.perf_counter_ns() - start) / 1e9
        history.append(Epoch(number, loss, accuracy, val_loss, val_accuracy, seconds))
        if on_epoch is not None:
            on_epoch(history[-1])
        if validation is None or not best or _rank(history[-1]) > _rank(history[best - 1]):
            best, weights = number, model.get_weights() if validation is not None else None
    if weights is not None:
        model.set_weights(weights)
    return tuple(history), best


def _compiled(model: keras.Model, logits: bool, recipe: Recipe, images: int) -> Any:
    """The same layers in a second model, so that no optimiser is saved with the first."""
    keras = import_keras()
    trainer = keras.Model(model.inputs, model.outputs)
    steps = -(-images // recipe.batch_size) * recipe.epochs
    rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
    trainer.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"], jit_compile=False)
    return trainer


def _one_pass(
    trainer: Any, p: Preprocessing, train: Images, recipe: Recipe, number: int, progress: Progress
) -> tuple[float, float]:
    random = np.random.default_rng([recipe.seed, number])
    order = random.permutation(len(train.targets))
    starts = range(0, len(order), recipe.batch_size)
    sums = np.zeros(2)
    for step, start in enumerate(starts, 1):
        chosen = order[start : start + recipe.batch_size]
        changed = augmented(train.pixels[chosen], recipe.augment, random)
        trainer.reset_metrics()  # not every Keras does so itself: these are to be the batch's own figures
        logs = trainer.train_on_batch(normalize(changed, p), train.targets[chosen], return_dict=True)
        sums += np.array([float(logs["loss"]), float(logs["accuracy"])]) * len(chosen)
        if progress is not None:
            progress("train", (number - 1) * len(starts) + step, recipe.epochs * len(starts))
    loss, accuracy = sums / len(order)
    return float(loss), float(accuracy)


def _judge(trainer: Any, logits: bool, p: Preprocessing, images: Images) -> tuple[float, float]:
    """Mean cross-entropy and accuracy, 0..1."""
    outputs = np.concatenate(
        [
            trainer.predict_on_batch(normalize(images.pixels[start : start + _EVALUATION_BATCH], p))
            for start in range(0, len(images.targets), _EVALUATION_BATCH)
        ]
    ).astype(np.float64)
    if logits:
        outputs = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        outputs /= outputs.sum(axis=1, keepdims=True)
    right = outputs[np.arange(len(outputs)), images.targets]
    loss = -np.log(np.maximum(right, 1e-12)).mean()
    return float(loss), float((outputs.argmax(axis=1) == images.targets).mean())


def _rank(epoch: Epoch) -> tuple[float, float]:
    return epoch.val_accuracy or 0.0, -(epoch.val_loss or 0.0)
