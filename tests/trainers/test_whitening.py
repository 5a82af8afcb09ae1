from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from edgevision.trainers.whitening import fold, whitening


def unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def few() -> tuple[Any, Any]:
    """Twenty people whose images differ ten times as much in one direction as in the others."""
    random, targets = np.random.default_rng(0), np.arange(200) % 20
    spread = random.normal(size=(200, 4)) * [10, 1, 1, 1]
    return random.normal(size=(20, 4))[targets] * 3 + spread @ np.linalg.qr(random.normal(size=(4, 4)))[0] + 5, targets


def test_the_images_of_one_person_spread_alike_in_all_directions() -> None:
    vectors, targets = few()
    middle, matrix = whitening(vectors, targets, 0.999999)
    found = (vectors - middle) @ matrix
    means = np.stack([found[targets == person].mean(0) for person in range(20)])
    spread = found - means[targets]
    np.testing.assert_allclose(spread.T @ spread / 200, np.eye(4), atol=1e-3)
    np.testing.assert_allclose(means.mean(0), 0, atol=1e-9)


def test_no_share_changes_no_angle() -> None:
    vectors, targets = few()
    middle, matrix = whitening(vectors, targets, 0.0)
    np.testing.assert_allclose(unit((vectors - middle) @ matrix), unit(vectors - middle), atol=1e-9)


def test_images_without_any_spread() -> None:
    middle, matrix = whitening(np.repeat(np.eye(3), 2, 0), np.array([0, 0, 1, 1, 2, 2]), 0.95)
    assert np.isfinite(matrix).all() and np.allclose(matrix, matrix[0, 0] * np.eye(3)) and np.allclose(middle, 1 / 3)


@pytest.mark.parametrize("again", [False, True])
def test_it_becomes_part_of_the_last_layer(again: bool) -> None:
    layers, inputs = keras.layers, keras.Input((6,))
    norm = layers.BatchNormalization()
    model = keras.Model(inputs, norm(layers.Dense(4, use_bias=False)(inputs)))
    random = np.random.default_rng(1)
    norm.set_weights([random.uniform(0.5, 2, 4) for _ in range(4)])
    pixels = random.normal(size=(5, 6)).astype(np.float32)
    for _ in range(1 + again):
        before, middle, matrix = model.predict_on_batch(pixels), random.normal(size=4), random.normal(size=(4, 4))
        fold(model, middle, matrix)
        np.testing.assert_allclose(model.predict_on_batch(pixels), (before - middle) @ matrix, atol=1e-4)
