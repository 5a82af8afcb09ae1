"""What passes for the same answers on a board, and what does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.arm64.agreement import compare

HERE = np.linspace(0, 25.5, 40, dtype=np.float32).reshape(10, 4)  # a step is 0.1


def test_the_same_bits_are_identical() -> None:
    found = compare(HERE, HERE.copy())
    assert (found.identical, found.holds, found.words) == (True, True, "identical")
    assert compare(HERE * 0, HERE * 0).holds


def test_a_step_holds_and_more_does_not() -> None:
    almost, more = HERE.copy(), HERE.copy()
    almost[3, 1] += 0.09
    more[3, 1] += 0.12
    assert compare(HERE, almost).holds
    assert compare(HERE, almost).words == "0.9 steps"
    assert not compare(HERE, more).holds


def test_another_best_class_does_not_hold_however_close() -> None:
    here, there = HERE.copy(), HERE.copy()
    here[0, 2:] = 1.0, 1.0001
    there[0, 2:] = 1.0001, 1.0
    found = compare(here, there)
    assert found.steps < 0.01
    assert found.others == 1
    assert not found.holds


@pytest.mark.parametrize("there", [HERE[:, :3], HERE[:5], HERE.astype(np.float64), np.full_like(HERE, np.nan)])
def test_what_cannot_be_compared_does_not_hold(there: NDArray[Any]) -> None:
    assert not compare(HERE, there).holds
