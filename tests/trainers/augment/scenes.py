"""Examples whose pixels say where their boxes and masks belong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgevision.trainers.augment import Policy
from edgevision.trainers.examples import Example

LIGHT, DARK = 220, 30


def shares(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def ellipses(*frames: tuple[float, float, float, float], size: tuple[int, int] = (72, 96)) -> Example:
    """Light ellipses on dark, each class 1 in the mask, with the boxes that just hold them."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    mask = np.zeros(size, np.uint8)
    for left, top, right, bottom in frames:
        across, down = (2 * x - left - right) / (right - left), (2 * y - top - bottom) / (bottom - top)
        mask[across**2 + down**2 <= 1] = 1
    pixels = np.where(mask[..., None] == 1, LIGHT, DARK).astype(np.uint8).repeat(3, axis=2)
    class_ids = np.arange(len(frames), dtype=np.int64)
    return Example(pixels, shares(1, 0), np.array(frames, np.float32).reshape(-1, 4), class_ids, mask)


def flat(value: int, label: tuple[float, ...] = (1, 0), size: tuple[int, int] = (40, 60)) -> Example:
    """One colour, one class in its mask, one box around all of it."""
    box = np.array([[0, 0, size[1], size[0]]], np.float32)
    mask = np.full(size, value, np.uint8)
    return Example(np.full((*size, 3), value, np.uint8), shares(*label), box, np.array([value]), mask)


def variants(example: Example, *names: str, count: int = 40, others: tuple[Example, ...] = ()) -> Iterator[Example]:
    """What a policy makes of the example with different seeds; ``others`` are drawn in turn."""
    policy = Policy(names)
    for seed in range(count):
        waiting = list(others)
        yield policy(example, np.random.default_rng(seed), lambda waiting=waiting: waiting.pop(0))  # type: ignore[misc]
