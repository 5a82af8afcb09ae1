"""Optimizers and learning-rate schedules by name: Keras' own."""

from __future__ import annotations

from typing import Any

from edgevision.trainers.engine import import_keras, import_tensorflow
from edgevision.trainers.names import check_name
from edgevision.trainers.recipe import Recipe

OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam", "adamw")
#: "cosine" falls to 0 along half a cosine, "linear" along a line, "steps" to a tenth at 60 and at 85 % of the steps.
SCHEDULES = ("cosine", "linear", "steps", "constant")


#: Learning rate after ``Recipe.freeze`` epochs, as a share of the one before: weights from elsewhere change little.
UNFROZEN = 0.1


def check_optimizer(recipe: Recipe) -> None:
    """Whether optimizer and schedule are known.

    Raises:
        InputError: One is not.
    """
    check_name("optimizer", recipe.optimizer, OPTIMIZERS)
    check_name("schedule", recipe.schedule, SCHEDULES)


def make_optimizer(recipe: Recipe, steps: int) -> Any:
    """The recipe's keras.Optimizer for a training of so many ``steps``.

    Raises:
        InputError: Optimizer or schedule is unknown.
    """
    check_optimizer(recipe)
    optimizers = import_keras().optimizers
    common: dict[str, Any] = {
        "learning_rate": _schedule(recipe, steps),
        "weight_decay": recipe.weight_decay or None,
        "global_clipnorm": recipe.gradient_clip or None,
    }
    if recipe.optimizer == "adamw":
        return optimizers.AdamW(**{**common, "weight_decay": recipe.weight_decay or 0.0})
    if recipe.optimizer == "adam":
        return optimizers.Adam(**common)
    if recipe.optimizer == "rmsprop":
        return optimizers.RMSprop(momentum=recipe.momentum, **common)
    return optimizers.SGD(momentum=recipe.momentum if recipe.optimizer == "momentum" else 0.0, **common)


def _schedule(recipe: Recipe, steps: int) -> Any:
    """The recipe's; where it freezes, its full learning rate in those epochs, then ``UNFROZEN`` of the schedule."""
    per_epoch = steps / recipe.epochs
    held = round(per_epoch * recipe.freeze)
    if not held:
        return _falling(recipe, steps, per_epoch, recipe.learning_rate)
    if held == steps:
        return recipe.learning_rate
    return _staged(
        recipe.learning_rate, held, _falling(recipe, steps - held, per_epoch, recipe.learning_rate * UNFROZEN)
    )


def _staged(first: float, steps: int, then: Any) -> Any:
    """``first`` for so many steps, ``then`` a schedule, or a number, that begins at its step 0."""
    tf, schedules = import_tensorflow(), import_keras().optimizers.schedules

    class Staged(schedules.LearningRateSchedule):  # type: ignore[misc, name-defined]
        def __call__(self, step: Any) -> Any:
            late = tf.cast(step, tf.int64) - steps
            following = then(tf.maximum(late, 0)) if callable(then) else then
            return tf.where(late < 0, tf.cast(first, tf.float32), tf.cast(following, tf.float32))

        def get_config(self) -> dict[str, Any]:
            return {}

    return Staged()


def _falling(recipe: Recipe, steps: int, per_epoch: float, rate: float) -> Any:
    schedules = import_keras().optimizers.schedules
    warm = min(round(per_epoch * recipe.warmup), steps)
    left = max(1, steps - warm)
    if recipe.schedule == "cosine":
        warming = {"initial_learning_rate": 0.0, "warmup_target": rate, "warmup_steps": warm} if warm else {}
        return schedules.CosineDecay(**{"initial_learning_rate": rate, "decay_steps": left, **warming})
    # The others as tables of Keras' schedules do not warm up: steps of a hundredth of the warm-up's length do.
    rises = [(round(warm * part / 100), rate * part / 100) for part in range(1, 101)] if warm else []
    if recipe.schedule == "linear":
        falls = [(warm + round(left * part / 200), rate * (1 - part / 200)) for part in range(1, 200)]
    elif recipe.schedule == "steps":
        falls = [(warm + round(left * share), rate * factor) for share, factor in ((0.6, 0.1), (0.85, 0.01))]
    else:
        falls = []
    return _table(0.0 if warm else rate, rises + falls)


def _table(first: float, changes: list[tuple[int, float]]) -> Any:
    """The learning rate that begins with ``first`` and changes at the steps given."""
    if not changes:
        return first
    unique = dict(changes)  # of several changes in one step, the last
    schedule = import_keras().optimizers.schedules.PiecewiseConstantDecay
    return schedule(list(unique), [first, *unique.values()])
