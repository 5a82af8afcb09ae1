from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevision.converters.sqnr import EXACT_DB, is_constant, sqnr_db
from tests.converters.models import numbers


@given(st.integers(0, 99), st.floats(-10, 60))
def test_noise_of_a_known_level(seed: int, decibel: float) -> None:
    reference = numbers(seed).astype(np.float64)
    noise = numbers(seed + 1).astype(np.float64)
    power = np.square(reference - reference.mean(0)).sum()
    noise *= np.sqrt(power / np.square(noise).sum()) * 10 ** (-decibel / 20)
    assert sqnr_db(reference, reference + noise) == pytest.approx(decibel, abs=1e-3)  # type: ignore[arg-type]


def test_what_all_images_have_in_common_is_no_signal() -> None:
    """A constant of 1000 on every logit would hide any error."""
    reference, noise = numbers(0), 0.3 * numbers(1)
    shifted = sqnr_db(reference + 1000, reference + 1000 + noise)
    assert shifted == pytest.approx(sqnr_db(reference, reference + noise), abs=0.01)


def test_ends_of_the_scale() -> None:
    reference = numbers(0)
    assert sqnr_db(reference, reference) == EXACT_DB
    assert sqnr_db(np.zeros((4, 3), np.float32), np.ones((4, 3), np.float32)) == -EXACT_DB
    assert sqnr_db(np.zeros((4, 3), np.float32), np.zeros((4, 3), np.float32)) == EXACT_DB
    one = numbers(2, images=1)
    assert 15 < sqnr_db(one, one * 1.1) < 25, "a single image counts in full"


def test_a_constant_is_judged_by_its_size() -> None:
    """All images alike, but for rounding: their spread is no signal that rounding could be measured by."""
    constant = np.tile(np.array([0.1, -2.5, 7.0], np.float32), (20, 1))
    rounded = constant + np.float32(1e-8) * numbers(0, 20, 3)
    assert sqnr_db(rounded, constant * np.float32(1 + 1e-5)) == pytest.approx(100, abs=1)
    assert sqnr_db(rounded, 1.1 * constant) == pytest.approx(20, abs=0.1)
    assert is_constant(rounded)
    eight_bits = constant + np.float32(1e-3) * numbers(1, 20, 3)  # more than rounding: a spread of its own
    assert sqnr_db(eight_bits, constant) < 10 < 60 < sqnr_db(eight_bits, constant, in_full=True)
    assert not is_constant(constant + np.float32(1e-3) * numbers(0, 20, 3))
