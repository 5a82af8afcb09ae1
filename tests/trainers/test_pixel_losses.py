from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from edgevision.trainers.pixel_losses import PIXEL_LOSSES, pixel_loss
from edgevision.trainers.recipe import Recipe, recipe_of
from edgevision.trainers.tasks.segmentation import balanced

ONES = np.ones(3, np.float32)


def recipe(loss: str, **more: Any) -> Recipe:
    return recipe_of({"task": "segmentation", "model": "unet", "input_size": (2, 2), "loss": loss, **more})


def found(loss: str, logits: Any, mask: Any, weights: Any = ONES, **more: Any) -> dict[str, float]:
    tensors = tf.constant(np.asarray(logits, np.float32)), tf.constant(np.asarray(mask, np.uint8))
    return {name: float(value) for name, value in pixel_loss(recipe(loss, **more), *tensors, weights).items()}


@pytest.mark.parametrize("loss", PIXEL_LOSSES)
def test_right_costs_nothing_and_ignored_pixels_do_not_count(loss: str) -> None:
    mask = np.array([[[0, 1], [2, 255]]])
    logits = 60 * np.eye(3)[np.minimum(mask, 2)] - 30
    right = found(loss, logits, mask)
    assert right["loss"] < 1e-3 and right["accuracy"] == 1
    logits[0, 1, 1] = [40, -40, 0]
    assert found(loss, logits, mask) == right
    logits[0, 1, 0] = [40, -40, 0]
    wrong = found(loss, logits, mask)
    assert wrong["loss"] > 0.2 and wrong["accuracy"] == pytest.approx(2 / 3)


def test_cross_entropy_is_weighted() -> None:
    logits, mask = np.random.default_rng(0).normal(size=(1, 2, 2, 3)), np.array([[[0, 1], [1, 255]]])
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    each = [-np.log(shares[0, 0, 0, 0]), -np.log(shares[0, 0, 1, 1]), -np.log(shares[0, 1, 0, 1])]
    assert found("cross-entropy", logits, mask)["loss"] == pytest.approx(np.mean(each), rel=1e-5)
    weights = np.array([3, 0.5, 7], np.float32)
    expected = np.average(each, weights=[3, 0.5, 0.5])
    assert found("cross-entropy", logits, mask, weights)["loss"] == pytest.approx(expected, rel=1e-5)
    both = found("cross-entropy+dice", logits, mask, weights)["loss"]
    assert both == pytest.approx(expected + found("dice", logits, mask)["loss"], rel=1e-5)
    smoothed = found("cross-entropy", logits, mask, label_smoothing=0.3)["loss"]
    assert smoothed != pytest.approx(np.mean(each), rel=1e-3)


def test_dice_by_hand() -> None:
    # Half of each pixel to either of two classes; three pixels of the first, one of the second, none of the third.
    logits, mask = np.array([[[[0, 0, -99]] * 2] * 2]), np.array([[[0, 0], [0, 1]]])
    expected = 1 - ((2 * 1.5 + 1) / (2 + 3 + 1) + (2 * 0.5 + 1) / (2 + 1 + 1)) / 2
    assert found("dice", logits, mask)["loss"] == pytest.approx(expected)


def test_small_maps_are_enlarged() -> None:
    mask = np.zeros((1, 4, 4))
    mask[:, :, 2:] = 1
    result = found("cross-entropy", [[[[9, -9, -9], [-9, 9, -9]]] * 2], mask)
    assert result["accuracy"] == 1 and result["loss"] < 0.01


def test_weights_of_classes() -> None:
    counts = np.array([900, 90, 10, 0])
    np.testing.assert_allclose(balanced(counts, 0.0), [1, 1, 1, 0])
    weights = balanced(counts, 1.0)
    np.testing.assert_allclose(weights[:3] * counts[:3], counts.sum() / 3, rtol=1e-5)
    assert weights[3] == 0
    half = balanced(counts, 0.5)
    assert half[1] / half[0] == pytest.approx(10**0.5) and (half * counts).sum() / counts.sum() == pytest.approx(1)
