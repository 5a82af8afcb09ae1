from __future__ import annotations

import numpy as np
import pytest

from edgevision.trainers.examples import Example
from tests.trainers.augment.scenes import variants

PLAIN = Example(np.full((40, 40, 3), 120, np.uint8))
EDGE = Example(np.repeat(np.array([40, 200], np.uint8), 20)[None, :, None].repeat(40, 0).repeat(3, 2))


def test_salt_and_pepper() -> None:
    shares = []
    for found in variants(PLAIN, "salt-pepper=0.2"):
        black, white = (found.pixels == 0).all(axis=-1), (found.pixels == 255).all(axis=-1)
        assert ((found.pixels == 120).all(axis=-1) | black | white).all()
        assert black.mean() == pytest.approx(white.mean(), abs=0.03)
        shares.append(black.mean() + white.mean())
    assert min(shares) < 0.04 and 0.16 < max(shares) < 0.23


def test_gaussian_noise() -> None:
    found = [one.pixels.astype(float) for one in variants(PLAIN, "noise=0.1")]
    assert all(abs(one.mean() - 120) < 1.5 for one in found)
    deviations = [one.std() for one in found]
    assert min(deviations) < 5 and 21 < max(deviations) < 26


def test_blur_widens_an_edge_and_keeps_the_mean() -> None:
    widths = []
    for found in variants(EDGE, "blur=3"):
        row = found.pixels[20, :, 0].astype(float)
        # The slope of a blurred step is the kernel: its second moment is the variance.
        slope = np.diff(row) / 160
        widths.append(float(np.sqrt(slope @ (np.arange(39) - slope @ np.arange(39)) ** 2)))
        assert found.pixels.mean() == pytest.approx(120, abs=1)
    assert min(widths) < 0.5 and 2.5 < max(widths) < 3.2


def test_sharpening_goes_beyond_the_edges_values() -> None:
    steps = [int(np.ptp(found.pixels[20, 19:21, 0])) for found in variants(EDGE, "sharpness=1")]
    assert min(steps) < 160 < max(steps)


def test_jpeg_loses_the_more_the_lower_its_quality() -> None:
    noise = Example(np.random.default_rng(0).integers(0, 256, (32, 32, 1), dtype=np.uint8).repeat(3, 2))
    losses = [
        [np.abs(found.pixels - noise.pixels.astype(float)).mean() for found in variants(noise, text)]
        for text in ("jpeg=90", "jpeg=5")
    ]
    assert max(losses[0]) < 5 and max(losses[1]) > 25
    assert all(np.abs(found.pixels.astype(int) - 120).max() <= 3 for found in variants(PLAIN, "jpeg=5"))
