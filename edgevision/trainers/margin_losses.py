"""Losses over vectors by name: the same person's are to point the same way, and different people's apart."""

from __future__ import annotations

import math
from typing import Any

from edgevision.trainers.engine import import_tensorflow

#: "arcface" (Deng et al. 2019) classifies the training people by the angle to a direction of each, with a margin on
#: the right one; "triplet" (Schroff et al. 2015) compares images of a batch, each with its hardest ones (Hermans et al.
#: 2017): it wants batches in which people come more than once.
MARGIN_LOSSES = ("arcface", "triplet")


def arcface(vectors: Any, directions: Any, label: Any, margin: float, scale: float) -> dict[str, Any]:
    """Mean additive angular margin loss of a batch and share of images nearest to their own direction.

    Args:
        vectors: Of any length, (batch, dimensions).
        directions: Of the training people, (dimensions, people).
        label: Shares of the people, (batch, people); of mixed images the margin is shared likewise.
        margin: Radians that the angle to the right direction is enlarged by.
        scale: What cosines are multiplied by before the softmax.

    Returns:
        Scalar tensors "loss" and "accuracy".
    """
    tf = import_tensorflow()
    cosine = tf.matmul(tf.math.l2_normalize(vectors, -1), tf.math.l2_normalize(directions, 0))
    angle = tf.acos(tf.clip_by_value(cosine, -1 + 1e-6, 1 - 1e-6))
    # Beyond a half turn the cosine would grow again.
    enlarged = tf.cos(tf.minimum(angle + margin * label, math.pi))
    loss = tf.nn.softmax_cross_entropy_with_logits(label, scale * enlarged)
    right = tf.equal(tf.argmax(cosine, -1), tf.argmax(label, -1))
    return {"loss": tf.reduce_mean(loss), "accuracy": tf.reduce_mean(tf.cast(right, tf.float32))}


def triplet(vectors: Any, label: Any, margin: float) -> dict[str, Any]:
    """Mean batch-hard triplet loss, and share of images whose farthest own image is nearer than the nearest other one.

    Args:
        vectors: Of any length, (batch, dimensions).
        label: Shares of the people, (batch, people).
        margin: By how much the cosine to the own image is to exceed that to the other's.

    Returns:
        Scalar tensors "loss" and "accuracy"; images that are alone in the batch do not count.
    """
    tf = import_tensorflow()
    unit, person = tf.math.l2_normalize(vectors, -1), tf.argmax(label, -1)
    cosine = tf.matmul(unit, unit, transpose_b=True)
    same = tf.equal(person[:, None], person[None, :])
    others = tf.logical_and(same, tf.logical_not(tf.eye(tf.shape(person)[0], dtype=tf.bool)))
    farthest = tf.reduce_min(tf.where(others, cosine, 2.0), -1)
    nearest = tf.reduce_max(tf.where(same, -2.0, cosine), -1)
    counts = tf.cast(tf.logical_and(farthest <= 1.5, nearest >= -1.5), tf.float32)
    total = tf.maximum(tf.reduce_sum(counts), 1.0)
    loss = tf.reduce_sum(tf.nn.relu(margin + nearest - farthest) * counts) / total
    right = tf.reduce_sum(tf.cast(farthest > nearest, tf.float32) * counts) / total
    return {"loss": loss, "accuracy": right}
