"""Operations that change every value by itself: one table of 256 entries, or one a channel."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from edgevision.trainers.augment.operation import Draw, Operation
from edgevision.trainers.examples import Example

_VALUES = np.arange(256, dtype=np.float64)


class Tones(Operation):
    """An operation that is a table of values."""

    @abstractmethod
    def table(self, pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.float64]:
        """What each value becomes: (256,), or (channels, 256); it is rounded and cut to 0..255."""

    def __call__(self, example: Example, random: np.random.Generator, draw: Draw) -> Example:
        """See ``Operation``."""
        table = np.rint(np.clip(self.table(example.pixels, random), 0, 255)).astype(np.uint8)
        if table.ndim == 1:
            return dataclasses.replace(example, pixels=table.take(example.pixels))
        channels = [row.take(example.pixels[..., channel]) for channel, row in enumerate(table)]
        return dataclasses.replace(example, pixels=np.stack(channels, axis=-1))

    def _factor(self, random: np.random.Generator) -> float:
        return 1 + self.amount * (2 * random.random() - 1)


class Brightness(Tones):
    """All values times 1 - amount up to 1 + amount."""

    name, default = "brightness", 0.2

    def table(self, pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.float64]:
        """See ``Tones``."""
        return _VALUES * self._factor(random)


class Contrast(Tones):
    """Distances from the mean value times 1 - amount up to 1 + amount."""

    name, default = "contrast", 0.2

    def table(self, pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.float64]:
        """See ``Tones``."""
        mean = float(pixels.mean())
        return mean + (_VALUES - mean) * self._factor(random)


class AutoContrast(Tones):
    """Each channel stretched to 0..255."""

    name = "autocontrast"

    def table(self, pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.float64]:
        """See ``Tones``."""
        flat = pixels.reshape(-1, pixels.shape[-1])
        low, high = flat.min(axis=0)[:, None].astype(np.float64), flat.max(axis=0)[:, None]
        return np.where(high > low, (_VALUES - low) * (255 / np.maximum(high - low, 1)), _VALUES)


class Equalize(Tones):
    """Each channel's values made equally frequent, as far as a table can."""

    name = "equalize"

    def table(self, pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.float64]:
        """See ``Tones``."""
        flat = pixels.reshape(-1, pixels.shape[-1])
        counts = np.stack([np.bincount(channel, minlength=256) for channel in flat.T])
        below, least = counts.cumsum(axis=1), counts[np.arange(len(counts)), flat.min(axis=0)][:, None]
        spread = len(flat) - least
        return np.where(spread > 0, (below - least) * (255 / np.maximum(spread, 1)), _VALUES)


class Solarize(Tones):
    """Values above a threshold inverted; the threshold is drawn from 256 down to 256 * (1 - amount)."""

    name, default = "solarize", 0.5

    def table(self, pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.float64]:
        """See ``Tones``."""
        return np.where(256 * (1 - self.amount * random.random()) <= _VALUES, 255 - _VALUES, _VALUES)


class Posterize(Tones):
    """Fewer bits a value: 8 down to 8 less the amount."""

    name, default, least, most = "posterize", 4.0, 1.0, 7.0

    def table(self, pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.float64]:
        """See ``Tones``."""
        step = 2.0 ** int(random.random() * (int(self.amount) + 1))
        return np.floor(_VALUES / step) * step
