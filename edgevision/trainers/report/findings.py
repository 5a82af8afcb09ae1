"""What the curves of a training tell, in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edgevision.benchmarks.report import words

if TYPE_CHECKING:
    from edgevision.trainers.train import TrainingResult

#: Fewer held-out examples than this tell little.
_FEW = 200
#: By so much the held-out loss rises above its least before that is said.
_RISE = 1.15


def findings(result: TrainingResult, higher: bool) -> list[str]:
    """Sentences about the course of the training.

    Args:
        result: What came out.
        higher: Whether more of ``result.metric`` is better.
    """
    epochs, asked = len(result.history), result.recipe.epochs
    found = []
    if epochs < asked:
        waited = words.count(epochs - result.best_epoch, "epoch")
        found.append(f"It ended after {epochs} of {asked} epochs: {waited} in a row were no better.")
    if result.value is None:
        found.append("Nothing was held out, so the last epoch was kept; a validation_split would tell the best one.")
        return found
    if result.best_epoch == asked > 1:
        found.append("The last epoch was the best: more epochs may bring more.")
    if _rises(result):
        found.append(
            "The held-out loss rises in the end while the loss of training falls: the network learns its examples by "
            "heart. More augmentation, weight_decay or examples help, a longer training does not."
        )
    first, last = (
        epoch.figures.get(f"val_{result.metric}", math.nan) for epoch in (result.history[0], result.history[-1])
    )
    if epochs > 2 and not (last > first if higher else last < first):
        found.append("The figure that was to improve is no better at the end than after the first epoch.")
    if result.val_images < _FEW:
        examples = words.count(result.val_images, "held-out example")
        found.append(f"Only {examples} judged the epochs: the best of them is best by chance, in part.")
    return found


def _rises(result: TrainingResult) -> bool:
    held = [epoch.figures.get("val_loss", math.nan) for epoch in result.history]
    own = [epoch.figures.get("loss", math.nan) for epoch in result.history]
    least = min(range(len(held)), key=lambda index: held[index] if math.isfinite(held[index]) else math.inf)
    return held[-1] > _RISE * held[least] and own[-1] < own[least] and held[least] > 0
