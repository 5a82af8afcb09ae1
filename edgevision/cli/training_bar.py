"""How a training is shown while it runs: a bar with its figures on a terminal, and a line for every epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from edgevision.cli.console import Progress

if TYPE_CHECKING:
    from edgevision.trainers.history import Epoch, Live


class TrainingBar:
    """What ``train`` calls.

    Args:
        bar: Where it is drawn.
        clock: Seconds.
    """

    def __init__(self, bar: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._bar, self._clock = bar, clock
        self._epochs, self._begun, self._before = 0, 0.0, 0

    def progress(self, stage: str, done: int, total: int) -> None:
        """Everything but training itself."""
        if stage != "train":
            self._bar(stage, done, total)

    def on_step(self, live: Live) -> None:
        """The bar of the epoch."""
        if not self._epochs:
            self._bar.close()
            self._bar.line(_header(live))
            self._epochs, self._begun, self._before = live.recipe.epochs, self._clock(), live.done - 1
        steps = live.total // live.recipe.epochs
        note = f"{self._left(live)}  {_shown(live.figures)}"
        self._bar.live(f"epoch {live.epoch}/{self._epochs}", live.done - (live.epoch - 1) * steps, steps, note)

    def on_epoch(self, epoch: Epoch) -> None:
        """The line of the epoch."""
        self._bar.line(f"epoch {epoch.number}/{self._epochs}  {_shown(epoch.figures)}  {epoch.seconds:.1f} s")

    def _left(self, live: Live) -> str:
        a_step = (self._clock() - self._begun) / max(1, live.done - self._before)
        seconds = round(a_step * (live.total - live.done))
        return f"{seconds // 60}:{seconds % 60:02d} left"


def _header(live: Live) -> str:
    recipe, held = live.recipe, f", {live.val_images:,} held out" if live.val_images else ""
    again = f", going on with epoch {live.epoch}" if live.epoch > 1 else ""
    return f"{recipe.task} with {recipe.model}: {live.images:,} examples{held}, {recipe.epochs} epochs{again}"


def _shown(figures: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
