from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from edgevision.trainers.margin_losses import arcface, triplet

LABEL = tf.constant(np.eye(2, dtype=np.float32)[[0, 0, 1]])


def at(*degrees: float) -> Any:
    angles = np.radians(degrees)
    return tf.constant(np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32))


def test_arcface_is_a_softmax_over_angles() -> None:
    vectors = at(10, 20, 60) * tf.constant([[1.0], [5.0], [0.1]])  # whatever their length
    directions = tf.transpose(at(0, 90)) * 7

    def expected(margin: float) -> float:
        own, other = np.radians([10, 20, 30]), np.radians([80, 70, 60])
        difference = 8 * (np.cos(own + margin) - np.cos(other))
        return float(np.log1p(np.exp(-difference)).mean())

    for margin in (0.0, 0.3):
        found = arcface(vectors, directions, LABEL, margin, 8.0)
        assert float(found["loss"]) == pytest.approx(expected(margin), rel=1e-3) and float(found["accuracy"]) == 1
    assert expected(0.3) > 1.5 * expected(0.0)
    assert float(arcface(at(10, 80, 60), directions, LABEL, 0.0, 8.0)["accuracy"]) == pytest.approx(2 / 3)


def test_the_worst_angle_is_not_rewarded() -> None:
    found = arcface(at(180), tf.transpose(at(0, 90)), LABEL[:1], 0.5, 8.0)
    assert float(found["loss"]) == pytest.approx(math.log(1 + math.exp(8)), rel=1e-3)


def test_triplets_of_the_hardest() -> None:
    found = triplet(at(0, 60, 100), LABEL, 0.1)
    cosine = [math.cos(math.radians(angle)) for angle in (60, 100, 40)]
    own, other_first, other_second = cosine
    expected = (max(0.1 + other_first - own, 0) + max(0.1 + other_second - own, 0)) / 2
    assert float(found["loss"]) == pytest.approx(expected, rel=1e-5) and float(found["accuracy"]) == 0.5
    alone = triplet(at(0, 60), LABEL[1:], 0.1)
    assert float(alone["loss"]) == 0 and float(alone["accuracy"]) == 0
