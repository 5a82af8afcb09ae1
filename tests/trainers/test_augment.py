from __future__ import annotations

import numpy as np
import pytest

from edgevision.runtime.errors import InputError
from edgevision.trainers.augment import AUGMENTATIONS, augmented


def batch(channels: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (64, 32, 24, channels), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_shape_and_type_stay_and_the_seed_decides(name: str, channels: int) -> None:
    pixels = batch(channels)
    before = pixels.copy()
    changed = augmented(pixels, name, np.random.default_rng(5))
    assert changed.shape == pixels.shape and changed.dtype == np.uint8 and (pixels == before).all()
    assert (changed == augmented(pixels, name, np.random.default_rng(5))).all()
    assert (changed == pixels).all() == (name == "none")


def test_flip_and_shift_move_whole_pixels() -> None:
    pixels = batch(3)
    for image, moved in zip(pixels, augmented(pixels, "flip-shift", np.random.default_rng(1))):
        inner = moved[1:-1, 1:-1]
        assert any(
            (source[1 + up : 31 + up, 1 + left : 23 + left] == inner).all()
            for source in (image, image[:, ::-1])
            for up in (-1, 0, 1)
            for left in (-1, 0, 1)
        )


def test_about_half_are_mirrored() -> None:
    ramp = np.broadcast_to(np.arange(0, 240, 10, dtype=np.uint8)[:, None], (400, 32, 24, 1))
    changed = augmented(np.ascontiguousarray(ramp), "flip-shift", np.random.default_rng(2))
    assert 160 < (changed[:, 0, 0, 0] > changed[:, 0, -1, 0]).sum() < 240


def test_turning_invents_no_values_at_the_border() -> None:
    flat = np.full((16, 32, 32, 3), 200, np.uint8)
    assert (augmented(flat, "rotate-flip-shift", np.random.default_rng(3)) == 200).all()


def test_unknown_augmentation() -> None:
    with pytest.raises(InputError, match="expected none or flip-shift or rotate-flip-shift, got 'mixup'"):
        augmented(batch(3), "mixup", np.random.default_rng(0))
