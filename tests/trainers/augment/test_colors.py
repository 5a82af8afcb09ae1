from __future__ import annotations

import colorsys

import numpy as np

from edgevision.trainers.augment.colors import LUMA
from edgevision.trainers.examples import Example
from tests.trainers.augment.scenes import variants

MUTED = np.random.default_rng(0).integers(100, 156, (16, 16, 3), dtype=np.uint8)


def test_colors_turn_and_pale_at_the_same_brightness() -> None:
    hues, chromas = [], []
    patch = np.tile(np.array([150, 110, 110], np.uint8), (4, 4, 1))
    for found in variants(Example(patch), "color=0.5", count=200):
        hue, _, _ = colorsys.rgb_to_hsv(*(found.pixels[0, 0] / 255))
        hues.append((hue * 360 + 180) % 360 - 180)
        chromas.append(float(np.ptp(found.pixels[0, 0])) / 40)
    # A quarter turn times the amount: 45 degrees; saturation times 0.5 to 1.5, a hexagon's width aside.
    assert -60 < min(hues) < -35 and 35 < max(hues) < 60
    assert 0.4 < min(chromas) < 0.65 and 1.3 < max(chromas) < 1.75
    for found in variants(Example(MUTED), "color=0.5"):
        assert np.abs(found.pixels @ LUMA - MUTED @ LUMA).max() < 1.1


def test_the_amount_is_the_share_that_turns_gray() -> None:
    found = [one.pixels for one in variants(Example(MUTED), "gray=0.3", count=300)]
    gray = [one for one in found if (one == one[..., :1]).all()]
    assert 60 < len(gray) < 120 and sum((one == MUTED).all() for one in found) == 300 - len(gray)
    assert np.abs(gray[0][..., 0] - MUTED @ LUMA).max() < 0.6
