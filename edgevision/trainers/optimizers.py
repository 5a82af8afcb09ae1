"""Optimizers and learning-rate schedules by name: Keras' own."""

from __future__ import annotations

from typing import Any

from edgevision.runtime.errors import InputError
from edgevision.trainers.engine import import_keras
from edgevision.trainers.recipe import Recipe

OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam", "adamw")
#: "cosine" falls to 0 along half a cosine, "linear" along a line, "steps" to a tenth at 60 and at 85 % of the steps.
SCHEDULES = ("cosine", "linear", "steps", "constant")


def check_optimizer(recipe: Recipe) -> None:
    """Whether optimizer and schedule are known.

    Raises:
        InputError: One is not.
    """
    for what, name, known in (("optimizer", recipe.optimizer, OPTIMIZERS), ("schedule", recipe.schedule, SCHEDULES)):
        if name not in known:
            raise InputError(f"the {what} is unknown", expected=" or ".join(known), got=repr(name))


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
    schedules, rate = import_keras().optimizers.schedules, recipe.learning_rate
    warm = min(round(steps * recipe.warmup / recipe.epochs), steps)
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
