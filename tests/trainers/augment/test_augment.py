from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgevision.runtime.errors import InputError
from edgevision.trainers.augment import OPERATIONS, Policy
from edgevision.trainers.examples import Example

NOISE: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (32, 24, 3), dtype=np.uint8)


def changed(pixels: NDArray[Any], *names: str, seed: int = 5) -> NDArray[np.uint8]:
    other = Example(255 - pixels, label=np.array([0, 1], np.float32))
    example = Example(pixels, label=np.array([1, 0], np.float32))
    return Policy(names)(example, np.random.default_rng(seed), lambda: other).pixels


@pytest.mark.parametrize("shape", [(32, 24, 3), (32, 24, 1), (4, 32, 24, 3)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_shape_and_type_stay_and_the_seed_decides(name: str, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    before = pixels.copy()
    found = [changed(pixels, name, seed=seed) for seed in range(20)]
    assert all(one.shape == pixels.shape and one.dtype == np.uint8 for one in found) and (pixels == before).all()
    assert (found[7] == changed(pixels, name, seed=7)).all()
    assert any((one != pixels).any() for one in found)


def test_all_frames_of_a_window_are_changed_alike() -> None:
    for name in ("flip", "shift", "rotate"):
        frames = changed(np.stack([NOISE] * 3), name)
        assert (frames[0] == frames[1]).all() and (frames[0] == frames[2]).all()


def test_shifts_move_whole_pixels() -> None:
    for seed in range(30):
        inner = changed(NOISE, "shift=0.03", seed=seed)[1:-1, 1:-1]
        moves = [(up, left) for up in (-1, 0, 1) for left in (-1, 0, 1)]
        assert any((NOISE[1 + up : 31 + up, 1 + left : 23 + left] == inner).all() for up, left in moves)


def test_about_half_are_mirrored() -> None:
    mirrored = sum((changed(NOISE, "flip", seed=seed) == NOISE[:, ::-1]).all() for seed in range(400))
    assert 160 < mirrored < 240


def test_turning_invents_no_values_at_the_border() -> None:
    assert (changed(np.full((32, 32, 3), 200, np.uint8), "rotate", "shift", "flip") == 200).all()


@pytest.mark.parametrize("text", ["sparkle", "flip=1", "shift=2", "rotate=x", "shift=-0.1", "rotate=nan"])
def test_unusable_augmentations(text: str) -> None:
    with pytest.raises(InputError, match="augmentation is"):
        Policy([text])
