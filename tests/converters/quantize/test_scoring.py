from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevision.converters.quantize.scoring import divergence, logits_range, round_to
from edgevision.runtime.manifest import Scores
from tests.converters.models import Floats

KINDS: tuple[Scores, ...] = get_args(Scores)


def answers(kind: Scores, seed: int, spread: float = 3.0) -> Floats:
    values = np.random.default_rng(seed).normal(0, spread, (20, 5))
    if kind == "probabilities":
        powers = np.exp(values)
        values = powers / powers.sum(-1, keepdims=True)
    elif kind == "sigmoid":
        values = 1 / (1 + np.exp(-values))
    return values.astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 999), spread=st.floats(0.1, 30))
def test_divergence_is_zero_for_equal_and_positive_for_others(kind: Scores, seed: int, spread: float) -> None:
    values, others = answers(kind, seed, spread), answers(kind, seed + 1, spread)
    assert divergence(values, values, kind) == pytest.approx(0, abs=1e-9)
    assert divergence(values, others, kind) > 1e-4
    nearer = (0.9 * values + 0.1 * others).astype(np.float32)
    assert divergence(values, nearer, kind) < divergence(values, others, kind)


def test_divergence_in_nats() -> None:
    certain, torn = np.array([[0.75, 0.25]]), np.array([[0.5, 0.5]])
    by_hand = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    assert divergence(certain, torn, "probabilities") == pytest.approx(by_hand)
    assert divergence(np.log(certain), np.log(torn), "logits") == pytest.approx(by_hand)
    assert divergence(certain[:, :1], torn[:, :1], "sigmoid") == pytest.approx(by_hand)
    assert divergence(np.log([[3.0]]), np.zeros((1, 1)), "sigmoid_logits") == pytest.approx(by_hand)


def test_a_certain_answer_turned_around_stays_finite() -> None:
    for kind in KINDS:
        assert 1 < divergence(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), kind) < 100 or "logits" in kind
    huge = np.array([[1e4, -1e4]])
    assert np.isfinite(divergence(huge, -huge, "logits"))


def test_a_shift_of_all_logits_changes_nothing() -> None:
    values = answers("logits", 1)
    assert divergence(values, values + 7, "logits") == pytest.approx(0, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 99), spread=st.floats(0.1, 30), shift=st.floats(-40, 40))
def test_the_largest_logit_is_never_cut_off(kind: Scores, seed: int, spread: float, shift: float) -> None:
    """Two classes beyond the end of the grid would tie."""
    logits = (np.random.default_rng(seed).normal(shift, spread, (30, 4))).astype(np.float32)
    grid = logits_range(logits, kind)
    assert grid.high >= max(0.0, float(logits.max())) - 0.5001 * grid.scale
    # so the best class stays the best wherever it leads by more than a step
    first, second = np.sort(logits, -1)[:, -1], np.sort(logits, -1)[:, -2]
    clear = (first - second > 1.01 * grid.scale) & (second > grid.low)
    rounded = round_to(grid, logits)
    assert (rounded.argmax(-1) == logits.argmax(-1))[clear].all()
    if kind.startswith("sigmoid"):
        assert grid.low <= min(0.0, float(logits.min())) + 0.5001 * grid.scale


def test_very_negative_logits_are_cut_off_where_that_helps() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (200, 10)).astype(np.float32)
    logits[:, 7:] -= 60
    grid = logits_range(logits, "logits")
    assert grid.low > -40 and grid.high > logits.max() - grid.scale
    covering = logits_range(logits, "sigmoid_logits")
    better, worse = (divergence(logits, round_to(item, logits), "logits") for item in (grid, covering))
    assert better < 0.3 * worse
