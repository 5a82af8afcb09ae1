from __future__ import annotations

import numpy as np
import pytest

from edgevision.converters.quantize.distil import UNKNOWN, loss
from edgevision.converters.quantize.scoring import divergence, noise_shares
from edgevision.runtime.manifest import Scores
from tests.converters.models import Floats

RANDOM = np.random.default_rng(0)
EXACT: Floats = RANDOM.normal(0, 2, (20, 5)).astype(np.float32)
FOUND: Floats = (EXACT + RANDOM.normal(0, 1, EXACT.shape)).astype(np.float32)
NO_LABELS = np.full(20, UNKNOWN)


@pytest.mark.parametrize("scores", ["logits", "sigmoid_logits"])
def test_without_labels_it_is_the_divergence(scores: Scores) -> None:
    assert float(loss(EXACT, FOUND, NO_LABELS, scores)) == pytest.approx(divergence(EXACT, FOUND, scores), rel=1e-4)
    assert float(loss(EXACT, EXACT, NO_LABELS, scores)) == pytest.approx(0, abs=1e-6)


def test_a_fifth_of_it_is_the_label_where_there_is_one() -> None:
    targets = np.arange(20) % 5
    powers = np.exp(FOUND.astype(np.float64))
    cross = -np.log((powers / powers.sum(1, keepdims=True))[np.arange(20), targets])
    expected = 0.8 * divergence(EXACT, FOUND, "logits") + 0.2 * cross.mean()
    assert float(loss(EXACT, FOUND, targets, "logits")) == pytest.approx(expected, rel=1e-4)
    mixed = np.where(np.arange(20) < 10, targets, UNKNOWN)
    expected = np.mean(
        [
            0.8 * divergence(EXACT[:10], FOUND[:10], "logits") + 0.2 * cross[:10].mean(),
            divergence(EXACT[10:], FOUND[10:], "logits"),
        ]
    )
    assert float(loss(EXACT, FOUND, mixed, "logits")) == pytest.approx(expected, rel=1e-4)


def test_one_sigmoid_tells_two_classes_apart() -> None:
    exact = np.zeros((2, 1), np.float32)
    right, wrong = np.array([[-9], [9]], np.float32), np.array([[9], [-9]], np.float32)
    targets = np.array([0, 1])
    assert float(loss(exact, right, targets, "sigmoid")) < float(loss(exact, wrong, targets, "sigmoid")) - 1


def test_outputs_that_are_no_scores_count_by_their_signal() -> None:
    maps = RANDOM.normal(3, 2, (30, 4, 4, 1)).astype(np.float32)
    noisy = maps + 0.2 * RANDOM.normal(0, 1, maps.shape).astype(np.float32)
    assert float(loss(maps, noisy, np.full(30, UNKNOWN), None)) == pytest.approx(0.01, rel=0.2)
    (share,) = noise_shares([({"map": maps}, {"map": noisy})])
    for scale, offset in ((1, 0), (100, 5)):
        found = loss(maps * scale + offset, noisy * scale + offset, np.full(30, UNKNOWN), None)
        assert float(found) == pytest.approx(share, rel=1e-3)
