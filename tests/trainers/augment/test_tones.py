from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgevision.trainers.examples import Example
from tests.trainers.augment.scenes import variants

RAMP: NDArray[np.uint8] = np.arange(60, 180, dtype=np.uint8).reshape(10, 12, 1).repeat(3, axis=2)


def found(*names: str) -> list[NDArray[np.float64]]:
    return [one.pixels.astype(np.float64) for one in variants(Example(RAMP), *names, count=100)]


def test_brightness_multiplies() -> None:
    factors = [float((one / RAMP).mean()) for one in found("brightness=0.4")]
    assert 0.6 <= min(factors) < 0.65 and 1.35 < max(factors) <= 1.4
    assert all(np.abs(one - factor * RAMP).max() < 1.5 for one, factor in zip(found("brightness=0.4"), factors))


def test_contrast_spreads_about_the_mean() -> None:
    factors = [one.std() / RAMP.std() for one in found("contrast=0.4")]
    assert 0.6 <= min(factors) < 0.65 and 1.35 < max(factors) < 1.41
    assert all(one.mean() == pytest.approx(RAMP.mean(), abs=0.6) for one in found("contrast=0.4"))


def test_autocontrast_takes_the_whole_range_of_each_channel() -> None:
    dim = RAMP // np.array([1, 2, 4], np.uint8)
    (one,) = variants(Example(dim), "autocontrast", count=1)
    assert (one.pixels.reshape(-1, 3).min(axis=0) == 0).all() and (one.pixels.reshape(-1, 3).max(axis=0) == 255).all()


def test_equalized_values_are_equally_frequent() -> None:
    skewed = (np.linspace(0, 1, 4096) ** 4 * 200).astype(np.uint8).reshape(64, 64, 1)
    (one,) = variants(Example(skewed), "equalize", count=1)
    quarters = np.histogram(one.pixels, 4, (0, 256))[0] / 4096
    assert np.histogram(skewed, 4, (0, 256))[0].max() / 4096 > 0.6 and quarters[1:].max() < 0.3


def test_solarize_inverts_what_is_above_a_threshold() -> None:
    for one in found("solarize=1"):
        above = one != RAMP
        assert (one[above] == 255 - RAMP[above]).all()
        assert not above.any() or above.all() or RAMP[above].min() > RAMP[~above].max()


def test_posterize_leaves_so_many_bits() -> None:
    steps = {int(np.gcd.reduce(one.astype(int).ravel())) for one in found("posterize=3")}
    assert steps == {1, 2, 4, 8}


@pytest.mark.parametrize("name", ["autocontrast", "equalize"])
def test_one_single_value_stays_what_it_is(name: str) -> None:
    plain = np.full((4, 4, 3), 77, np.uint8)
    assert [(one.pixels == 77).all() for one in variants(Example(plain), name, count=1)] == [True]
