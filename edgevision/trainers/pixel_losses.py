"""Losses over maps of class scores by name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.datasets.masks import IGNORED
from edgevision.trainers.engine import import_keras, import_tensorflow
from edgevision.trainers.recipe import Recipe

#: "dice" is the soft overlap of whole regions (Milletari et al. 2016), the third the sum of both.
PIXEL_LOSSES = ("cross-entropy", "dice", "cross-entropy+dice")


def pixel_loss(recipe: Recipe, logits: Any, mask: Any, weights: NDArray[np.float32]) -> dict[str, Any]:
    """Loss of a batch and share of right pixels, scalar tensors "loss" and "accuracy"; ignored pixels take no part.

    A map that is smaller than the mask is enlarged first, bilinearly, so that what is thinner than a cell counts too.

    Args:
        recipe: Its ``loss`` is one of ``PIXEL_LOSSES``.
        logits: (batch, h, w, classes).
        mask: Classes, uint8 (batch, H, W), or ``IGNORED``.
        weights: Of the classes in the cross-entropy, (classes,).
    """
    tf = import_tensorflow()
    classes = int(logits.shape[-1])
    if logits.shape[1:3] != mask.shape[1:3]:
        logits = tf.image.resize(logits, mask.shape[1:3], "bilinear")
    judged = tf.cast(tf.not_equal(mask, IGNORED), tf.float32)
    truth = tf.one_hot(tf.cast(mask, tf.int32), classes)  # all zeros where ignored
    loss = tf.constant(0.0)
    if "cross-entropy" in recipe.loss:
        loss += _cross_entropy(recipe, logits, truth, tf.reduce_sum(truth * tf.constant(weights), -1))
    if "dice" in recipe.loss:
        loss += _dice(tf.nn.softmax(logits) * judged[..., None], truth)
    right = tf.cast(tf.equal(tf.argmax(logits, -1, tf.int32), tf.cast(mask, tf.int32)), tf.float32)
    return {"loss": loss, "accuracy": tf.reduce_sum(right) / tf.maximum(tf.reduce_sum(judged), 1.0)}


def _cross_entropy(recipe: Recipe, logits: Any, truth: Any, weight: Any) -> Any:
    tf = import_tensorflow()
    each = import_keras().losses.categorical_crossentropy(
        truth, logits, from_logits=True, label_smoothing=recipe.label_smoothing
    )
    return tf.reduce_sum(each * weight) / tf.maximum(tf.reduce_sum(weight), 1e-6)


def _dice(shares: Any, truth: Any) -> Any:
    """One less the overlap of each class, on the mean of the classes that the batch has."""
    tf = import_tensorflow()
    axes = (0, 1, 2)
    there = tf.reduce_sum(truth, axes)
    both = tf.reduce_sum(shares * truth, axes)
    overlap = (2 * both + 1) / (tf.reduce_sum(shares, axes) + there + 1)
    present = tf.cast(there > 0, tf.float32)
    return tf.reduce_sum((1 - overlap) * present) / tf.maximum(tf.reduce_sum(present), 1.0)
